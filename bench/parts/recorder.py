"""What recording costs beside other profilers, and what the recorder itself takes in long runs."""
import os

from . import crowd, figures, minors, overhead
from .common import MB, PERIOD, TEXT, WORDCOUNT, say
from .cost import measure, watch
from .goals import judge

HEADING = "The recorder"
LENGTHS = (5, 20)
GROWTH = 0.05  # of the peak: what malloc and the kernel's accounting leave open


def measure_part(options):
    return {"overhead": overhead.measure_all(options), "minors": minors.measure_all(options),
            "crowd": crowd.measure_all(options), "rows": measure_lengths(options)}


def measure_lengths(options):
    alone = measure([options.pypy, WORDCOUNT, TEXT])["cpu"]
    rows = []
    for _ in range(max(1, options.rounds // 3)):
        for length in LENGTHS:
            say("the recorder in a run of %d seconds" % length)
            texts = [TEXT] * max(1, round(length / alone))
            out = os.path.join(options.scratch, "long.vmfox")
            cost = watch([options.vmfox, "record", "-q", "-p", PERIOD, "-o", out, "--",
                          options.pypy, WORDCOUNT, *texts], pause=0.005)
            rows.append({"length": length, "written": os.path.getsize(out), **cost})
            os.unlink(out)
    return rows


def shares(rows):
    """The recorder's CPU as percents of one core: in the whole run, start and end included."""
    return [100 * row["own_cpu"] / row["wall"] for row in rows]


def of_length(found, length):
    return [row for row in found["rows"] if row["length"] == length]


def goals(found, _others):
    return overhead.goals(found["overhead"]) + minors.goals(found["minors"]) + goals_of_lengths(found)


def goals_of_lengths(found):
    short, long = (of_length(found, length) for length in LENGTHS)
    share = shares(long)
    more = [100 * (b["own_cpu"] - a["own_cpu"]) / (b["wall"] - a["wall"])
            for a, b in zip(short, long)]
    out = [judge("the recorder takes at most 2 % of one core", figures.median(share) <= 2,
                 "%.2f %% (%s) in a run of %d s; %.2f %% between its start and its end" % (
                     figures.median(share), figures.spread(share, "{:.2f}".format), LENGTHS[1],
                     figures.median(more)))]
    for what, key in (("memory that is no file's", "anonymous"), ("resident size", "resident")):
        pair = [max(row[key] for row in rows) for rows in (short, long)]
        out.append(judge("the recorder's largest %s does not grow with the run" % what,
                         pair[1] <= pair[0] * (1 + GROWTH), "%.1f MB in %d s, %.1f MB in %d s" % (
                             pair[0] / MB, LENGTHS[0], pair[1] / MB, LENGTHS[1])))
    return out


def report(out, found):
    figures.section(out, HEADING, found["about"])
    overhead.report(out, found["overhead"])
    minors.report(out, found["minors"])
    crowd.report(out, found["crowd"])
    out += ["### In a long run", "", "`vmfox record` of the word count, of as many texts as make runs of 5 and of 20 "
            "seconds. CPU and memory are of vmfox's own process, what it does at the start and at "
            "the end included.", ""]
    rows = []
    for length in LENGTHS:
        runs = of_length(found, length)
        rows.append(["%d s, %d runs" % (length, len(runs)),
                     figures.spread(figures.column(runs, "wall")),
                     figures.spread(figures.column(runs, "own_cpu")),
                     figures.spread(shares(runs), "{:.2f} %".format),
                     figures.spread(figures.column(runs, "anonymous"), in_mb),
                     figures.spread(figures.column(runs, "resident"), in_mb),
                     figures.spread(figures.column(runs, "written"), in_mb)])
    figures.table(out, ["", "time", "recorder's CPU", "of one core",
                        "most memory that is no file's", "largest resident size", "written"], rows)


def in_mb(value):
    return "%.1f MB" % (value / MB)
