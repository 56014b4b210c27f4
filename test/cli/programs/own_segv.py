"""own_segv.py: a child sends it SIGSEGV again and again while it works; each is there."""
import os
import signal
import time

ROUNDS = 300
came = 0


def note(number, frame):
    global came
    came += 1


signal.signal(signal.SIGSEGV, note)
read, write = os.pipe()
pid = os.fork()
if pid == 0:
    for i in range(ROUNDS):
        os.kill(os.getppid(), signal.SIGSEGV)
        if os.read(read, 1) != b"g":
            os._exit(1)
    os._exit(0)
end = time.monotonic() + 60
for i in range(ROUNDS):
    for j in range(20000):
        j * j
    while came <= i and time.monotonic() < end:
        pass
    os.write(write, b"g" if came == i + 1 else b"x")
print(came, os.waitpid(pid, 0)[1])
