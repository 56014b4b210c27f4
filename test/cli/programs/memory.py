"""Takes 64 MB, works, gives them back, works.  Prints what the kernel said of its memory."""
import json
import resource
import time


def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def spin(seconds):
    end = time.process_time() + seconds
    total = 0
    while time.process_time() < end:
        for i in range(300):
            total += i * i % 7
    return total


spin(0.1)
before = resident()
block = b"x" * (64 << 20)
filled = resident()
spin(0.1)
del block
after = resident()
spin(0.1)
print(json.dumps({"before": before, "filled": filled, "after": after}))
