"""How fast PyPy's JIT log is converted beside its profile."""
from . import figures, inputs, logs
from .common import remove

HEADING = "The JIT's log"
NAME = "compiles"


def measure_part(options):
    log = inputs.part_of(options, NAME, "profile.jitlog", ".jitlog")
    path = inputs.prof_of(options, NAME)
    found = logs.compare_with(options, path, "--jitlog", log)
    remove(log, path)
    return {"convert": found}


def report(out, found):
    figures.section(out, HEADING, found["about"])
    out += ["As PyPy wrote it in one run of [compiles.py](compiles.py), which loads its modules "
            "anew six times, so that they are compiled anew.", ""]
    logs.report(out, found["convert"])
