"""Two functions, busy for as long as each other: one allocates, one does not.  Prints the CPU
time and the time that each took, and the CPU time of the process."""
import json
import os
import time

SECONDS = 0.6
spent, passed = {}, {}


def maker(end):
    kept = [None] * 5000
    while time.process_time() < end:
        for i in range(20000):
            kept[i % 5000] = str(i)
    return kept


def thinker(end):
    total = 0
    while time.process_time() < end:
        for i in range(100000):
            total = (total * 31 + i) & 0xffff
    return total


def measure(function):
    name, cpu, wall = function.__name__, time.process_time(), time.monotonic()
    function(cpu + SECONDS / 6)
    spent[name] = spent.get(name, 0) + time.process_time() - cpu
    passed[name] = passed.get(name, 0) + time.monotonic() - wall


def main():
    for _ in range(6):
        measure(maker)
        measure(thinker)


main()
used = os.times()
print(json.dumps({"spent": spent, "passed": passed, "cpu": used.user + used.system}))
