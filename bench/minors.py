"""A program that makes PyPy collect its nursery again and again, with next to nothing that survives.

    minors.py [TIMES]
"""
import sys
import time

KEPT = [None] * 16


def fill(times):
    for i in range(times):
        KEPT[i & 15] = [i]


def main(times):
    fill(100000)  # for the JIT
    begun = time.process_time()
    fill(times)
    print("%.6f" % (time.process_time() - begun))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 300000000)
