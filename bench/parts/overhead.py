"""What recording costs by several profilers, in one run."""
import itertools
import json
import os
import subprocess
import zipfile

from . import figures
from .common import BENCH, CPYTHON, KJV, PERIOD, TEXT, TOOLS, WORDCOUNT, say
from .cost import measure, take_turns
from .goals import judge
from .record import FIRST_THRESHOLD, OTHER_WAY, THRESHOLD_STEP

ALONE = "alone"
VMPROF = "`_vmprof` alone"
VMFOX = "`vmfox record`"
FULL = "`--jitlog=full`"
FAST = "`--period 0.001`"
PY_SPY = "py-spy, 250/s"
PY_SPY_NATIVE = "py-spy, 250/s, native"
AUSTIN = "austin, 4 ms"
HI = 'print("hi")'
PYPY, C = "PyPy", "CPython"
PERCENT = {("word count", PYPY): 2, ("word count", C): 2, ("compiles", PYPY): 5}
LEAST_SAMPLES = 245  # a CPU second: 250, less what the last tick leaves
OWN_PERCENT = 2
HI_MS = 30


# ---- the ways to run a program -------------------------------------------------------------------


def stored_samples(path):
    with zipfile.ZipFile(path) as bundle:
        sizes = {info.filename: info.file_size for info in bundle.infolist()}
    return sizes.get("stamps.i64", 0) // 8  # an empty member is left out


def said_costs(path):
    """What the recording itself says: the CPU time of the program's process, by the kernel's clock of
    it, and microseconds of a sample in the signal handler; None: it does not."""
    with zipfile.ZipFile(path) as bundle:
        info = json.loads(bundle.read("capture.json"))
    cost = info.get("cost", {})
    signals = cost.get("samples", 0) + info.get("samples_skipped", 0)
    cpu = cost.get("program_cpu_ns", 0) / 1e9
    return cpu or None, cost.get("handler_ns", 0) / 1e3 / signals if signals else None


def said_samples(options):
    """Counts what is in a VMProf file as vmfox reads it."""
    def count(path):
        out = path + ".json"
        subprocess.run([options.vmfox, "convert", "-q", "-o", out, path], check=True,
                       stderr=subprocess.DEVNULL)
        with open(out, encoding="utf-8", errors="surrogatepass") as file:
            threads = json.load(file)["threads"]
        os.unlink(out)
        return sum(thread["samples"]["length"] for thread in threads if thread["tid"] != "runtime")
    return count


def raw_samples(path):
    """py-spy's raw format: stack, blank, number."""
    with open(path, encoding="utf-8", errors="replace") as file:
        return sum(int(line.rsplit(" ", 1)[1]) for line in file if line.strip())


def line_samples(path):
    """austin's own: a line each, but for comments."""
    with open(path, encoding="utf-8", errors="replace") as file:
        return sum(1 for line in file if line.strip() and not line.startswith("#"))


class Way:
    """Words before the interpreter and behind it, and how samples in the file written are counted.
    `apart`: the process that is started is the profiler, not the program. `tries`: what looks from
    outside at times does not find the program in its first moments."""

    def __init__(self, before=(), behind=(), count=None, apart=True, tries=1):
        self.before, self.behind, self.count, self.apart = list(before), list(behind), count, apart
        self.tries = tries


def ways(options, interpreter, out):
    """Those that are there, by name."""
    def vmfox(*words):
        return Way([options.vmfox, "record", "-q", *words, "-o", out, "--"], count=stored_samples)

    alone = [os.path.join(BENCH, "vmprof_alone.py"), out, PERIOD, "1", "-"]
    found = {ALONE: Way(apart=False),
             VMPROF: Way(behind=alone, count=said_samples(options), apart=False),
             VMFOX: vmfox(), FAST: vmfox("--period", "0.001")}
    if interpreter == PYPY and "--jitlog=" in help_text(options):
        found[FULL] = vmfox("--jitlog=full")
    if interpreter == C:
        found.update(others(out))
    return found


def help_text(options):
    return subprocess.run([options.vmfox, "help", "record"], capture_output=True, text=True,
                          check=True).stdout


