"""How fast recordings are converted, and in how much memory."""
import os

from . import figures, inputs, outputs
from .common import MB, remove, say
from .cost import ALL_CORES, ONE_CORE, compare, measure, take_turns, watch
from .prof import describe

HEADING = "Conversion"
ONCE = 0  # the size of an input that has each sample of the recording once


def commands_for(options, path, endings):
    """Name -> command line."""
    commands = {"cat": ["cat", path], "xxh64sum": ["xxh64sum", path]}
    for ending in endings:
        commands[ending] = [options.vmfox, "convert", "-q", "-o",
                            outputs.path(options, ending), path]
    return commands


def measure_gzip(options, endings, rounds, about):
    """What it costs to compress the same output: ending -> command -> costs."""
    plain = [ending for ending in (".jslb", ".json") if ending in endings]
    jobs = {}
    for ending in plain:
        for level in ("-1", "-6"):
            argv = ["gzip", level, "-c", outputs.path(options, ending)]
            jobs[ending, "gzip " + level] = lambda argv=argv: measure(argv)
    found = take_turns(jobs, rounds, about + ", gzip of the same output")
    return {ending: {name: costs for (of, name), costs in found.items() if of == ending}
            for ending in plain}


def measure_size(options, name, megabytes, endings):
    path, row = inputs.large_prof(options, name, megabytes * MB)
    about = "%s, %s" % (name, "%d MB" % megabytes if megabytes else "each sample once")
    commands = commands_for(options, path, endings)
    measure(commands["cat"])  # brings the file into memory
    # What takes a few milliseconds varies most, and more rounds of it cost little.
    rounds = options.rounds if megabytes >= 100 else 3 * options.rounds
    row["runs"] = compare(commands, rounds, about)
    row["memory"] = {ending: watch(commands[ending]) for ending in endings}
    row["written"] = {ending: os.path.getsize(outputs.path(options, ending)) for ending in endings}
    row["gzip"] = measure_gzip(options, endings, min(3, options.rounds), about)
    if megabytes == ONCE:
        outputs.check(options, row["samples"])
    remove(path, *[outputs.path(options, ending) for ending in endings])
    return row


def measure_part(options):
    endings = outputs.endings(options)
    found = {"endings": endings, "programs": {}}
    for name in inputs.CONVERTED:
        one = describe(inputs.prof_of(options, name))
        sizes = [size for size in sorted(options.sizes) if size * MB > 1.5 * one["size"]]
        found["programs"][name] = {
            "one": one, "rows": [measure_size(options, name, size, endings)
                                 for size in [ONCE, *sizes]]}
        say("converted: " + name)
    return found


# ---- figures -------------------------------------------------------------------------------------


def beyond(row, ending):
    """The most memory of a conversion beyond the mapped input. Two figures say it, and the larger
    holds: the largest resident size less the input, which is too small where not all of the input
    is resident at that moment, and the memory that is no file's."""
    memory = row["memory"][ending]
    return max(memory["resident"] - row["size"], memory["anonymous"])


def walls(row, name, cores=ALL_CORES):
    return figures.column(row["runs"][cores][name], "wall")


def raw(row, ending, cores=ALL_CORES):
    """Seconds and bytes of a conversion. The least of all rounds varies least, and here small
    times are compared with large ones."""
    return min(walls(row, ending, cores)), beyond(row, ending)


def corrected(program, row, ending, cores=ALL_CORES):
    """Seconds a byte and bytes a sample, both less what converting the recording itself costs:
    start, names, each different stack, and so on, which do not grow with the samples."""
    once = program["rows"][0]
    seconds, memory = (a - b for a, b in zip(raw(row, ending, cores), raw(once, ending, cores)))
    return seconds / (row["size"] - once["size"]), memory / (row["samples"] - once["samples"])


# ---- report --------------------------------------------------------------------------------------


def report_times(out, row):
    rows = []
    for name in row["runs"][ALL_CORES]:
        line = [name if name.startswith(".") else "`%s`" % name]
        for cores in (ALL_CORES, ONE_CORE):
            values = walls(row, name, cores)
            line += ["%s (%s)" % (figures.seconds(figures.median(values)), figures.spread(values)),
                     figures.ratio_and_spread(values, walls(row, "xxh64sum", cores))]
        costs = row["runs"][ALL_CORES][name]
        line += [figures.seconds(figures.median(figures.column(costs, "cpu"))),
                 "%.0f MB/s" % (row["size"] / MB / figures.median(walls(row, name)))]
        rows.append(line)
    figures.table(out, ["to", "all cores", "against `xxh64sum`", "one core", "against `xxh64sum`",
                        "CPU", "speed"], rows)


def gzip_words(row, ending):
    """How long gzip takes for what is in a file with this ending."""
    plain = ending[:-3] if ending.endswith(".gz") else ending
    return [figures.seconds(figures.median(figures.column(costs, "wall")))
            for costs in row["gzip"].get(plain, {}).values()] or ["", ""]


def report_memory(out, row):
    rows = []
    for ending, memory in row["memory"].items():
        rows.append([ending, "%.2f MB" % (row["written"][ending] / MB), *gzip_words(row, ending),
                     "%.1f MB" % ((memory["resident"] - row["size"]) / MB),
                     "%.1f MB" % (memory["anonymous"] / MB),
                     "%.0f bytes" % (beyond(row, ending) / row["samples"])])
    figures.table(out, ["", "written", "`gzip -1` of it, plain", "`gzip -6`",
                        "largest resident size less the input", "most memory that is no file's",
                        "a sample"], rows)


def report_growth(out, program):
    rows = []
    for ending in program["rows"][0]["memory"]:
        for row in program["rows"][1:]:
            line = ["%s, %.0f MB" % (ending, row["size"] / MB)]
            for cores in (ALL_CORES, ONE_CORE):
                line += ["%.3f ns" % (1e9 * raw(row, ending, cores)[0] / row["size"]),
                         "%.3f ns" % (1e9 * corrected(program, row, ending, cores)[0])]
            line += ["%.1f bytes" % (beyond(row, ending) / row["samples"]),
                     "%.1f bytes" % corrected(program, row, ending)[1]]
            rows.append(line)
    figures.table(out, ["", "time a byte", "less the recording's own", "one core",
                        "less the recording's own", "memory a sample",
                        "less the recording's own"], rows)


def report(out, found):
    figures.section(out, HEADING, found["about"])
    out += ["Recordings, the samples repeated and shuffled. Medians, and least to most; ratios are "
            "taken round by round. The input is in memory. `a sample` is the larger of the two "
            "figures before it.", ""]
    out += outputs.missing_words(found["endings"])
    for name, program in found["programs"].items():
        one = program["one"]
        out += ["### %s%s" % (name[0].upper(), name[1:]), "",
                "Of a recording of %.0f kB: %s samples, %s of them different, with %d frames in the "
                "middle, most between %d and %d." % (
                    one["size"] / 1000, figures.count(one["samples"]),
                    figures.count(one["stacks"]), one["depths"][1], one["depths"][0],
                    one["depths"][2]), ""]
        for row in program["rows"][1:]:
            costs = row["runs"][ALL_CORES]["xxh64sum"]
            out += ["#### %s, %.0f MB, %s samples" % (name, row["size"] / MB,
                                                      figures.count(row["samples"])), "",
                    "%d rounds." % len(costs), ""]
            report_times(out, row)
            report_memory(out, row)
        out += ["#### %s, growth" % name, "",
                "The least of all rounds; and less what converting the recording itself costs, each "
                "sample once.", ""]
        report_growth(out, program)
