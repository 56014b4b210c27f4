"""A long log, converted beside the .prof of its run: what both logs' parts share."""
import os

from . import figures, outputs
from .common import MB, remove
from .cost import ALL_CORES, ONE_CORE, compare, measure, watch


def compare_with(options, prof, option, log):
    """Costs with the log and without it, and of `cat` and `xxh64sum` of the log."""
    commands = {"`cat`": ["cat", log], "`xxh64sum`": ["xxh64sum", log]}
    memory = {}
    endings = outputs.endings(options)
    for ending in endings:
        convert = [options.vmfox, "convert", "-q", "-o", outputs.path(options, ending), prof]
        commands[ending] = [*convert, option, log]
        if ending == outputs.best(endings):
            commands[ending + ", without the log"] = convert
    measure(["cat", log])
    runs = compare(commands, min(3, options.rounds), "converting with %s" % option)
    written = {}
    for ending in endings:
        memory[ending] = watch(commands[ending])
        written[ending] = os.path.getsize(outputs.path(options, ending))
    remove(*[outputs.path(options, ending) for ending in endings])
    return {"endings": endings, "size": os.path.getsize(log), "prof": os.path.getsize(prof),
            "runs": runs, "memory": memory, "written": written}


def report(out, found):
    out += ["A log of %.0f MB, converted beside its `.prof` of %.1f MB. `cat` and `xxh64sum` are of "
            "the log. Medians, and least to most of %d rounds." % (
                found["size"] / MB, found["prof"] / MB,
                len(next(iter(found["runs"][ALL_CORES].values())))), ""]
    out += outputs.missing_words(found["endings"])
    rows = []
    for name in found["runs"][ALL_CORES]:
        line = [name]
        for cores in (ALL_CORES, ONE_CORE):
            runs = found["runs"][cores]
            values = figures.column(runs[name], "wall")
            line += ["%s (%s)" % (figures.seconds(figures.median(values)), figures.spread(values)),
                     figures.ratio_and_spread(values, figures.column(runs["`xxh64sum`"], "wall"))]
        memory = found["memory"].get(name)
        line += ["%.0f MB" % (memory["anonymous"] / MB),
                 "%.2f MB" % (found["written"][name] / MB)] if memory else ["", ""]
        rows.append(line)
    figures.table(out, ["to", "all cores", "against `xxh64sum`", "one core", "against `xxh64sum`",
                        "most memory that is no file's", "written"], rows)