def others(out):
    """The two that look at CPython from outside, where scripts/setup bench could install them."""
    found = {}
    py_spy, austin = (os.path.join(TOOLS, "bin", name) for name in ("py-spy", "austin"))
    spy = [py_spy, "record", "--rate", "250", "--format", "raw", "-o", out]
    for name, argv, way in (
            (PY_SPY, [py_spy, "--version"], Way([*spy, "--"], count=raw_samples, tries=5)),
            (PY_SPY_NATIVE, [py_spy, "--version"], Way([*spy, "--native", "--"],
                                                       count=raw_samples, tries=5)),
            (AUSTIN, [austin, "--version"], Way([austin, "-i", "4ms", "-o", out],
                                                count=line_samples, tries=5))):
        try:
            subprocess.run(argv, capture_output=True, check=True)
        except (OSError, subprocess.CalledProcessError):
            say("%s is left out: %s does not run; scripts/setup bench installs it" % (
                name, os.path.relpath(argv[0])))
        else:
            found[name] = way
    return found


# ---- measuring -----------------------------------------------------------------------------------


def measure_patiently(words, tries):
    """None where it went wrong each time."""
    if tries == 1:
        return measure(words)
    for _ in range(tries):
        try:
            return measure(words)
        except SystemExit as failed:
            say("once more: %s" % failed)
    return None


def run(way, python, argv, out, counted=True):
    cost = measure_patiently([*way.before, *python, *way.behind, *argv], way.tries)
    if cost is None:
        return None
    cpu = cost["cpu"] - (cost["own_cpu"] if way.apart else 0.0)
    samples = took = None
    if counted and way.count:
        samples = way.count(out) if os.path.exists(out) else 0
    if way.count == stored_samples and os.path.exists(out):
        said, took = said_costs(out)
        cpu = said or cpu
    if os.path.exists(out):
        os.unlink(out)
    return {"wall": cost["wall"], "cpu": cpu, "own": cost["cpu"] - cpu if way.apart else 0.0,
            "samples": samples, "handler": took}


def compare(options, interpreter, argv, rounds, about, counted):
    out = os.path.join(options.scratch, "overhead.out")

    def job(way):
        numbers = itertools.count()

        def once():
            number = next(numbers)
            if interpreter == PYPY:  # see record.py: the JIT's luck is the same for all ways
                python = [options.pypy, "--jit",
                          "threshold=%d" % (FIRST_THRESHOLD + THRESHOLD_STEP * number)]
            else:
                python = [CPYTHON]
            return run(way, python, argv, out, counted)
        return once

    found = ways(options, interpreter, out)
    runs = take_turns({name: job(way) for name, way in found.items()}, rounds, about)
    return {name: of_way for name, of_way in runs.items() if is_whole(name, of_way, about)}


def is_whole(name, runs, about):
    if None in runs:
        say("%s is left out of %s: it did not find the program in %d of %d rounds" % (
            name, about, runs.count(None), len(runs)))
    return None not in runs


def programs(options):
    hi = os.path.join(options.scratch, "hi.py")
    with open(hi, "w", encoding="utf-8") as file:
        file.write(HI + "\n")
    return [("word count", PYPY, [WORDCOUNT, TEXT]),
            ("compiles", PYPY, [os.path.join(BENCH, "compiles.py")]),
            ("calls", PYPY, [os.path.join(BENCH, "calls.py"), "8000"]),
            (HI, PYPY, [hi]),
            ("word count", C, [WORDCOUNT, *[KJV] * 4]),
            ("calls", C, [os.path.join(BENCH, "calls.py"), "100"]),
            (HI, C, [hi])]


def measure_all(options):
    """[{"program", "by", "start": seconds, "runs": way -> [run]}]."""
    rows = []
    if not os.path.exists(CPYTHON):
        say("CPython is left out: %s is not there; scripts/setup bench makes it" %
            os.path.relpath(CPYTHON))
    for name, interpreter, argv in programs(options):
        if interpreter == C and not os.path.exists(CPYTHON):
            continue
        rounds = options.rounds * (4 if name == HI else 2)
        rows.append({"program": name, "by": interpreter, "runs": compare(
            options, interpreter, argv, rounds, "%s, %s" % (name, interpreter),
            counted=name != HI)})
    for row in rows:
        row["start"] = start_cpu(rows, row["by"])
    return rows


def start_cpu(rows, interpreter):
    """What the interpreter's own start takes, of which no profiler that runs in it has samples."""
    return figures.median(next(of(row, ALONE, "cpu") for row in rows
                               if (row["program"], row["by"]) == (HI, interpreter)))


# ---- goals and report ----------------------------------------------------------------------------


def of(row, way, key):
    return figures.column(row["runs"][way], key)


