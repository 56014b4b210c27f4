"""signalled.py HOW: uses signals and timers itself, and prints what came of it."""
import ctypes
import faulthandler
import os
import signal
import sys
import threading
import time

import work


def library():
    return ctypes.CDLL(os.environ["TRIAL_LIBRARY"])


def blocked():
    """A thread that blocks SIGPROF and SIGALRM, one that does not."""
    def one(block):
        if block:
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGPROF, signal.SIGALRM})
        end = time.thread_time() + 0.3
        while time.thread_time() < end:
            work.churn(2000)
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, set())
        results.append((block, sorted(int(number) for number in mask)))

    run_all([threading.Thread(target=one, args=(block,)) for block in (True, False)])


def all_blocked():
    """What servers with a signal thread do: all signals blocked in all threads."""
    signal.pthread_sigmask(signal.SIG_BLOCK, set(signal.Signals))
    work.steps(0.3)
    # 16, by which samples are taken, waits then as well: docs/recording.md says so.
    results.append(sorted({int(number) for number in signal.sigpending()} - {16}))


def by_sigwait():
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})

    def waits():
        for _ in range(5):
            results.append(int(signal.sigwait({signal.SIGUSR1})))

    waiter = threading.Thread(target=waits)
    waiter.start()
    for number in range(5):
        while len(results) < number:
            time.sleep(0.001)
        work.steps(0.04)
        os.kill(os.getpid(), signal.SIGUSR1)
    waiter.join()


def by_sigtimedwait():
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    burner = threading.Thread(target=work.churn, args=(3000000,))
    burner.start()
    results.append(signal.sigtimedwait({signal.SIGUSR1}, 0.3))
    burner.join()


def by_signalfd():
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})
    number = library().open_signalfd(int(signal.SIGUSR2))
    for _ in range(5):
        work.steps(0.04)
        os.kill(os.getpid(), signal.SIGUSR2)
        results.append(os.read(number, 128)[0])
    os.close(number)


def interrupted():
    """C code that waits while another thread works: how often it was interrupted."""
    burner = threading.Thread(target=work.churn, args=(6000000,))
    burner.start()
    for what in (b"sleep", b"poll", b"read", b"sem"):
        results.append((what, library().interrupted(what, 100)))
    burner.join()


def own_timer():
    """ITIMER_PROF and its signal, which vmfox's timer would use too."""
    came = []
    signal.signal(signal.SIGPROF, lambda *_: came.append(1))
    signal.setitimer(signal.ITIMER_PROF, 0.01, 0.01)
    work.steps(0.4)
    signal.setitimer(signal.ITIMER_PROF, 0)
    work.steps(0.05)
    results.append(5 <= len(came) <= 60)


def own_alarm():
    came = []
    signal.signal(signal.SIGALRM, lambda *_: came.append(1))
    signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
    work.steps(0.4)
    left = signal.setitimer(signal.ITIMER_REAL, 0)
    results.append((len(came) >= 5, left[1]))


def first_look():
    """What is there before the program did anything."""
    for number in (signal.SIGPROF, signal.SIGALRM, signal.SIGSEGV, signal.SIGPIPE, signal.SIGINT):
        results.append(str(signal.getsignal(number)).split(" at ")[0])
    for timer in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL):
        results.append(signal.getitimer(timer))


def set_and_restored():
    """A handler of its own for SIGPROF, then the one that was there."""
    came = []
    old = signal.signal(signal.SIGPROF, lambda *_: came.append(1))
    os.kill(os.getpid(), signal.SIGPROF)
    end = time.monotonic() + 5
    while not came and time.monotonic() < end:
        work.churn(100)
    signal.signal(signal.SIGPROF, signal.SIG_IGN)
    work.steps(0.05)
    results.append((bool(came), str(old)))


def errno_kept():
    results.append(library().errno_changes(400))


def own_stack():
    """A handler of SIGSEGV on a stack of its own, in C, set and still there later."""
    here = library()
    here.handle_on_stack()
    work.steps(0.3)
    results.append(here.still_handled())
    results.append(here.crash_and_come_back())


def with_faulthandler():
    faulthandler.enable()
    work.steps(work.moment())
    results.append(faulthandler.is_enabled())
    work.say(results)
    ctypes.string_at(16)


def run_all(threads):
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


WAYS = {"blocked": blocked, "all-blocked": all_blocked, "sigwait": by_sigwait,
        "sigtimedwait": by_sigtimedwait, "signalfd": by_signalfd, "eintr": interrupted,
        "setitimer": own_timer, "alarm": own_alarm, "first-look": first_look,
        "signal": set_and_restored, "errno": errno_kept, "altstack": own_stack,
        "faulthandler": with_faulthandler}
results = []

if __name__ == "__main__":
    if sys.argv[1] != "first-look":
        work.steps(0.05)
    WAYS[sys.argv[1]]()
    work.say(sorted(results, key=repr))
    sys.exit(3)
