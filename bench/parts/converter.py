"""vmprof-firefox-converter, the Python converter, on the same files."""
import json
import os
import subprocess

from . import figures, inputs, outputs
from .common import CONVERTER, MB, ROOT, remove, say
from .cost import ALL_CORES, measure, take_turns
from .goals import judge

HEADING = "Against vmprof-firefox-converter"
SIZES = (10, 50)
PYTHON = "vmprof-firefox-converter"
SAY_VERSION = """
import platform, importlib.metadata as m
print(m.version("vmprof-firefox-converter"), "with", platform.python_implementation(),
      platform.python_version())
"""


def find_version():
    """None where scripts/setup could not install it."""
    if not os.path.exists(CONVERTER):
        return None
    done = subprocess.run([CONVERTER, "-c", SAY_VERSION], capture_output=True, text=True,
                          check=False)
    return done.stdout.strip() if done.returncode == 0 else None


def check(path, samples):
    """It must have converted all of them."""
    with open(path) as file:
        profile = json.load(file)
    kept = sum(thread["samples"]["length"] for thread in profile["threads"])
    if kept != samples:
        return "of %d samples %d are in its profile" % (samples, kept)
    return None


def measure_size(options, name, megabytes, endings):
    path, row = inputs.large_prof(options, name, megabytes * MB)
    written = path + ".json"  # it asks for no name
    commands = {PYTHON: [CONVERTER, "-m", "vmprofconvert", "-convert", path, "--nobrowser"]}
    for ending in endings:
        commands[ending] = [options.vmfox, "convert", "-q", "-o",
                            outputs.path(options, ending), path]
    measure(["cat", path])
    jobs = {job: lambda argv=argv: measure(argv) for job, argv in commands.items()}
    row["runs"] = take_turns(jobs, min(3, options.rounds), "%s, %d MB, against %s" % (
        name, megabytes, PYTHON))
    row["written"] = {PYTHON: os.path.getsize(written)}
    for ending in endings:
        row["written"][ending] = os.path.getsize(outputs.path(options, ending))
    if megabytes == min(SIZES):
        row["trouble"] = check(written, row["samples"])
    remove(path, written, *[outputs.path(options, ending) for ending in endings])
    return row


def measure_part(options):
    version = find_version()
    if version is None:
        say("no %s in %s: left out; scripts/setup bench tries to install it" % (
            PYTHON, os.path.relpath(os.path.dirname(os.path.dirname(CONVERTER)), ROOT)))
        return {"version": None}
    endings = outputs.endings(options)
    sizes = [size for size in SIZES if size <= max(options.sizes)] or [max(options.sizes)]
    return {"version": version, "endings": endings, "programs": {
        name: [measure_size(options, name, size, endings) for size in sizes]
        for name in inputs.CONVERTED}}


def walls(row, name):
    return figures.column(row["runs"][name], "wall")


def bytes_a_second(size, values):
    return size / figures.median(values)


def goals(found, others):
    if not found["version"]:
        return [judge("1 GB to .jslb.gz: at least 100 × the Python converter per byte", None,
                      "the Python converter could not be installed")]
    return [goal_of(name, rows[-1], others.get("convert")) for name, rows in
            found["programs"].items()]


def goal_of(name, row, convert):
    """Per byte: vmfox with its largest input, the converter with what it can do in some seconds."""
    goal = "%s, 1 GB to .jslb.gz: at least 100 × the Python converter per byte" % name
    if ".jslb.gz" not in row["runs"]:
        return judge(goal, None, "this vmfox can't write .jslb.gz")
    slow = bytes_a_second(row["size"], walls(row, PYTHON))
    figure = "%s on the same %.0f MB" % (figures.ratio_and_spread(
        walls(row, PYTHON), walls(row, ".jslb.gz")), row["size"] / MB)
    large = convert["programs"][name]["rows"][-1] if convert else None
    if not large or large["size"] < 0.9e9:
        return judge(goal, None, figure)
    fast = figures.column(large["runs"][ALL_CORES][".jslb.gz"], "wall")
    found = [large["size"] / wall / slow for wall in fast]
    return judge(goal, figures.median(found) >= 100, "%s × (%s); %s" % (
        figures.times(figures.median(found)), figures.spread(found, figures.times), figure))


def report(out, found):
    figures.section(out, HEADING, found["about"])
    if not found["version"]:
        out += ["It could not be installed here.", ""]
        return
    out += ["%s %s, in turns with vmfox on the same files. `times as long` is round by round." % (
        PYTHON, found["version"]), ""]
    out += outputs.missing_words(found["endings"])
    for name, rows in found["programs"].items():
        for row in rows:
            if row.get("trouble"):
                out += ["What it wrote is not right: %s." % row["trouble"], ""]
            out += ["### %s, %.0f MB, %s samples" % (name.capitalize(), row["size"] / MB,
                                                     figures.count(row["samples"])), ""]
            report_size(out, row)


def report_size(out, row):
    lines = []
    for job in row["runs"]:
        values = walls(row, job)
        lines.append([job, figures.seconds(figures.median(values)), figures.spread(values),
                      "%.1f MB/s" % (bytes_a_second(row["size"], values) / MB),
                      "" if job == PYTHON else figures.ratio_and_spread(walls(row, PYTHON), values),
                      "%.1f MB" % (row["written"][job] / MB)])
    figures.table(out, ["", "time", "least to most", "speed", "the converter takes",
                        "written"], lines)
