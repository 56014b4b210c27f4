"""What a minor collection costs more where PyPy's runtime log is written."""
import os
import subprocess
import zipfile

from . import figures
from .common import BENCH
from .cost import take_turns
from .goals import judge

NURSERY = "64K"  # a collection takes some 5 us
MOST_US = 0.5
ALONE, WITHOUT, WITH = "alone", "without the log", "with it"


def seconds_of(words):
    """CPU time of the loop, as the program itself tells it."""
    env = dict(os.environ, PYPY_GC_NURSERY=NURSERY)
    return float(subprocess.run(words, env=env, check=True, capture_output=True, text=True).stdout)


def collections(recording):
    with zipfile.ZipFile(recording) as bundle:
        return bundle.read("profile.pypylog").count(b"{gc-minor\n")


def measure_all(options):
    out = os.path.join(options.scratch, "minors.vmfox")
    program = [options.pypy, os.path.join(BENCH, "minors.py")]
    record = [options.vmfox, "record", "-q", "--no-native", "--no-jitlog"]
    without = [*record, "--no-pypylog", "-o", out + "-without", "--", *program]
    found = take_turns({ALONE: lambda: seconds_of(program),
                        WITHOUT: lambda: seconds_of(without),
                        WITH: lambda: seconds_of([*record, "-o", out, "--", *program])},
                       options.rounds, "minor collections")
    found["count"] = collections(out)
    return found


def microseconds(found, way):
    """For one collection, round by round."""
    return [1e6 * (a - b) / found["count"] for a, b in zip(found[way], found[WITHOUT])]


def goals(found):
    more = microseconds(found, WITH)
    return [judge("a minor collection takes at most %.1f us more with the runtime's log" % MOST_US,
                  figures.median(more) <= MOST_US, "%.2f us (%s)" % (
                      figures.median(more), figures.spread(more, "{:.2f}".format)))]


def report(out, found):
    out += ["### Minor collections", "",
            "A loop that does nothing but fill a nursery of %s: %d collections, and the CPU time of "
            "the loop. In each nothing survives, so the log costs more of them than of any others."
            % (NURSERY, found["count"]), ""]
    figures.table(out, ["", "CPU time", "a collection"], [
        [way, figures.seconds(figures.median(found[way])),
         "%.2f us" % (1e6 * figures.median(found[way]) / found["count"])]
        for way in (ALONE, WITHOUT, WITH)])