def more(row, way):
    """How much more CPU time the program took than alone, in percent: (median, from, to)."""
    return figures.percent_interval(of(row, way, "cpu"), of(row, ALONE, "cpu"))


def rate(row, way):
    """Samples a second of the program's CPU time, the interpreter's start left out."""
    return figures.median([a / (b - row["start"]) for a, b in zip(of(row, way, "samples"),
                                                                  of(row, way, "cpu"))])


def own_share(row, way):
    """The profiler's own CPU time in percent of one core."""
    return figures.median([100 * a / b for a, b in zip(of(row, way, "own"), of(row, way, "wall"))])


def interval(found):
    return "%+.1f %% (%+.1f to %+.1f)" % found


def later_ms(row, way):
    return figures.median([1000 * (a - b) for a, b in zip(of(row, way, "wall"),
                                                          of(row, ALONE, "wall"))])


def goal_of_program(row):
    limit = PERCENT.get((row["program"], row["by"]))
    if limit is None:
        return []
    found, samples = more(row, VMFOX), rate(row, VMFOX)
    words = ["%s with %.0f samples a CPU second" % (interval(found), samples)]
    for way in (FAST, FULL, VMPROF):
        if way in row["runs"]:
            words.append("%s %s with %.0f" % (way, interval(more(row, way)), rate(row, way)))
    held = found[0] <= limit and samples >= LEAST_SAMPLES
    if found[0] < OTHER_WAY:
        held = None
        words.insert(0, "PyPy compiles it another way")
    return [judge("%s (%s): at most %d %% more CPU time in the program, with 250 samples a CPU "
                  "second and native frames" % (row["program"], row["by"], limit), held,
                  "; ".join(words))]


def goals(rows):
    out = []
    for row in rows:
        out += goal_of_program(row)
    judged = [row for row in rows if (row["program"], row["by"]) in PERCENT]
    if judged:
        shares = [own_share(row, VMFOX) for row in judged]
        out.append(judge("vmfox's own CPU under %d %% of a core" % OWN_PERCENT,
                         max(shares) < OWN_PERCENT, ", ".join(
                             "%s (%s) %.1f %%" % (row["program"], row["by"], share)
                             for row, share in zip(judged, shares))))
    for row in rows:
        if row["program"] == HI:
            later = later_ms(row, VMFOX)
            out.append(judge("`vmfox record` of `%s` (%s) returns within %d ms of it alone" % (
                HI, row["by"], HI_MS), later <= HI_MS, "%.0f ms later than %.0f ms" % (
                    later, 1000 * figures.median(of(row, ALONE, "wall")))))
    return out


def report_row(row, way):
    alone = way == ALONE
    cells = [way, figures.seconds(figures.median(of(row, way, "wall"))),
             figures.seconds(figures.median(of(row, way, "cpu")))]
    if row["program"] == HI:
        return [*cells, "" if alone else "%+.0f ms" % later_ms(row, way)]
    cells.append("" if alone else interval(more(row, way)))
    cells.append("" if alone else "%.0f" % rate(row, way))
    took = [us for us in of(row, way, "handler") if us is not None]
    cells.append("%.1f us" % figures.median(took) if took else "")
    apart = max(of(row, way, "own")) > 0
    return [*cells, "%.1f %%" % own_share(row, way) if apart else ""]


def report(out, rows):
    out += ["### Beside others", "",
            "Each program in each way in turn, so that each round has all of them; medians. "
            "`more than alone` is the program's CPU time, user and system, over that of the same "
            "round alone: the median of the ratios, and in brackets where it lies with 95 % "
            "(bootstrap over the rounds). Of vmfox it is the kernel's clock of the program's process, "
            "else the time of all processes less the profiler's own. `own CPU` is all the rest, what "
            "the profiler starts (vmfox: a process that looks symbols up, and PyPy once more for the "
            "bytecode) included, in percent of one core. Samples are of the CPU time less what "
            "`print(\"hi\")` alone takes. py-spy and austin look at CPython from "
            "outside, 250 times a second of the clock; austin has no native frames. `handler` is what "
            "Profile Info says: the mean of the signals that were timed.", ""]
    for row in rows:
        rounds = len(row["runs"][ALONE])
        out += ["#### %s, %s, %d rounds" % (row["program"], row["by"], rounds), ""]
        head = ["", "time", "program's CPU"]
        head += ["time, more than alone"] if row["program"] == HI else \
            ["more than alone", "samples a CPU second", "handler, a sample", "own CPU"]
        figures.table(out, head, [report_row(row, way) for way in row["runs"]])
