"""Disks that are full, and folders that go away, at each stage."""
import subprocess
import time

from .. import places
from ..registry import fault
from ..trial import PROGRAM, RECORDING, TIME, Result

GROUP = "Disks and folders"
MB = 1 << 20


def wanted_code(trial, code):
    """The program's own unless that was 0, then 1; 0 stays where the recording is where it should."""
    return code if code or trial.capture.exists() else 1


def settle(trial, alone, running, must_say=True):
    """Waits, compares, and looks for the recording."""
    result = trial.finish(running)
    trial.same(alone, result, code=wanted_code(trial, alone.code))
    trial.no_stall()
    trial.tmp.joinpath("filler").unlink(missing_ok=True)  # the program's own
    if must_say and not trial.capture.exists():
        trial.one_line()
    trial.kept(whole=False)
    trial.nothing_left()


def full_temp(name, said, size):
    @fault(name, GROUP, said)
    def run(trial):
        alone = trial.alone("steady.py", "0.5")
        trial.small_disk(trial.tmp, int(size(trial.dice)))
        settle(trial, alone, trial.record("steady.py", "0.5"))


full_temp("temp-full", "the temporary folder has 16 to 300 kB",
          lambda dice: dice.uniform(16, 300) * 1024)
full_temp("temp-full-at-once", "the temporary folder has 4 kB", lambda dice: 4096)


@fault("temp-fills", GROUP, "the temporary folder (2 MB) is filled by the program, at any moment")
def temp_fills(trial):
    trial.small_disk(trial.tmp, 2 * MB)
    alone = expected("fill", 3)
    settle(trial, alone, moved(trial, "fill", trial.tmp, 3))


def expected(how, code):
    """How moves.py ends alone: what it prints does not depend on the folder."""
    return Result(code, b"begins\ndone %s\n" % how.encode(), b"", 1.0)


def moved(trial, how, folder, code, output=None):
    return trial.record("moves.py", how, str(folder), str(code), output=output,
                        moment=trial.dice.uniform(0.02, 0.5))


@fault("output-full", GROUP, "the recording's folder has 4 to 60 kB")
def output_full(trial):
    folder = trial.folder / "small"
    trial.small_disk(folder, int(trial.dice.uniform(4, 60) * 1024))
    trial.capture = folder / "x.vmfox"
    alone = trial.alone("steady.py", "0.5")
    settle(trial, alone, trial.record("steady.py", "0.5"))


@fault("output-full-exit-0", GROUP, "the same, and the program ends with 0: vmfox with 1")
def output_full_exit_0(trial):
    folder = trial.folder / "small"
    trial.small_disk(folder, 4096)
    trial.capture = folder / "x.vmfox"
    alone = expected("nothing", 0)
    settle(trial, alone, moved(trial, "nothing", folder, 0, output=trial.capture))


@fault("output-fills", GROUP, "the recording's folder (2 MB) is filled by the program")
def output_fills(trial):
    folder = trial.folder / "small"
    trial.small_disk(folder, 2 * MB)
    trial.capture = folder / "x.vmfox"
    settle(trial, expected("fill", 3),
           moved(trial, "fill", folder, 3, output=trial.capture))


@fault("both-full", GROUP, "both have 20 kB")
def both_full(trial):
    folder = trial.folder / "small"
    trial.small_disk(folder, 20 * 1024)
    trial.small_disk(trial.tmp, 20 * 1024)
    trial.capture = folder / "x.vmfox"
    alone = trial.alone("steady.py", "0.5")
    settle(trial, alone, trial.record("steady.py", "0.5"))


def folder_moves(name, how, said):
    @fault(name, GROUP, said)
    def run(trial):
        folder = trial.folder / "out"
        folder.mkdir()
        trial.capture = folder / "x.vmfox"
        running = moved(trial, how, folder, 3, output=trial.capture)
        result = trial.finish(running)
        alone = expected(how, 3)
        trial.same(alone, result)
        # The folder was held from the start: then it is in it, whatever it is called now.
        there = folder.with_name("out.moved") / "x.vmfox"
        if there.exists():
            trial.capture = there
        trial.kept(whole=True)
        trial.nothing_left()


folder_moves("output-removed", "remove", "the recording's folder is removed")
folder_moves("output-renamed", "rename", "the recording's folder is renamed")


@fault("output-read-only", GROUP, "the recording's disk becomes read-only")
def output_read_only(trial):
    folder = trial.folder / "small"
    trial.small_disk(folder, 4 * MB)
    trial.capture = folder / "x.vmfox"
    alone = trial.alone("steady.py", "0.5")
    running = trial.record("steady.py", "0.5")
    running.program()
    time.sleep(trial.dice.uniform(0, 0.8))
    # What vmfox holds open for writing there makes the system refuse that.
    done = subprocess.run(["mount", "-o", "remount,ro", str(folder)], capture_output=True)
    if done.returncode:
        trial.finish(running)
        raise places.Absent("a disk that can be made read-only")
    settle(trial, alone, running)


@fault("temp-removed", GROUP, "the temporary folder is removed with all that is in it")
def temp_removed(trial):
    folder = trial.tmp / "inside"
    folder.mkdir()
    alone = expected("remove", 3)
    running = trial.record("moves.py", "remove", str(folder), "3",
                           env={"TMPDIR": str(folder)}, moment=trial.dice.uniform(0.02, 0.5))
    result = trial.finish(running)
    trial.same(alone, result)
    trial.no_stall()
    trial.kept(whole=False)
    trial.check(RECORDING, not trial.own_lines or len(trial.own_lines) <= 2,
                "vmfox said: %s" % trial.said())
    trial.nothing_left()


@fault("current-removed", GROUP, "the current folder is removed; the recording was to be in it")
def current_removed(trial):
    above, trial.folder = trial.folder, trial.folder / "here"
    trial.folder.mkdir()
    code = moved(trial, "here", trial.folder, 4, output="x.vmfox").wait()
    trial.check(TIME, code is not None, "it hangs")
    # Its output files went with the folder: only what it ended with can be told.
    trial.check(PROGRAM, code == 4, "exit code %s, alone 4" % code)
    trial.folder = above
    found = [*above.parent.rglob("*.vmfox"), *trial.remains()]
    if not trial.check(RECORDING, bool(found), "not kept in the temporary folder or at home"):
        return
    if found[0].is_file():
        trial.opens(found[0])
        found[0].unlink()  # where it is was said in a file that went with the folder
    else:
        trial.recover(found[0])
    trial.nothing_left()
