"""Works for a second; meanwhile a child stops it after 300 ms and lets it go on 300 ms later.
Prints CLOCK_MONOTONIC at both ends of its work, and of the longest time that it did not run."""
import json
import subprocess
from time import monotonic_ns

child = subprocess.Popen(["sh", "-c", "sleep 0.3; kill -STOP $PPID; sleep 0.3; kill -CONT $PPID"])


def work():
    longest = 0, 0
    begin = now = monotonic_ns()
    while now < begin + 1000 * 1000 * 1000:
        before, now = now, monotonic_ns()
        if now - before > longest[1] - longest[0]:
            longest = before, now
    return {"longest": longest, "work": [begin, now]}


told = work()
child.wait()
print(json.dumps(told))
