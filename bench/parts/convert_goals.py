"""The goals of conversion."""
from . import figures
from .convert import beyond, corrected, raw, walls
from .cost import ALL_CORES, ONE_CORE
from .goals import for_size, judge

LINEAR = 0.15


def unable(goal, ending):
    return judge(goal, None, "this vmfox can't write %s" % ending)


def under_a_second(name, row):
    goal = "%s, 1 GB to .jslb.gz: under 1 s" % name
    if ".jslb.gz" not in row["memory"]:
        return unable(goal, ".jslb.gz")
    words = []
    for cores in (ALL_CORES, ONE_CORE):
        values = walls(row, ".jslb.gz", cores)
        words.append("%s on %s (%s)" % (figures.seconds(figures.median(values)), cores,
                                        figures.spread(values)))
    held = figures.median(walls(row, ".jslb.gz")) < 1
    return for_size(goal, row, held, "; ".join(words))


def at_most(name, row, said, ending, other, times):
    """The time to `ending` is at most so many times that of another command; `said` says it."""
    goal = "%s, 1 GB to %s: %s" % (name, ending, said)
    if ".jslb.gz" not in row["memory"]:
        return unable(goal, ".jslb.gz")
    words = ["%s on %s" % (figures.ratio_and_spread(walls(row, ending, cores),
                                                    walls(row, other, cores)), cores)
             for cores in (ALL_CORES, ONE_CORE)]
    ratio = figures.median(figures.ratios(walls(row, ending), walls(row, other)))
    return for_size(goal, row, ratio <= times, "; ".join(words))


def against_hash(name, row):
    return at_most(name, row, "at most 3 × the time of xxh64sum over it", ".jslb.gz", "xxh64sum", 3)


def json_against_slabs(name, row):
    return at_most(name, row, "at most 1.5 × the time to .jslb.gz", ".json.gz", ".jslb.gz", 1.5)


def memory(name, row):
    each = {ending: beyond(row, ending) / row["samples"] for ending in row["memory"]}
    figure = ", ".join("%s %.0f bytes" % pair for pair in each.items())
    return for_size("%s, 1 GB: memory beyond the mapped input under 100 bytes a sample" % name,
                    row, max(each.values()) < 100, figure)


def off_the_line(program, row, ending):
    """How far time and memory of a size are off the straight line from converting the recording
    itself, which has each different stack already, to converting the largest input."""
    once, last = program["rows"][0], program["rows"][-1]
    out = []
    for i, key in enumerate(("size", "samples")):
        first = raw(once, ending)[i]
        line = first + corrected(program, last, ending)[i] * (row[key] - once[key])
        out.append(raw(row, ending)[i] / line - 1)
    return out


def linear(name, program, ending):
    goals = []
    rows = program["rows"][1:]
    for i, (what, unit, key, scale) in enumerate((("time", "ns a byte", "size", 1e9),
                                                  ("memory", "bytes a sample", "samples", 1))):
        goal = "%s, to %s: %s linear from 10 MB to 1 GB within 15 %%" % (name, ending, what)
        if len(rows) < 2:
            goals.append(judge(goal, None, "one size is no line"))
            continue
        off = [off_the_line(program, row, ending)[i] for row in rows[:-1]]
        less = [corrected(program, row, ending)[i] * scale for row in rows]
        whole = [raw(row, ending)[i] / row[key] * scale for row in rows]
        words = "%s off the line; %s %s, with the recording's own cost %s" % (
            ", ".join("%.0f MB %+.0f %%" % (row["size"] / 1e6, 100 * value)
                      for row, value in zip(rows, off)),
            ", ".join("%.3g" % value for value in less), unit,
            ", ".join("%.3g" % value for value in whole))
        goals.append(for_size(goal, rows[-1], max(map(abs, off)) <= LINEAR, words))
    return goals


def goals(found, _others):
    out = []
    ending = found["endings"][0]
    for name, program in found["programs"].items():
        row = program["rows"][-1]
        out += [under_a_second(name, row), against_hash(name, row), json_against_slabs(name, row),
                memory(name, row), *linear(name, program, ending)]
    return out
