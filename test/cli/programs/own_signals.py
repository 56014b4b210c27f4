"""Handlers for all signals that there are, and waits for all of them; what is seen of it."""
import os
import signal
import sys
import time

STACK_FAULT = 16  # nobody sends it: vmfox takes its samples at it
got = []


def note(number, frame):
    got.append(number)


def burn(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        sum(range(500))


def in_child(part):
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        part()
        sys.stdout.flush()
        os._exit(0)
    print("child", os.waitpid(pid, 0)[1])


def send_to_itself():
    os.kill(os.getpid(), STACK_FAULT)
    time.sleep(0.01)
    print("child got", got)


for number in signal.valid_signals():
    try:
        signal.signal(number, note)
    except (OSError, ValueError):
        pass
burn(0.4)
print("got", got, signal.getsignal(STACK_FAULT) is note)
os.kill(os.getpid(), STACK_FAULT)
time.sleep(0.01)
print("sent", got)
in_child(send_to_itself)
signal.signal(signal.SIGCHLD, signal.SIG_DFL)
signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
burn(0.2)
os.kill(os.getpid(), signal.SIGUSR1)
print("waited", signal.sigwait(signal.valid_signals()))
if hasattr(signal, "sigtimedwait"):
    print("waited", signal.sigtimedwait(signal.valid_signals(), 0.05))
signal.pthread_sigmask(signal.SIG_UNBLOCK, signal.valid_signals())
signal.signal(STACK_FAULT, signal.SIG_IGN)
in_child(send_to_itself)
os.kill(os.getpid(), STACK_FAULT)
signal.signal(STACK_FAULT, signal.SIG_DFL)
in_child(send_to_itself)
burn(0.1)
if "exec" in sys.argv:  # the next program inherits nothing of vmfox's
    os.execv(sys.executable, [sys.executable, "-c", "import signal; print(signal.getsignal(16))"])
sys.stdout.flush()
os.kill(os.getpid(), STACK_FAULT)
time.sleep(5)
