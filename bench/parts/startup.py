"""How soon `vmfox view` prints its URL."""
import os
import zipfile

from . import figures, inputs
from .common import MB, remove
from .cost import measure, take_turns
from .goals import judge
from .serving import View

HEADING = "Start of view"
NAME = "word count"
BYTES = 50 * MB
LIMIT = 0.3  # seconds
PROF, BUNDLE = ".prof", ".vmfox with logs"


def members_but_profile(capture):
    """Bytes of all that is not the profile or grows with it."""
    with zipfile.ZipFile(capture) as zipped:
        return sum(info.file_size for info in zipped.infolist() if info.filename != "profile.prof")


def view(options, path):
    with View(options.vmfox, path) as server:
        size, fetched = server.fetch()
        return {"wall": server.started, "fetched": fetched, "size": size}


def measure_part(options):
    capture = inputs.recording(options, NAME)
    path, row = inputs.large_prof(options, NAME, BYTES - members_but_profile(capture))
    bundle = inputs.large_bundle(options, NAME, path, row["samples"])
    os.unlink(path)
    path, alone = inputs.large_prof(options, NAME, BYTES)
    with zipfile.ZipFile(bundle) as zipped:
        members = sum(info.file_size for info in zipped.infolist())
    files = {PROF: path, BUNDLE: bundle}
    for file in files.values():
        measure(["cat", file])
    jobs = {name: lambda file=file: view(options, file) for name, file in files.items()}
    found = {"runs": take_turns(jobs, 2 * options.rounds, "start of view"),
             "sizes": {PROF: alone["size"], BUNDLE: os.path.getsize(bundle)},
             "members": members, "samples": {PROF: alone["samples"], BUNDLE: row["samples"]}}
    remove(path, bundle)
    return found


def goals(found, _others):
    out = []
    for name, runs in found["runs"].items():
        walls = figures.column(runs, "wall")
        out.append(judge("`vmfox view` of a capture of 50 MB (%s): its URL within 0.3 s" % name,
                         figures.median(walls) <= LIMIT, "%s (%s)" % (
                             figures.seconds(figures.median(walls)), figures.spread(walls))))
    return out


def report(out, found):
    figures.section(out, HEADING, found["about"])
    out += ["`vmfox view --no-open` of captures of the word count, %d times each in turns: from its "
            "start to the URL on its standard output, and from there until the profile has been "
            "fetched. The .prof has %.0f MB; what is in the .vmfox has %.0f MB unpacked, packed "
            "%.0f MB." % (len(found["runs"][PROF]), found["sizes"][PROF] / MB,
                          found["members"] / MB, found["sizes"][BUNDLE] / MB), ""]
    rows = []
    for name, runs in found["runs"].items():
        walls, fetched = figures.column(runs, "wall"), figures.column(runs, "fetched")
        rows.append([name, figures.count(found["samples"][name]),
                     figures.seconds(figures.median(walls)), figures.spread(walls),
                     figures.seconds(figures.median(fetched)), figures.spread(fetched),
                     "%.2f MB" % (runs[0]["size"] / MB)])
    figures.table(out, ["", "samples", "URL after", "least to most", "then the profile after",
                        "least to most", "profile"], rows)
