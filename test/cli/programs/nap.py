"""Sleeps for as long as it works.  Prints how long each took on the wall clock."""
import json
import time


def nap():
    before = time.monotonic()
    end = before + 0.4
    while time.monotonic() < end:
        time.sleep(0.05)
    return time.monotonic() - before


def toil():
    before = time.monotonic()
    end = before + 0.4
    total = 0
    while time.monotonic() < end:
        for i in range(300):
            total += i * i % 7
    return time.monotonic() - before


print(json.dumps({"nap": nap(), "toil": toil()}))
