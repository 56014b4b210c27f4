"""A loop with two branches; in it one line divides and the others add.  The division is of floats:
PyPy calls a function for one of integers, and its time is not the trace's."""
import json
import time


def work(n):
    total = 0
    value = 1e300
    i = 1
    while i < n:
        if i & 7:
            value = value / 1.001 / 1.002 / 1.003 / 1.004 * 1.01  # the hot line
        else:
            total += 1
        i += 1
    return total + value


def main():
    end = time.process_time() + 2
    rounds = 0
    while time.process_time() < end:
        work(200000)
        rounds += 1
    return rounds


print(json.dumps({"rounds": main()}))
