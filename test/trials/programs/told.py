"""told.py HOW: a program that is sent signals while it works.

HOW is default (no handler), interrupt (KeyboardInterrupt is caught), handler (SIGTERM's and
SIGINT's handlers end the program and tell how many signals came)."""
import signal
import sys
import time

import work

came = []


def handle(number, _frame):
    came.append(number)


how = sys.argv[1]
if how == "handler":
    signal.signal(signal.SIGTERM, handle)
    signal.signal(signal.SIGINT, handle)
work.say("begins")
try:
    end = time.monotonic() + 20
    while not came and time.monotonic() < end:
        work.steps(0.01)
    work.steps(0.1)  # a second one would come now
except KeyboardInterrupt:
    if how != "interrupt":
        raise
    work.say("interrupted")
    sys.exit(7)
work.say("signals", came)
sys.exit(8)
