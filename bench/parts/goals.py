"""Goals: each is met or missed, with its figure."""
MET, MISSED, OPEN = "met", "missed", "not measured"


def judge(goal, held, figure):
    """`held` None: it could not be measured, and `figure` says why."""
    return {"goal": goal, "verdict": OPEN if held is None else MET if held else MISSED,
            "figure": figure}


def for_size(goal, row, held, figure):
    """A goal for 1 GB; on a smaller input it is not judged."""
    if row["size"] < 0.9e9:
        return judge(goal, None, "with %.0f MB in place of 1 GB: %s" % (row["size"] / 1e6, figure))
    return judge(goal, held, figure)


def rows_of(part, goals):
    return [[goal["goal"], goal["verdict"], goal["figure"], "`%s`" % part] for goal in goals]


def old_rows(lines):
    """The rows of an earlier report by part, to be kept for parts that were not measured."""
    found = {}
    for line in lines:
        cells = [cell.strip() for cell in line.strip().strip("|").split(" | ")]
        if len(cells) == 4 and cells[3].startswith("`"):
            found.setdefault(cells[3].strip("`"), []).append(cells)
    return found


def print_rows(rows):
    for goal, verdict, figure, part in rows:
        print("%-12s  %s: %s" % (verdict, goal, figure))
    counts = [sum(row[1] == verdict for row in rows) for verdict in (MET, MISSED, OPEN)]
    print("%d goals met, %d missed, %d not measured" % tuple(counts), flush=True)
