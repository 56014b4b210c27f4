"""Descriptors closed in each way; then files are written often and compared byte for byte."""
from .. import places, recording
from ..registry import fault
from ..trial import FILES, PROGRAM

GROUP = "Descriptors"
# A run has one of them, in turn.
OPTIONS = ((), ("--no-native",), ("--real-time",), ("--no-jitlog",), ("--no-pypylog",),
           ("--no-jitlog", "--no-pypylog", "--no-native"), ("--no-pc",))
CPYTHON_OPTIONS = ((), ("--no-native",), ("--real-time",), ("--no-lines",), ("--no-pc",),
                   ("--real-time", "--no-native"))
PART = b"12345678\n"


def options_of(trial):
    options = OPTIONS if trial.python.pypy else CPYTHON_OPTIONS
    return options[trial.number % len(options)]


def environment(trial, how):
    if "library" in how:
        return {"TRIAL_LIBRARY": places.built("closing.c", shared=True)}
    if "extension" in how:
        return {"TRIAL_EXTENSIONS": places.extension(trial.python, "closing_module.c")}
    return {}


def compare_files(trial, ended):
    """The program's files as they lie on disk: nothing else in them, and all of one length if it
    came to its end."""
    found = [path.read_bytes() for path in sorted(trial.folder.glob("w*.dat"))]
    clean = all(text == PART * (len(text) // len(PART)) for text in found)
    whole = not ended or (found and found[0] and all(text == found[0] for text in found))
    trial.check(FILES, bool(clean and whole), "sizes %s" % [len(text) for text in found])
    for name in ("dup.dat", "sub.dat"):
        path = trial.folder / name
        if path.exists():
            trial.check(FILES, path.read_bytes() == b"mine\n", "%s: %d bytes" % (
                name, path.stat().st_size))


def closed(trial, program, how):
    env = environment(trial, how)
    alone = trial.alone(program, how, env=env)
    options = options_of(trial)
    result = trial.finish(trial.record(program, how, options=options, env=env))
    if result is not None:
        lines = [line for line in result.out.splitlines() if line.startswith(b"files:")]
        for line in lines:
            trial.check(FILES, line == b"files: intact", line.decode(errors="replace"))
    trial.same(alone, result)
    compare_files(trial, result is not None)
    trial.no_stall()
    trial.opens(whole=True, real_time="--real-time" in options)
    trial.nothing_left()


def started_without(name, numbers, said):
    """Standard streams that are closed when vmfox begins: its own files must not become them."""
    before = ("/bin/sh", "-c", 'exec "$@" ' + " ".join("%d>&-" % number for number in numbers), "sh")

    @fault(name, GROUP, said)
    def run(trial):
        alone = trial.alone("descriptors.py", "loop", before=before)
        result = trial.finish(trial.record("descriptors.py", "loop", before=before))
        trial.same(alone, result)
        compare_files(trial, result is not None)
        trial.opens(whole=True)
        trial.nothing_left()


started_without("fd-no-stdin", (0,),
                "vmfox begins without a standard input (`<&-`); `os.close` of 3 to 1023")
started_without("fd-no-stderr", (2,), "the same without standard error (`2>&-`)")
started_without("fd-no-streams", (0, 1, 2), "the same without any of the three")


def by(name, how, said, program="descriptors.py"):
    @fault(name, GROUP, said)
    def run(trial):
        closed(trial, program, how)


by("fd-none", "none", "none is closed; the numbers that are open are those as alone")
by("fd-loop", "loop", "`os.close` of 3 to 1023")
by("fd-listing", "listing", "`os.close` of all in /proc/self/fd")
by("fd-closerange", "closerange", "`os.closerange(3, 65536)`")
by("fd-close_range", "close_range", "close_range(2), by ctypes")
by("fd-closefrom", "closefrom", "closefrom(3), by ctypes")
by("fd-library", "library", "close(2) of 3 to 1023 in a C library")
by("fd-extension", "extension", "the same in an extension module")
by("fd-dup2", "dup2", "`os.dup2` of an own file onto each open number")
by("fd-dup2-everywhere", "dup2-everywhere", "`os.dup2` of it onto 3 to 255, then all closed")
by("fd-rlimit", "rlimit", "RLIMIT_NOFILE lowered to 20, then all closed")
by("fd-thread", "thread", "`os.close` of 3 to 1023 in a thread")
by("fd-subprocess", "subprocess", "`subprocess.run`, then all closed")
by("fd-loop-again", "loop-again", "`os.close` of 3 to 1023 again and again")
by("fd-closerange-again", "closerange-again", "`os.closerange` again and again")
by("fd-library-again", "library-again", "close(2) in a C library again and again")
for _how in ("loop", "closerange", "close_range", "dup2", "library"):
    by("fd-fork-" + _how, "fork-" + _how, "a forked child does it: %s" % _how, "daemons.py")


def daemon(name, how, said):
    @fault(name, GROUP, said)
    def run(trial):
        env = environment(trial, how)
        alone = trial.alone("daemons.py", how, env=env)
        options = options_of(trial)
        running = trial.record("daemons.py", how, options=options, env=env)
        result = trial.finish(running)
        trial.wait_for_daemons()
        trial.same(alone, result)
        out = trial.folder / "daemon.out"
        text = out.read_bytes() if out.exists() else b"it wrote nothing"
        trial.check(PROGRAM, text == b"files: intact\n", "the daemon: %s" % text.decode(
            errors="replace").strip())
        compare_files(trial, result is not None)
        trial.opens(whole=True, told=recording.progress(trial.folder),
                    real_time="--real-time" in options)
        trial.nothing_left()


daemon("daemon-loop", "loop", "a daemon: two forks, setsid, `os.close` of 3 to 1023")
daemon("daemon-closerange", "closerange", "a daemon: `os.closerange`")
daemon("daemon-close_range", "close_range", "a daemon: close_range(2)")
daemon("daemon-none", "none", "a daemon that closes nothing")
