"""What --real-time costs a program of many threads, on an idle machine and on a busy one."""
import contextlib
import json
import os
import subprocess
import sys
import zipfile

from . import figures
from .common import BENCH, CPYTHON
from .cost import take_turns

THREADS = 64
IDLE, BUSY = "idle", "busy"
ALONE, WITH = "alone", "`vmfox record --real-time`"
SPIN = "while True: pass"
ROUNDS = {"PyPy": "20000000", "CPython": "250000"}


@contextlib.contextmanager
def others(machine):
    """A process a CPU that works all the time, where the machine is to be busy."""
    count = len(os.sched_getaffinity(0)) if machine == BUSY else 0
    spinning = [subprocess.Popen([sys.executable, "-c", SPIN]) for _ in range(count)]
    try:
        yield
    finally:
        for process in spinning:
            process.kill()
            process.wait()


def seconds_of(words, machine):
    """CPU time of the threads' work, as the program itself tells it."""
    with others(machine):
        return float(subprocess.run(words, check=True, capture_output=True, text=True).stdout)


def recorded(words, out, machine):
    cpu = seconds_of(words, machine)
    with zipfile.ZipFile(out) as bundle:
        info = json.loads(bundle.read("capture.json"))
        samples = bundle.getinfo("stamps.i64").file_size // 8
    return {"cpu": cpu, "samples": samples, "note": info.get("timer_note", "")}


def measure_all(options):
    """[{"by", "machine", way: [result]}]."""
    out = os.path.join(options.scratch, "crowd.vmfox")
    record = [options.vmfox, "record", "-q", "--real-time", "-o", out, "--"]
    rows = []
    for by, python in (("PyPy", options.pypy), ("CPython", CPYTHON)):
        program = [python, os.path.join(BENCH, "crowd.py"), str(THREADS), ROUNDS[by]]
        for machine in (IDLE, BUSY) if os.path.exists(CPYTHON) or by == "PyPy" else ():
            rows.append({"by": by, "machine": machine, **take_turns({
                ALONE: lambda p=program, m=machine: seconds_of(p, m),
                WITH: lambda p=program, m=machine: recorded([*record, *p], out, m)},
                options.rounds, "%d threads by the wall clock, %s, %s machine" % (
                    THREADS, by, machine))})
    return rows


def report(out, rows):
    out += ["### Many threads by the wall clock", "",
            "%d threads that all work. The CPU time of their work alone and with `--real-time`, on an "
            "idle machine and beside one other busy process for each CPU." % THREADS, ""]
    table = []
    for row in rows:
        cpu = figures.column(row[WITH], "cpu")
        table.append([row["by"], row["machine"], figures.seconds(figures.median(row[ALONE])),
                      figures.seconds(figures.median(cpu)),
                      "%+.1f %% (%+.1f to %+.1f)" % figures.percent_interval(cpu, row[ALONE]),
                      "%.0f" % figures.median(figures.column(row[WITH], "samples")),
                      row[WITH][-1]["note"]])
    figures.table(out, ["", "machine", "alone", "with it", "more", "samples",
                        "what Profile Info says"], table)
