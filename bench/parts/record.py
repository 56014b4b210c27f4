"""What recording costs the recorded program."""
import itertools
import os

from . import figures
from .common import BENCH, PERIOD, PYPYLOG_SECTIONS, TEXT, WORDCOUNT
from .cost import measure, take_turns

HEADING = "Recording"
PLAIN = "plain"
LOG_ALONE = "`PYPYLOG` alone"
VMPROF = "`_vmprof` alone"
VMPROF_LOGS = "`_vmprof` and the same logs"
RECORD = "`vmfox record`"
NO_LOGS = "`--no-jitlog --no-pypylog`"
RECORD_VARIANTS = {
    RECORD: [],
    "`--no-jitlog`": ["--no-jitlog"],
    "`--no-pypylog`": ["--no-pypylog"],
    "`--no-native`": ["--no-native"],
    "`--no-pc`": ["--no-pc"],
    NO_LOGS: ["--no-jitlog", "--no-pypylog"],
    "`--no-jitlog --no-pypylog --no-pc`": ["--no-jitlog", "--no-pypylog", "--no-pc"],
    "`--no-jitlog --no-pypylog --no-native`": ["--no-jitlog", "--no-pypylog", "--no-native"],
}
# What is compared gets twice as many rounds as the others.
COMPARED = (PLAIN, VMPROF, VMPROF_LOGS, RECORD, NO_LOGS)
# What PyPy's JIT traces first depends on small things, a log or a timer among them, and with it how
# fast some programs are. So each round has another threshold of the JIT's, the same for all that is
# compared: what luck there is, all ways have it, now and then.
FIRST_THRESHOLD = 1039  # PyPy's own
THRESHOLD_STEP = 6
OTHER_WAY = -5  # percent: no recorder makes a program so much faster


class Variants:
    """The ways to run a program: words around the interpreter, and the environment."""

    def __init__(self, options):
        def scratch(name):
            return os.path.join(options.scratch, name)

        self.pypy = options.pypy
        self.env = {key: value for key, value in os.environ.items() if key != "PYPYLOG"}
        self.log_env = dict(self.env, PYPYLOG="%s:%s" % (PYPYLOG_SECTIONS, scratch("alone.log")))
        alone = [os.path.join(BENCH, "vmprof_alone.py"), scratch("alone.prof"), PERIOD]
        # In front of the interpreter, and behind it.
        self.words = {
            PLAIN: ([], []),
            LOG_ALONE: ([], []),
            VMPROF: ([], [*alone, "1", "-"]),
            VMPROF + ", no native frames": ([], [*alone, "0", "-"]),
            VMPROF_LOGS: ([], [*alone, "1", scratch("alone.jit")]),
        }
        for name, words in RECORD_VARIANTS.items():
            self.words[name] = ([options.vmfox, "record", "-q", "-p", PERIOD, *words, "-o",
                                 scratch("run.vmfox"), "--"], [])

    def run(self, variant, argv, number):
        """The program's CPU time is that of the command and all its processes, less vmfox's own.
        `number` is that of the round."""
        before, behind = self.words[variant]
        threshold = "threshold=%d" % (FIRST_THRESHOLD + THRESHOLD_STEP * number)
        env = self.log_env if variant in (LOG_ALONE, VMPROF_LOGS) else self.env
        cost = measure([*before, self.pypy, "--jit", threshold, *behind, *argv], env)
        recorder = cost["own_cpu"] if variant in RECORD_VARIANTS else 0
        return {"wall": cost["wall"], "cpu": cost["cpu"] - recorder, "recorder": recorder}


def measure_program(options, name, argv):
    variants = Variants(options)

    def jobs(names, first):
        def job(variant):
            numbers = itertools.count(first)
            return lambda: variants.run(variant, argv, next(numbers))
        return {variant: job(variant) for variant in names}

    variants.run(PLAIN, argv, 0)
    found = take_turns(jobs(variants.words, 0), options.rounds, name)
    more = take_turns(jobs(COMPARED, options.rounds), options.rounds, name + ", what is compared")
    for variant, runs in more.items():
        found[variant] += runs
    return found


def measure_part(options):
    empty = os.path.join(options.scratch, "empty.py")
    with open(empty, "w"):
        pass
    programs = {
        "word count": [WORDCOUNT, TEXT],
        "calls": [os.path.join(BENCH, "calls.py"), "8000"],
        "compiles": [os.path.join(BENCH, "compiles.py")],
        "empty program": [empty],
    }
    return {"programs": {name: measure_program(options, name, argv)
                         for name, argv in programs.items()}}


# ---- report ----------------------------------------------------------------------------


def cpus(found, variant):
    return figures.column(found[variant], "cpu")


def report_program(out, name, found):
    base = cpus(found, PLAIN)
    rows = []
    for variant, runs in found.items():
        values = cpus(found, variant)
        # As many rounds of both: the least of more is less.
        least = min(values[:len(base)]) - min(base[:len(values)])
        row = [variant, figures.median_and_least(figures.column(runs, "wall")),
               figures.median_and_least(values)]
        if variant == PLAIN:
            row += ["", ""]
        elif min(base) < 0.1:
            row += ["%+.3f s" % figures.median([a - b for a, b in zip(values, base)]),
                    "%+.3f s" % least]
        else:
            row += [figures.percent_and_spread(values, base),
                    "%+.1f %%" % (100 * least / min(base[:len(values)]))]
        row.append(figures.seconds(figures.median(figures.column(runs, "recorder")))
                   if variant in RECORD_VARIANTS else "")
        rows.append(row)
    out += ["### %s" % name.capitalize(), ""]
    figures.table(out, ["", "time", "program's CPU", "against plain", "least against least",
                        "recorder's CPU"], rows)


def report_compared(out, programs):
    """What the logs cost, which is PyPy's own work, apart from what the recorder costs."""
    rows = []
    for name, found in programs.items():
        if min(cpus(found, PLAIN)) < 0.1:
            continue
        rows.append([name] + [figures.percent_and_spread(cpus(found, a), cpus(found, b))
                              for a, b in ((VMPROF, PLAIN), (VMPROF_LOGS, VMPROF),
                                           (RECORD, VMPROF_LOGS), (RECORD, VMPROF),
                                           (NO_LOGS, VMPROF))])
    out += ["### What costs it", "",
            "The program's CPU time of one way against another's: medians and middle half of %d "
            "rounds." % max(len(runs) for found in programs.values() for runs in found.values()),
            ""]
    figures.table(out, ["", "`_vmprof` alone against plain", "the two logs against `_vmprof` alone",
                        "`vmfox record` against `_vmprof` and the same logs",
                        "`vmfox record` against `_vmprof` alone",
                        "without logs against `_vmprof` alone"], rows)


def report(out, found):
    figures.section(out, HEADING, found["about"])
    rounds = len(next(iter(found["programs"].values()))[LOG_ALONE])
    out += ["Each program %d times in each way, taking turns, and twice that in those that are "
            "compared below: medians, and the least in brackets. `time` is from the start of the "
            "command to its end, so start and end of the recording are in it. `against plain` is "
            "the program's CPU time, compared round by round: median and middle half." % rounds, ""]
    report_compared(out, found["programs"])
    for name, program in found["programs"].items():
        report_program(out, name, program)
