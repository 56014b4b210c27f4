"""Allocates, sleeps and calculates in turn, each for 50 ms.  Prints CLOCK_MONOTONIC at the edges.

Each phase has four stamps: [before its call, its first, its last, behind its call].  Where the
program itself is kept waiting at an edge, they show it.  "laps" has a stamp for each LAP_BYTES or
more that the allocating phase has taken."""
import gc
import json
from time import monotonic_ns, sleep

PHASE_NS = 50 * 1000 * 1000
LAP_BYTES = 1 << 20
WARM_UP, ROUNDS = 2, 4
TURNS = 300  # of a phase that warms up, however slow it is: then all of it is compiled


def allocate(turns):
    first = now = monotonic_ns()
    laps, kept = [], [None] * 64
    while now < first + PHASE_NS or len(laps) < turns:
        for i in range(LAP_BYTES // 1024):
            kept[i & 63] = [i] * 128
        now = monotonic_ns()
        laps.append(now)
    gc.collect_step()  # the nursery is empty: a later phase need not collect
    return [first, monotonic_ns()], laps


def rest(turns):
    first = monotonic_ns()
    sleep(PHASE_NS / 1e9)
    return [first, monotonic_ns()], []


def calculate(turns):
    first = now = monotonic_ns()
    total = 0
    while now < first + PHASE_NS or turns > 0:
        for i in range(50000):
            total = (total * 31 + i) & 0xffff
        now = monotonic_ns()
        turns -= 1
    return [first, monotonic_ns()], []


def measure(phase, turns):
    before = monotonic_ns()
    inside, laps = phase(turns)
    return {"name": phase.__name__, "stamps": [before] + inside + [monotonic_ns()], "laps": laps}


def main():
    """Without stores to global names: they throw away what the JIT has compiled."""
    told = []
    for turn in range(WARM_UP + ROUNDS):
        for phase in (allocate, rest, calculate):
            measured = measure(phase, TURNS if turn < WARM_UP else 0)
            if turn >= WARM_UP:
                told.append(measured)
    return told


print(json.dumps({"lap_bytes": LAP_BYTES, "phases": main()}))
