"""Signals to the whole group, as by keys and by service managers."""
import os
import signal
import time

from ..processes import send
from ..registry import fault
from .. import recording, trial as trials

GROUP = "Signals to vmfox and the program together"


def wait_for_work(trial, running, more):
    """Until the program works, and then for so long."""
    end = time.monotonic() + 20
    while recording.progress(trial.folder) is None and running.living() and time.monotonic() < end:
        time.sleep(0.005)
    time.sleep(more)


def to_group(name, how, number, said, code, out):
    """`code` and `out`: how the program ends when the signal comes once."""
    @fault(name, GROUP, said)
    def run(trial):
        running = trial.record("told.py", how)
        wait_for_work(trial, running, trial.dice.uniform(0.02, 0.5))
        send(-running.pid, number)
        alone = trials.Result(code, out, b"", 0)
        trial.same(alone, trial.finish(running))
        trial.no_stall()
        trial.opens(whole=True)
        trial.nothing_left()


to_group("group-int", "interrupt", signal.SIGINT, "SIGINT; the program catches KeyboardInterrupt",
         7, b"begins\ninterrupted\n")
to_group("group-int-handler", "handler", signal.SIGINT, "SIGINT; the program counts them: one",
         8, b"begins\nsignals [2]\n")
to_group("group-term", "default", signal.SIGTERM, "SIGTERM; the program has no handler",
         143, b"begins\n")
to_group("group-term-handler", "handler", signal.SIGTERM, "SIGTERM; the program counts them: one",
         8, b"begins\nsignals [15]\n")
to_group("group-quit", "default", signal.SIGQUIT, "SIGQUIT; the program has no handler",
         131, b"begins\n")
to_group("group-hup", "default", signal.SIGHUP, "SIGHUP; the program has no handler",
         129, b"begins\n")


def by_key(name, key, how, said, code, out):
    @fault(name, GROUP, said)
    def run(trial):
        ours, theirs = os.openpty()
        try:
            running = trial.record("told.py", how, stdin=os.ttyname(theirs))
            wait_for_work(trial, running, trial.dice.uniform(0.02, 0.5))
            os.write(ours, key)
            trial.same(trials.Result(code, out, b"", 0), trial.finish(running))
        finally:
            os.close(ours)
            os.close(theirs)
        trial.no_stall()
        trial.opens(whole=True)
        trial.nothing_left()


by_key("ctrl-c", b"\x03", "interrupt", "Ctrl-C in a terminal; the program catches KeyboardInterrupt",
       7, b"begins\ninterrupted\n")
by_key("ctrl-c-handler", b"\x03", "handler", "Ctrl-C; the program counts: one", 8,
       b"begins\nsignals [2]\n")
by_key("ctrl-backslash", b"\x1c", "default", "Ctrl-\\; the program has no handler", 131,
       b"begins\n")
