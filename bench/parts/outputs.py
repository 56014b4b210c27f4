"""The files that `vmfox convert` writes, and whether the program at hand can write them."""
import gzip
import json
import os
import subprocess

from . import inputs
from .common import die, say

ENDINGS = (".jslb.gz", ".jslb", ".json.gz", ".json")
JSLB_MAGIC = b"\xdc\xdfJSLB\x01\x00"


def path(options, ending):
    return os.path.join(options.work, "out" + ending)


def open_output(options, ending):
    opener = gzip.open if ending.endswith(".gz") else open
    return opener(path(options, ending), "rb")


def begins_right(options, ending):
    with open_output(options, ending) as file:
        start = file.read(len(JSLB_MAGIC))
    return start == JSLB_MAGIC if ".jslb" in ending else start.startswith(b"{")


def endings(options):
    """Those of ENDINGS that this vmfox can write, found by trying."""
    if options.endings is None:
        options.endings = []
        source = inputs.prof_of(options, "word count")
        for ending in ENDINGS:
            argv = [options.vmfox, "convert", "-q", "-o", path(options, ending), source]
            done = subprocess.run(argv, capture_output=True, text=True, check=False)
            if done.returncode == 0 and begins_right(options, ending):
                options.endings.append(ending)
            else:
                say("%s can't write %s: %s" % (os.path.relpath(options.vmfox), ending,
                                               done.stderr.strip() or "it writes something else"))
    return options.endings


def best(found):
    """The ending that most is measured with: what vmfox writes by itself when it can."""
    return next((ending for ending in ENDINGS if ending in found), None)


def missing_words(found):
    missing = [ending for ending in ENDINGS if ending not in found]
    return ["This vmfox can't write %s." % " and ".join(missing), ""] if missing else []


def check(options, samples):
    """Measuring a conversion that loses samples would say nothing."""
    if ".json" not in endings(options):
        return
    with open_output(options, ".json") as file:
        profile = json.load(file)
    kept = max(thread["samples"]["length"] for thread in profile["threads"])
    if not 0.9 * samples <= kept <= samples:
        die("of %d samples %d are in the profile" % (samples, kept))
