"""The shell's limits."""
import os

from .. import places
from ..registry import fault
from ..trial import OWN_LINE, PROGRAM, RECORDING

GROUP = "Limits of the shell"


def limited(trial, limits, program="limited.py", args=()):
    alone = trial.alone(program, *args, limits=limits)
    result = trial.finish(trial.record(program, *args, limits=limits))
    trial.same(alone, result)
    trial.no_stall()
    return alone


def kept_or_said(trial):
    """The recording as far as the limit allows, and a line that tells of it where it is not whole."""
    if trial.capture.exists() and not trial.own_lines:
        trial.opens(whole=True)
        return
    trial.one_line()
    trial.check(RECORDING, "No error" not in trial.said(), trial.said())
    if not trial.capture.exists():
        trial.kept(whole=False, told=None)
        return
    opened, said = trial.convert(trial.capture)
    trial.check(RECORDING, opened is not None, "it does not open: %s" % said)
    trial.recover_named()


@fault("ulimit-f", GROUP, "`ulimit -f` of 4 kB to 1 MB")
def file_size(trial):
    size = 4096 * 2 ** trial.dice.randrange(0, 9)
    limited(trial, {"RLIMIT_FSIZE": size})
    if size < 65536 and b"nothing was recorded" in b"".join(trial.own_lines):
        trial.one_line()  # no file can hold what the program would have to load
    else:
        kept_or_said(trial)
    trial.nothing_left()


@fault("ulimit-n", GROUP, "`ulimit -n` of 12 to 24")
def descriptors(trial):
    limited(trial, {"RLIMIT_NOFILE": 16 if trial.number == 0 else trial.dice.randrange(12, 25)})
    kept_or_said(trial)
    trial.nothing_left()


def least_memory(trial):
    """In MB, what limited.py runs with by itself: PyPy takes more where the processor's cache
    is large."""
    for size in range(96, 2049, 16):
        if trial.alone("limited.py", limits={"RLIMIT_AS": size << 20}).code == 3:
            return size
    raise places.Absent("an interpreter that runs with 2 GB")


@fault("ulimit-v", GROUP, "`ulimit -v` of 24 MB over what the interpreter runs with alone, to 300 MB more")
def address_space(trial):
    size = least_memory(trial) + 24  # the ring and the libraries: docs/recording.md
    if trial.number:
        size += trial.dice.randrange(0, 300, 8)
    limited(trial, {"RLIMIT_AS": size << 20})
    kept_or_said(trial)
    trial.nothing_left()


@fault("ulimit-t", GROUP, "`ulimit -t 1`: the program is ended by SIGXCPU")
def cpu_time(trial):
    alone = trial.alone("steady.py", "3", limits={"RLIMIT_CPU": 1})
    result = trial.finish(trial.record("steady.py", "3", limits={"RLIMIT_CPU": 1}))
    trial.same(alone, result)
    trial.opens(whole=True)
    trial.nothing_left()


@fault("ulimit-u", GROUP, "`ulimit -u 1` for a user of no other process: refused in one line")
def processes(trial):
    if os.geteuid() != 0:
        raise places.Absent("root, to become another user")
    uid = str(61000 + os.getpid() % 4000)  # nobody else's
    for path in (trial.folder, trial.tmp, trial.home, trial.folder.parent):
        os.chown(path, int(uid), int(uid))
    os.chmod(trial.folder.parent.parent, 0o755)
    result = trial.finish(trial.record("limited.py", before=(
        "setpriv", "--reuid", uid, "--regid", uid, "--clear-groups", "prlimit", "--nproc=1")))
    if result is not None:
        trial.own_lines = OWN_LINE.findall(result.err)
        trial.check(PROGRAM, len(trial.own_lines) == 1 and result.code != 0,
                    "exit code %d: %s" % (result.code, trial.said()))
    trial.nothing_left()
