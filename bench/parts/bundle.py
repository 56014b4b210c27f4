"""What a recording costs to convert as a .vmfox, against its parts."""
import os
import sys
import zipfile

from . import figures, inputs, outputs
from .common import MB, remove
from .cost import ALL_CORES, ONE_CORE, compare, measure, watch
from .goals import for_size

HEADING = "Recordings as one file"
NAME = "word count"
UNPACK = """
import sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as zipped:
    for name in zipped.namelist():
        with zipped.open(name) as member:
            while member.read(1 << 20):
                pass
"""


def measure_part(options):
    ending = outputs.best(outputs.endings(options))
    path, row = inputs.large_prof(options, NAME, max(options.sizes) * MB)
    bundle = inputs.large_bundle(options, NAME, path, row["samples"])
    same = inputs.large_bundle(options, NAME, path, row["samples"], parts_only=True)
    logs = [inputs.part_of(options, NAME, "profile" + log, ".parts" + log)
            for log in (".jitlog", ".pypylog")]
    convert = [options.vmfox, "convert", "-q", "-o", outputs.path(options, ending)]
    commands = {
        "parts": [*convert, "--jitlog", logs[0], "--pypylog", logs[1], path],
        "same": [*convert, same],
        "vmfox": [*convert, bundle],
        "unpack": [sys.executable, "-I", "-S", "-c", UNPACK, bundle],
    }
    for argv in (["cat", path], ["cat", same], ["cat", bundle]):
        measure(argv)
    row["ending"] = ending
    row["runs"] = compare(commands, min(3, options.rounds), "%s, .vmfox" % NAME)
    row["memory"] = {name: watch(commands[name]) for name in ("parts", "same", "vmfox")}
    row["packed"] = os.path.getsize(bundle)
    with zipfile.ZipFile(bundle) as zipped:
        row["members"] = {info.filename: info.file_size for info in zipped.infolist()
                          if not info.filename.startswith("sources/")}
    remove(path, bundle, same, outputs.path(options, ending), *logs)
    return row


def walls(row, name, cores):
    return figures.column(row["runs"][cores][name], "wall")


def goals(row, _others):
    words = []
    for cores in (ALL_CORES, ONE_CORE):
        words.append("%s on %s" % (figures.percent_and_spread(
            walls(row, "same", cores), walls(row, "parts", cores)), cores))
    more = figures.percents(walls(row, "same", ALL_CORES), walls(row, "parts", ALL_CORES))[1]
    return [for_size("%s, 1 GB: the .vmfox at most 10 %% more than its parts" % NAME, row,
                     more <= 10, "to %s: %s" % (row["ending"], "; ".join(words)))]


def report(out, row):
    figures.section(out, HEADING, row["about"])
    out += ["The largest input of the word count (%.0f MB, %s samples) with the two logs of its "
            "recording, as parts (`convert --jitlog --pypylog`) and as a .vmfox of %.0f MB, both to "
            "%s. The .vmfox has a stamp for each sample as well; its other members are those of the "
            "one recording: so more is written of it. `same` is a .vmfox with nothing in it but these "
            "parts. `unpack` is what zlib needs to unpack all of it (in Python)." % (
                row["size"] / MB, figures.count(row["samples"]), row["packed"] / MB,
                row["ending"]), ""]
    rows = []
    for name in row["runs"][ALL_CORES]:
        line = [name]
        for cores in (ALL_CORES, ONE_CORE):
            values = walls(row, name, cores)
            line += ["%s (%s)" % (figures.seconds(figures.median(values)), figures.spread(values)),
                     figures.ratio_and_spread(values, walls(row, "parts", cores))]
        memory = row["memory"].get(name)
        line += ["%.1f MB" % (memory["anonymous"] / MB), "%.0f MB" % (memory["resident"] / MB)] \
            if memory else ["", ""]
        rows.append(line)
    figures.table(out, ["", "all cores", "against the parts", "one core", "against the parts",
                        "most memory that is no file's", "largest resident size"], rows)
