"""bench/RESULTS.md, and the goals on the standard output."""
import json
import os
import re

from . import (bundle, convert, convert_goals, converter, figures, goals, jitlog, pypylog, record,
               recorder, startup, symbols)
from .common import say

# Name on the command line -> what measures and reports it, in the report's order.
PARTS = {"convert": convert, "bundle": bundle, "converter": converter, "pypylog": pypylog,
         "jitlog": jitlog, "startup": startup, "record": record, "recorder": recorder,
         "symbols": symbols}
GOALS = {"recorder": recorder.goals, "convert": convert_goals.goals, "bundle": bundle.goals,
         "converter": converter.goals, "startup": startup.goals}
GOALS_HEADING = "Goals"


def raw_path(options, part):
    return os.path.join(options.work, part + ".json")


def save(options, part, found):
    with open(raw_path(options, part), "w") as file:
        json.dump(found, file, indent=1)


def load(options):
    """The raw figures of all parts that have any here."""
    found = {}
    for part in PARTS:
        if os.path.exists(raw_path(options, part)):
            with open(raw_path(options, part)) as file:
                found[part] = json.load(file)
    return found


def old_sections(path):
    """The sections of an earlier report, by their headings."""
    if not os.path.exists(path):
        return {}
    with open(path, encoding="utf-8") as file:
        pieces = re.split(r"^(?=## )", file.read(), flags=re.MULTILINE)
    return {piece[3:piece.index("\n")]: piece.rstrip("\n").split("\n") for piece in pieces[1:]}


def goal_rows(found, old):
    """Those of the parts that were measured here, and the old ones of others."""
    rows = []
    for part, find in GOALS.items():
        if part in found:
            rows += goals.rows_of(part, find(found[part], found))
        else:
            rows += old.get(part, [])
    return rows


def write(options):
    found, old = load(options), old_sections(options.out)
    rows = goal_rows(found, goals.old_rows(old.get(GOALS_HEADING, [])))
    out = ["# Results", "", "Written by `bench/run`; what is measured and how is in "
           "[README.md](README.md).", ""]
    if rows:
        out += ["## " + GOALS_HEADING, ""]
        figures.table(out, ["goal", "", "figure", "part"], rows, "---")
    for part, module in PARTS.items():
        if part in found:
            module.report(out, found[part])
        elif module.HEADING in old:  # measured elsewhere, or before the raw figures were deleted
            out += old[module.HEADING] + [""]
    while out[-1] == "":
        out.pop()
    with open(options.out, "w", encoding="utf-8") as file:
        file.write("\n".join(out) + "\n")
    goals.print_rows(rows)
    say("wrote " + options.out)
