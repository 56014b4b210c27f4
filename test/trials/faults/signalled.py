"""Programs that use signals and timers themselves."""
from .. import places
from ..registry import fault
from ..trial import RECORDING
from .watchers import not_in_pypy

GROUP = "The program's own signals"


def own(name, how, said, options=(), sampled=True, able=None):
    @fault(name, GROUP, said)
    def run(trial):
        if able:
            able(trial)
        env = {"TRIAL_LIBRARY": places.built("signals.c", "-pthread", shared=True)}
        alone = trial.alone("signalled.py", how, env=env)
        result = trial.finish(trial.record("signalled.py", how, options=options, env=env,
                                           moment=trial.dice.uniform(0.05, 0.5)))
        trial.same(alone, result)
        trial.no_stall()
        if sampled:
            trial.opens(whole=True, functions=("churn", "steps", "new_code", "one", "errno_kept"))
        elif trial.check(RECORDING, trial.capture.exists(), "there is no recording"):
            opened, said_ = trial.convert(trial.capture)
            trial.check(RECORDING, opened is not None, "it does not open: %s" % said_)
        trial.nothing_left()


own("sig-blocked", "blocked", "a thread blocks SIGPROF and SIGALRM", sampled=False)
own("sig-all-blocked", "all-blocked", "all signals are blocked in all threads", sampled=False)
own("sigwait", "sigwait", "`signal.sigwait` in a thread")
own("sigtimedwait", "sigtimedwait", "`signal.sigtimedwait` while another thread works",
    sampled=False)
own("signalfd", "signalfd", "signalfd(2), by ctypes")
own("eintr", "eintr", "C code that waits while another thread works: calls that are interrupted",
    sampled=False)
own("setitimer", "setitimer", "`signal.setitimer(ITIMER_PROF)` with a handler of its own",
    sampled=False)
own("alarm", "alarm", "`signal.setitimer(ITIMER_REAL)` with a handler of its own")
own("first-look", "first-look", "handlers and timers that are there at first", sampled=False)
own("signal", "signal", "`signal.signal(SIGPROF)`, and what it gives back", sampled=False)
own("errno", "errno", "errno in C code that is interrupted", sampled=False)
own("errno-real-time", "errno", "the same, `--real-time`", ("--real-time",), sampled=False)
own("altstack", "altstack", "a handler of SIGSEGV with SA_ONSTACK, in C", sampled=False)
own("faulthandler", "faulthandler", "`faulthandler.enable()`, then a SIGSEGV", sampled=False,
    able=not_in_pypy)
