"""Places, names and words that all parts share."""
import os
import sys

BENCH = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ROOT = os.path.dirname(BENCH)
WORDCOUNT = os.path.join(ROOT, "examples", "wordcount", "simple.py")
TEXT = os.path.join(ROOT, "build", "demo", "kjv10.txt")
KJV = os.path.join(ROOT, "build", "demo", "kjv.txt")  # a tenth of it
# Made by scripts/setup bench.
TOOLS = os.path.join(ROOT, "build", "bench", "tools")
CPYTHON = os.path.join(TOOLS, "bin", "python")
CONVERTER = os.path.join(ROOT, "build", "bench", "converter", "bin", "python")
PERIOD = "0.00099"
MB = 1000 * 1000
# What vmfox record asks PyPy's log for (src/record/child.c).
PYPYLOG_SECTIONS = "gc,jit-summary,jit-tracing,jit-optimize,jit-mem,jit-backend-addr,jit-invalidate"


def die(text):
    sys.exit("bench/run: " + text)


def say(text):
    """Progress, apart from the goals on the standard output."""
    print(text, file=sys.stderr, flush=True)


def remove(*paths):
    for path in paths:
        if os.path.exists(path):
            os.unlink(path)
