"""Recursions of a known depth, each of which ends in spin(): loops at their first bytecode, behind
it, and several ways into the same compiled code. Where PyPy begins a bridge within an inlined function
VMProf may show it too deep (docs/jit.md); at this depth it begins none there."""
import json
import time

DEPTH = 7


def spin(k):
    i = total = 0
    while i < k:
        total += i % 7
        i += 1
    return total


def behind_a_for(n):
    total = 0
    for i in range(4):
        total += i
    if n == 0:
        return spin(2000) + total
    return behind_a_for(n - 1) + total


def behind_a_while(n):
    i = 0
    while i < 3:
        i += 1
    if n == 0:
        return spin(3000)
    return behind_a_while(n - 1) + i


def loop_at_the_start(n):
    while n > 100:
        n -= 1
    if n == 0:
        return spin(3000)
    return loop_at_the_start(n - 1) + 1


def main():
    end = time.process_time() + 2.5
    while time.process_time() < end:
        for function in (behind_a_for, behind_a_while, loop_at_the_start):
            for _ in range(50):
                function(DEPTH)


main()
print(json.dumps({"depth": DEPTH}))
