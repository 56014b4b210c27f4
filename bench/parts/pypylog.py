"""How fast PyPy's text log is read, and converted beside its profile."""
import os
import subprocess

from . import figures, inputs, logs
from .common import MB, PYPYLOG_SECTIONS, TEXT, WORDCOUNT, remove, say
from .cost import apart, measure

HEADING = "PyPy's text log"
BYTES = 100 * MB
# As vmfox record asks for, without and with the operations; and all sections without texts.
LOGS = {
    "sections and texts": PYPYLOG_SECTIONS + ":",
    "the same with operations": PYPYLOG_SECTIONS + ",jit-log-opt,jit-log-noopt:",
    "all sections, no texts": "+",
}


def measure_reading(options):
    build = os.path.dirname(options.vmfox)
    reader = os.path.join(build, "bench", "read_pypylog")
    subprocess.run(["ninja", "-C", build, "bench/read_pypylog"], check=True,
                   stdout=subprocess.DEVNULL)
    log = os.path.join(options.work, "one.pypylog")
    path = os.path.join(options.work, "large.pypylog")
    rows = {}
    for name, words in LOGS.items():
        say("PyPy's log: " + name)
        measure([options.pypy, WORDCOUNT, TEXT], dict(os.environ, PYPYLOG=words + log))
        apart(inputs.write_log, log, path, options.log_bytes)
        said = subprocess.run([reader, path, "7"], check=True, capture_output=True, text=True)
        rounds = [line.split() for line in said.stdout.splitlines()]
        rows[name] = {"size": os.path.getsize(path), "one": os.path.getsize(log),
                      "lines": int(rounds[0][2]), "sections": int(rounds[0][3]),
                      "next": [float(words[0]) for words in rounds],
                      "read": [float(words[1]) for words in rounds]}
        remove(log, path)
    return rows


def measure_part(options):
    rows = measure_reading(options)
    one = inputs.part_of(options, "word count", "profile.pypylog", ".pypylog")
    log = inputs.path_of(options, "word count", ".large.pypylog")
    times = apart(inputs.write_log, one, log, options.log_bytes)
    path, _ = inputs.large_prof(options, "word count", 0, times=times)
    found = logs.compare_with(options, path, "--pypylog", log)
    remove(one, log, path)
    return {"rows": rows, "convert": found}


def report(out, found):
    figures.section(out, HEADING, found["about"])
    out += ["Logs of the word count, repeated with stamps and numbers of loops that go on. Median, "
            "least and most of %d runs, the file in memory. `lines` is `vf_pypylog_next` over all of "
            "them, `read` is `vf_runtime_log_read`." % len(
                next(iter(found["rows"].values()))["next"]), ""]
    rows = []
    for name, row in found["rows"].items():
        for what, key in (("lines", "next"), ("read", "read")):
            middle = figures.median(row[key])
            rows.append(["%s: `%s`" % (name, what), "%.0f MB" % (row["size"] / MB),
                         figures.count(row["lines"]), figures.count(row["sections"]),
                         figures.seconds(middle), figures.spread(row[key]),
                         "%.0f MB/s" % (row["size"] / MB / middle)])
    figures.table(out, ["", "size", "lines", "sections", "time", "least to most", "speed"], rows)
    logs.report(out, found["convert"])
