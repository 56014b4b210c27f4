"""Closes every descriptor, opens files of its own in their places, and writes each many
times, with a stack that is now deep, now shallow, while samples are taken. Prints "intact"."""
import os
import sys
import time


def busy(seconds, depth):
    if depth:
        return sorted([0], key=lambda _: busy(seconds, depth - 1))
    end = time.process_time() + seconds
    while time.process_time() < end:
        sum(range(200))


busy(0.1, 0)
for fd in {int(name) for name in os.listdir("/proc/self/fd")} | set(range(64)):
    if fd > 2:
        try:
            os.close(fd)
        except OSError:
            pass
names = [os.path.join(sys.argv[1], "%d.dat" % i) for i in range(12)]
files = [os.open(name, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600) for name in names]
errors = 0
for turn in range(150):
    for fd in files:
        try:
            os.write(fd, b"12345678\n")
        except OSError:
            errors += 1
    busy(0.004, turn * 7 % 100)
good = all(open(name, "rb").read() == b"12345678\n" * 150 for name in names)
print("intact" if good and not errors else "damaged", errors, [os.path.getsize(n) for n in names])
