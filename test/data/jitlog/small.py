"""The program of small.jitlog: a loop with a bridge, a generator whose first trace is given up."""
import os
import sys
import _jitlog


def count(n):
    total = 0
    for i in range(n):
        if i & 3 == 3:
            total += i
    return total


def halves(n):
    while n:
        yield n
        n >>= 1


def main():
    count(3000)
    for i in range(330):
        tuple(halves(3))


_jitlog.enable(os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644))
main()
_jitlog.disable()
