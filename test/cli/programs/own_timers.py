"""The interval timers and handlers of the program, while it is sampled."""
import os
import signal
import time

got = {signal.SIGPROF: 0, signal.SIGALRM: 0, signal.SIGVTALRM: 0, signal.SIGSEGV: 0}


def note(number, frame):
    got[number] += 1


def burn(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        sum(range(500))


before = [signal.signal(number, note) for number in got]
print("before", [str(handler).split(".")[-1] for handler in before])
timers = (signal.ITIMER_PROF, signal.ITIMER_REAL, signal.ITIMER_VIRTUAL)
print([signal.setitimer(timer, 0.01, 0.01) for timer in timers])
burn(0.6)
print([signal.getitimer(timer)[1] for timer in timers])
for timer in timers:
    signal.setitimer(timer, 0)
burn(0.05)
os.kill(os.getpid(), signal.SIGSEGV)
burn(0.05)
print("got", {int(number): count > 5 for number, count in got.items()}, got[signal.SIGSEGV])
