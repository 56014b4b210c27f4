"""docs/reliability.md, made of what runs gave (docs/reliability.json)."""
import collections
import datetime
import json
import os
import platform
import re
import subprocess

from . import places, registry
from .trial import ASPECTS

RAW = places.ROOT / "docs" / "reliability.json"
PAGE = places.ROOT / "docs" / "reliability.md"
HEADS = {"program": "as alone", "files": "files", "recording": "recording", "left": "nothing left",
         "time": "time"}
INTRO = """# Reliability

What happens to a program that is recorded, and to its recording, when things go wrong. Written by `scripts/trials faults`
from real runs: each fault is made on purpose, again and again, at moments that chance picks. `scripts/trials faults --help`
tells how to repeat some or all of it; the programs and what is looked at are in `test/trials`.

Each cell says in how many of the runs it held, of those where it could be looked at:

- **as alone**: output, errors and exit code are those of the same program without vmfox (in a program that is killed: as far
  as it came). What vmfox itself says, in lines that begin with `vmfox: `, is set aside.
- **files**: every byte of the program's files, and what went through its pipe and its sockets.
- **recording**: it is there (or what vmfox says of it leads to it, or `vmfox recover` makes it of what was left), opens with
  `vmfox convert`, goes to the end (after SIGKILL of vmfox: but for a second at most), has as many samples as the program's
  CPU time asks for at one each 4 ms, less half and less what was just beginning, and more than half of them lie in the
  functions that work; none lies in the recorder's own.
- **nothing left**: no process, and no file in the temporary folder or beside the recording.
- **time**: nothing hung, and no step of the program's took 2 s or more.

"""


def load():
    try:
        return json.loads(RAW.read_text())
    except (OSError, ValueError):
        return {}


class Sums:
    """What came of the runs of one fault by one interpreter, added to those `before`."""

    def __init__(self, job, before):
        self.row = {"fault": job.fault.name, "python": job.python.name, "runs": 0,
                    "held": {}, "seen": {}, "wrong": {},
                    **before.get("%s/%s" % (job.fault.name, job.python.name), {}), "absent": None,
                    "date": datetime.date.today().isoformat(), "vmfox": vmfox_version()}
        self.tried = 0

    def add(self, outcome):
        row = self.row
        if outcome.absent:
            row["absent"] = outcome.absent
            return
        self.tried += 1
        row["runs"] += 1
        for aspect in outcome.checked:
            row["seen"][aspect] = row["seen"].get(aspect, 0) + 1
            if aspect not in outcome.wrong:
                row["held"][aspect] = row["held"].get(aspect, 0) + 1
            for text in outcome.wrong.get(aspect, [])[:1]:
                texts = row["wrong"].setdefault(aspect, {})
                text = neutral(text)
                texts[text] = texts.get(text, 0) + 1


# Names that chance makes, and where the trials themselves lie.
SCRATCH = re.compile(r"/\S*?/trials-\w+/tmp\w+/")


def neutral(text):
    """A failure's text without what differs from run to run, and short."""
    text = SCRATCH.sub("", " ".join(text.split())).replace(str(places.ROOT) + "/", "")
    return re.sub(r"vmfox-[A-Za-z0-9]{6}\b", "vmfox-XXXXXX", text)[:240]


def vmfox_version():
    return subprocess.run([str(places.vmfox()), "--version"], capture_output=True, text=True,
                          check=True).stdout.strip()


def save(sums):
    """Puts new sums in place of old ones of the same fault and interpreter."""
    found = load()
    for one in sums:
        found["%s/%s" % (one.row["fault"], one.row["python"])] = one.row
    part = RAW.with_suffix(".part")
    lines = ["%s: %s" % (json.dumps(key), json.dumps(found[key])) for key in sorted(found)]
    part.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    part.rename(RAW)


def cell(row, aspect):
    seen = row["seen"].get(aspect)
    if not seen:
        return ""
    held = row["held"].get(aspect, 0)
    return "%d of %d" % (held, seen) if held == seen else "**%d of %d**" % (held, seen)


def table(out, group, rows):
    out += ["## " + group, "",
            "| what was done | by | runs | " + " | ".join(HEADS[a] for a in ASPECTS) + " |",
            "|---|---|--:|" + "--:|" * len(ASPECTS)]
    wrong = []
    for fault, row in rows:
        head = "| %s | %s " % (fault.said.replace("|", "\\|"), row["python"])
        if not row["runs"]:
            out.append(head + "| | %s |" % " | ".join(
                ["not tried: wants " + row["absent"]] + [""] * (len(ASPECTS) - 1)))
            continue
        out.append(head + "| %d | %s |" % (row["runs"], " | ".join(cell(row, a) for a in ASPECTS)))
        for aspect, texts in row["wrong"].items():
            for text, count in list(collections.Counter(texts).most_common(2)):
                wrong.append("- `%s`, %s, %s (%d): %s" % (
                    fault.name, row["python"], HEADS[aspect], count, quoted(text)))
    out.append("")
    if wrong:
        out += ["What did not hold, by fault, in how many runs:", "", *wrong, ""]


def quoted(text):
    return "`%s`" % text.replace("`", "'")


def sums_in_words(found):
    """One paragraph: on what, and how much of it held."""
    runs = sum(row["runs"] for row in found)
    held = sum(sum(row["held"].values()) for row in found)
    seen = sum(sum(row["seen"].values()) for row in found)
    dates = sorted({row["date"] for row in found})
    return ("%s, %s; Linux %s, %d cores. %s runs of %d faults; of %s things that were looked at "
            "%s held.") % (
        ", ".join(sorted({row["vmfox"] for row in found})),
        dates[0] if len(dates) == 1 else "%s to %s" % (dates[0], dates[-1]),
        ".".join(platform.release().split(".")[:2]), len(os.sched_getaffinity(0)),
        format(runs, ","), len({row["fault"] for row in found if row["runs"]}),
        format(seen, ","), "all" if seen == held else format(held, ","))


def write(page=PAGE):
    """Writes the page of all raw figures that are there."""
    found = load()
    rows = [(fault, row) for fault in registry.FAULTS.values() for row in found.values()
            if row["fault"] == fault.name]
    if not rows:
        return False
    out = [INTRO + sums_in_words([row for _, row in rows]), ""]
    for group in dict.fromkeys(fault.group for fault, _ in rows):
        table(out, group, [(fault, row) for fault, row in rows if fault.group == group])
    page.write_text("\n".join(out).rstrip("\n") + "\n", encoding="utf-8")
    return True
