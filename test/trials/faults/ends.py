"""Ends of the program."""
import signal
import time

from .. import recording
from ..processes import send
from ..registry import fault
from ..trial import RECORDING

GROUP = "Ends of the program"
# What the recorder wrote of its own accord until then, and what it could save.
SECONDS = 0.5


def by_itself(name, way, said):
    @fault(name, GROUP, said)
    def run(trial):
        alone = trial.alone("ends.py", way)
        running = trial.record("ends.py", way, moment=trial.dice.uniform(0.05, SECONDS))
        trial.same(alone, trial.finish(running))
        trial.no_stall()
        trial.opens(whole=True)
        trial.nothing_left()
    return run


by_itself("segv", "segv", "it reads address 16: SIGSEGV")
by_itself("exit-at-once", "_exit", "`os._exit(7)`")
by_itself("abort", "abort", "`os.abort()`")
by_itself("kill-itself", "kill", "`os.kill(os.getpid(), SIGKILL)`")
by_itself("exit-in-thread", "thread", "`sys.exit(5)` in a thread; the program goes on")
by_itself("exit-at-once-in-thread", "thread-_exit", "`os._exit(6)` in a thread")
by_itself("daemon-threads", "daemons", "`sys.exit(8)` beside four threads that work on")
by_itself("exception", "raises", "an exception that nobody catches")
by_itself("execv", "execv", "`os.execv` of another program")


@fault("sigkill", GROUP, "SIGKILL, at any moment")
def sigkill(trial):
    alone = trial.alone("steady.py", str(SECONDS))
    running = trial.record("steady.py", str(SECONDS))
    program = running.program()
    wait_until(running.begun + trial.dice.uniform(0.1, 0.9) * alone.seconds)
    killed = program is not None and send(program, signal.SIGKILL)
    result = trial.finish(running)
    if killed and result is not None and result.code == 137:
        trial.same_so_far(alone, result, 137)
    else:  # it was at its end already
        trial.same(alone, result)
    trial.no_stall()
    if trial.capture.exists() or recording.progress(trial.folder):
        trial.opens(whole=True)
    else:  # before its first step
        said_why(trial)
    trial.nothing_left()


@fault("killed-early", GROUP, "SIGKILL in its first 60 ms; vmfox says just that")
def killed_early(trial):
    alone = trial.alone("steady.py", str(SECONDS))
    running = trial.record("steady.py", str(SECONDS))
    program = running.program()
    time.sleep(trial.dice.uniform(0, 0.06))
    if program is not None:
        send(program, signal.SIGKILL)
    result = trial.finish(running)
    trial.same_so_far(alone, result, 137)
    if not trial.capture.exists():
        said_why(trial)
    trial.nothing_left()


def said_why(trial):
    """Without a recording there is one line, and it tells of the signal."""
    said = trial.said()
    held = "kill" in said.lower() or "signal" in said.lower()
    trial.check(RECORDING, held and "is it a Python" not in said and len(trial.own_lines) == 1,
                "no recording, and vmfox says: %s" % (said or "nothing"))


def wait_until(moment):
    time.sleep(max(0.0, moment - time.monotonic()))
