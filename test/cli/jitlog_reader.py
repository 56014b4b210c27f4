"""A reader of PyPy's JIT logs for the tests: docs/formats/jitlog.md in as few lines as it takes, and
nothing in common with the one in C.

traces(bytes) gives a Trace for each that has operations, in the order of the log, and what is
counted; traces(bytes, True) also those without.
"""
STAGES = {0x17: "recorded", 0x18: "optimised", 0x19: "assembled"}


class Trace:
    def __init__(self, trace, kind, number):
        self.id, self.kind, self.number = trace, kind, number  # "loop" or "bridge"
        self.ops = {"recorded": [], "optimised": [], "assembled": []}  # (name, descr, code offset)
        self.points = []  # (file, line, function) of all stages, in the order of the log
        self.bounds = self.guard = None
        self.aborted = False
        self.runs = 0

    @property
    def bytes(self):
        return self.bounds[1] - self.bounds[0] if self.bounds else 0

    def guards(self, stage="optimised"):
        return sum(name.startswith(("guard_", "vec_guard_")) for name, _, _ in self.ops[stage])


class Records:
    def __init__(self, data):
        self.data, self.at = data, 0

    def number(self, size):
        value = int.from_bytes(self.data[self.at:self.at + size], "little")
        self.at += size
        return value

    def raw(self):
        size = self.number(4)
        self.at += size
        return self.data[self.at - size:self.at]

    def text(self):
        return self.raw().decode("utf-8", "surrogateescape")


def traces(data, brief=False):
    r = Records(data)
    names, layout, prefixes, found, counters = {}, [], {}, [], []
    now = stage = None
    while r.at < len(data):
        kind = r.number(1)
        if kind == 0x1e:
            r.number(2)
            assert r.number(1) == 0, "of a machine with 64 bits"
            r.text()
        elif kind == 0x12:
            for _ in range(r.number(2)):
                opnum = r.number(2)
                names[opnum] = r.text()
        elif kind == 0x1b:
            trace, what = r.number(8), r.text()
            now, stage = Trace(trace, what, r.number(8)), None
            r.text()
            found.append(now)
        elif kind in STAGES:
            r.number(8)
            stage = STAGES[kind]
        elif kind == 0x11:
            r.text()
        elif kind in (0x13, 0x14):
            opnum, _ = r.number(2), r.text()
            descr = r.number(8) if kind == 0x14 else None
            r.text()
            now.ops[stage].append((names[opnum], descr, None))
        elif kind == 0x15:
            bounds = (r.number(8), r.number(8))
            now.bounds = now.bounds or bounds
        elif kind == 0x16:
            offset, size = r.number(2), len(r.raw())
            name, descr, _ = now.ops[stage][-1]
            now.ops[stage][-1] = (name, descr, (offset, size))
        elif kind == 0x1a:
            now.guard = r.number(8)
            r.number(8)
        elif kind == 0x1c:
            counters.append((r.number(8), chr(r.number(1)), r.number(8)))
        elif kind == 0x1d:
            layout, prefixes = [(r.number(1), chr(r.number(1))) for _ in range(r.number(2))], {}
        elif kind == 0x20:
            field = r.number(1)
            prefixes[field] = r.text()
        elif kind == 0x1f:
            point = {}
            for i, (meaning, how) in enumerate(layout):
                mark = r.number(1)
                before = "" if mark == 0xff else prefixes.get(i, "")
                if how == "i":
                    point[meaning] = r.number(8)
                else:
                    point[meaning] = before + ("" if mark == 0xef else r.text())
            now.points.append((point.get(1), point.get(2), point.get(8)))
        elif kind == 0x21:
            assert r.number(8) == now.id
            now.aborted = True
        elif kind == 0x23:
            r.at += 24
        elif kind == 0x24:
            r.at += 16
        else:
            raise ValueError("record %#x at %#x" % (kind, r.at - 1))
    found = [trace for trace in found if brief or any(trace.ops.values())]
    count(found, counters)
    return found


def count(found, counters):
    for key, kind, number in counters:
        for trace in reversed(found):
            if (kind, key) in (("e", trace.id), ("b", trace.guard)):
                trace.runs += number
                break


def bridges(found):
    """How many bridges hang on the guards of each trace, by its id."""
    owner, made = {}, {}
    for trace in found:
        made[trace.id] = 0
        if trace.guard and trace.guard in owner:
            made[owner[trace.guard]] += 1
        for stage in trace.ops.values():
            for name, descr, _ in stage:
                if name.startswith(("guard_", "vec_guard_")):
                    owner[descr] = trace.id
    return made
