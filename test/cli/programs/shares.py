"""Three functions with known parts of the CPU time, and three pauses.  Prints what it measured.
They run for a second, or as many times that as is asked for."""
import json
import sys
import time

SIZE = 300
TIMES = float(sys.argv[1]) if len(sys.argv) > 1 else 1
spent, pauses = {}, []


def steady(seconds):  # line: steady
    end = time.process_time() + seconds
    total = 0
    while time.process_time() < end:  # line: steady-first
        for i in range(SIZE):
            total += i * i % 7
    return total  # line: steady-last


def middle(seconds):
    end = time.process_time() + seconds
    total = 0
    while time.process_time() < end:
        for i in range(SIZE):
            total += i * i % 11
    return total


def little(seconds):
    end = time.process_time() + seconds
    total = 0
    while time.process_time() < end:
        for i in range(SIZE):
            total += i * i % 13
    return total


def measure(function, seconds):
    before = time.process_time()
    function(seconds * TIMES)  # line: call
    spent[function.__name__] = spent.get(function.__name__, 0) + time.process_time() - before


def pause(seconds):
    wall, before = time.time(), time.monotonic()
    time.sleep(seconds)
    pauses.append([wall, time.monotonic() - before])


def main():
    measure(steady, 0.2)
    pause(0.5)
    measure(steady, 0.3)
    pause(0.3)
    measure(middle, 0.3)
    pause(0.4)
    measure(little, 0.2)


begin = time.process_time()
main()  # line: main
print(json.dumps({"spent": spent, "whole": time.process_time() - begin, "pauses": pauses}))
