"""What PyPy's runtime did, in a recording: at its true time, under the function that pays for it,
and with sums that agree with the log's own."""
import json
import os
import re
import struct
import subprocess

import pytest

import support
from test_profile import front  # noqa: F401 (a fixture)

WALL = "--real-time"
GC, JIT = "Garbage collection", "JIT compilation"
# How far an edge may be off.
EDGE_MS = 2
LINE = re.compile(rb"\[([0-9a-f]+)\] (?:\{([\w-]+)|([\w-]+)\})$")
MS = re.compile(r"([\d.]+) ms")


def since_start(recorded):
    """What turns a stamp of CLOCK_MONOTONIC into a time of the profile."""
    zero = support.capture_info(recorded.capture)["start_monotonic_ns"]
    return lambda stamp_ns: (stamp_ns - zero) / 1e6


def has(sample, function):
    return any(frame.name == function for frame in sample.stack)


def first_number(text):
    return float(re.search(r"[\d.]+", text).group())


def section_of(profile, label):
    """A section of Profile Info: its rows by label, in order."""
    (section,) = [s for s in profile.meta["extra"] if s["label"] == label]
    return {entry["label"]: entry["value"] for entry in section["entries"]}


def leaf_weights(samples, category):
    """The weights of samples that end in a section of that category, by the function around it."""
    found = {}
    for sample in samples:
        if sample.stack and sample.stack[-1].category == category:
            for name in ("maker", "thinker"):
                if has(sample, name):
                    found[name] = found.get(name, 0) + sample.weight
    return found


def with_fields(marker, *fields):
    assert set(fields) <= set(marker.data), marker
    return marker


# ---- the clock ----------------------------------------------------------------------------------


def check_collections(profile, at, lap_bytes, phases):
    """The first and the last collection of each phase that allocates; none in the others
    but for the JIT's own work."""
    minors, steps = [profile.markers(name)
                     for name in ("Minor collection", "Major collection step")]
    nursery = max(marker.data.get("nursery", 0) for marker in minors)
    assert nursery >= 1 << 16
    # Two of them: the first stamp, or the last, lies anywhere in one.
    laps = 2 * (nursery // lap_bytes + 1)
    making = [phase for phase in phases if phase["name"] == "allocate"]
    for phase in making:
        first, last = at(phase["stamps"][1]), at(phase["stamps"][2])
        inside = [m for m in minors if first - EDGE_MS < m.start and m.end < last + EDGE_MS]
        assert len(inside) >= len(phase["laps"]) * lap_bytes // nursery - 1
        filled = phase["laps"][min(laps, len(phase["laps"]) - 1)]
        assert inside[0].start < max(first + EDGE_MS, at(filled)), phase
        # Behind its last lap the phase asks for a step of a collection.
        ends = [m.end for m in inside + steps if m.end < last + EDGE_MS]
        assert max(ends) > min(last - EDGE_MS, at(phase["laps"][max(-laps, -len(phase["laps"]))]))
    compiling = profile.markers("Trace") + profile.markers("Bridge")
    for phase in phases:
        if phase["name"] == "allocate":
            lap, emptied = at(phase["laps"][-1]), at(phase["stamps"][2])
            # Now and then PyPy does not take that step, and leaves a nursery that is nearly full.
            is_empty = any(lap - 0.01 < m.start < emptied + 0.01 for m in steps)
            continue
        first, last = at(phase["stamps"][0]), at(phase["stamps"][3])
        # If the JIT still had something to compile, its work may fill it.
        until = min([last - EDGE_MS] + [m.start for m in compiling if m.start > emptied])
        early = [m for m in minors if first + EDGE_MS < m.start < until]
        assert len(early) <= (0 if is_empty else 1), phase
        is_empty = is_empty or early != []


def check_samples(profile, at, phases):
    for phase in phases:
        before, first, last, behind = [at(stamp) for stamp in phase["stamps"]]
        for sample in profile.samples():
            here = has(sample, phase["name"])
            if first + EDGE_MS < sample.time < last - EDGE_MS:
                assert here, (phase["name"], before, sample)
            # Other phases of that name have their own turn.
            elif here and not any(at(other["stamps"][0]) - EDGE_MS < sample.time <
                                  at(other["stamps"][3]) + EDGE_MS
                                  for other in phases if other["name"] == phase["name"]):
                assert sample.time < at(phases[0]["stamps"][0]), (phase["name"], sample)


def check_phases(recorded, wall):
    profile, told = recorded.profile, recorded.told
    at, phases = since_start(recorded), recorded.told["phases"]
    assert len(phases) >= 12
    check_collections(profile, at, told["lap_bytes"], phases)
    check_samples(profile, at, phases)
    for phase in phases:
        first, last = [at(stamp) for stamp in phase["stamps"][1:3]]
        inside = [s for s in profile.samples() if first + EDGE_MS < s.time < last - EDGE_MS]
        if phase["name"] == "rest" and not wall:
            assert inside == []
        collecting = [s for s in inside if s.stack[-1].category == GC]
        if phase["name"] != "allocate":
            assert collecting == []
        elif wall:  # many samples, so there are some of these
            assert collecting
    assert sum(1 for s in profile.samples() if has(s, "calculate")) >= 5
    assert any(has(s, "rest") for s in profile.samples()) or not wall


@pytest.mark.parametrize("turn", range(2))
@pytest.mark.parametrize("options", [(WALL,), ()], ids=["wall", "cpu"])
def test_edges_are_at_their_time(pypy, recorder, tmp_path, options, turn):
    if turn == 0:
        check_phases(recorder(pypy, "phases.py", *options), bool(options))
        return
    done = support.record(*options, pypy, support.PROGRAMS / "phases.py", cwd=tmp_path)
    assert (done.code, done.err) == (0, "")
    capture = tmp_path / "x.vmfox"
    again = type(recorder(pypy, "phases.py", *options))(
        capture, support.convert(capture, tmp_path), json.loads(done.out), tmp_path, None)
    check_phases(again, bool(options))


def test_pairs_of_readings(pypy, recorder):
    made = recorder(pypy, "blame.py")
    raw = support.member(made.capture, "clock.i64")
    rows = [struct.unpack_from("<3q", raw, at) for at in range(0, len(raw), 24)]
    assert len(raw) % 24 == 0 and len(rows) >= 3
    info = support.capture_info(made.capture)
    for column in (0, 1):
        values = [row[column] for row in rows]
        assert all(a < b for a, b in zip(values, values[1:]))
    assert all(0 <= row[2] < 1000000 for row in rows)
    # They lie around all that is to be placed.
    assert rows[0][0] <= info["start_monotonic_ns"] + 1000000
    assert rows[-1][0] >= info["end_monotonic_ns"] - 1000000
    clock = section_of(made.profile, "Clock")
    assert clock["Source"].startswith("measured: ")
    assert clock["Error"].split()[1] == "\u00b5s" and first_number(clock["Error"]) < 100
    rate = (rows[-1][1] - rows[0][1]) / (rows[-1][0] - rows[0][0]) * 1e3
    stated = re.fullmatch(r"([\d.]+) MHz", clock["Rate"])
    assert float(stated.group(1)) == pytest.approx(rate, rel=1e-6)


# ---- sums ---------------------------------------------------------------------------------------


def log_times(log):
    """Ticks of the log's counter by section name; inside another of its name it counts once."""
    sums, opened = {}, []
    for line in log.splitlines():
        found = LINE.match(line)
        if not found:
            continue
        stamp, opens, closes = int(found.group(1), 16), found.group(2), found.group(3)
        if opens:
            opened.append((opens, stamp))
            continue
        name, start = opened.pop()
        assert name == closes
        if name not in [outer for outer, _ in opened]:
            sums[name.decode()] = sums.get(name.decode(), 0) + stamp - start
    assert opened == []
    return sums


@pytest.mark.parametrize("program,options", [("blame.py", ()), ("phases.py", (WALL,))])
def test_the_track_adds_up_to_the_log(pypy, recorder, program, options):
    made = recorder(pypy, program, *options)
    profile = made.profile
    rate_mhz = first_number(section_of(profile, "Clock")["Rate"])
    wanted = log_times(support.member(made.capture, "profile.pypylog"))
    assert {"gc-minor", "gc-collect-step", "jit-tracing", "jit-optimize"} <= set(wanted)
    found = {}
    for sample in profile.samples_of(profile.runtime):
        for name in {frame.name for frame in sample.stack}:
            found[name] = found.get(name, 0) + sample.weight
    # Of jit-backend the log says no start and end: docs/formats/pypylog.md.
    assert set(found) - set(wanted) <= {"running", "jit-backend"}
    rounded = 1e-6 * profile.runtime["samples"]["length"]  # weights are written to the nanosecond
    for name, ticks in wanted.items():
        assert found[name] == pytest.approx(ticks / rate_mhz / 1e3, rel=0.001, abs=rounded), name


@pytest.mark.parametrize("program,options", [("blame.py", ()), ("phases.py", (WALL,)),
                                             ("shares.py", ())])
def test_sums_are_the_run(pypy, recorder, program, options):
    made = recorder(pypy, program, *options)
    profile, info = made.profile, support.capture_info(made.capture)
    run_ms = (info["end_monotonic_ns"] - info["start_monotonic_ns"]) / 1e6
    assert profile.runtime["samples"]["weightType"] == "tracing-ms"
    samples = profile.samples_of(profile.runtime)
    assert sum(s.weight for s in samples) == pytest.approx(run_ms, abs=0.05)
    for sample, after in zip(samples, samples[1:]):
        assert sample.time + sample.weight == pytest.approx(after.time, abs=0.001)
    rows = section_of(profile, "PyPy")
    classes = ["Interpreter, compiled code, waiting", "Tracing", "Optimising", "Backend",
               "Minor collections", "Major collections", "Other work of the runtime"]
    parts = [re.fullmatch(r"([\d.]+) ms \(([\d.]+) %\)", rows[label]).groups()
             for label in classes]
    assert sum(float(ms) for ms, _ in parts) == pytest.approx(run_ms, abs=0.01)
    assert sum(float(percent) for _, percent in parts) == pytest.approx(100, abs=0.05)
    assert first_number(rows["Together: the run"]) == pytest.approx(run_ms, abs=0.002)
    # The classes are what the track shows.
    in_minors = sum(s.weight for s in samples if has(s, "gc-minor"))
    assert float(parts[4][0]) == pytest.approx(in_minors, rel=0.001, abs=0.01)


# ---- who pays -----------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [(WALL,), ()], ids=["wall", "cpu"])
def test_collections_sit_under_who_allocates(pypy, recorder, options):
    made = recorder(pypy, "blame.py", *options)
    samples = made.profile.samples()
    found = leaf_weights(samples, GC)
    whole = sum(s.weight for s in samples if s.stack[-1].category == GC)
    assert sum(1 for s in samples if s.stack[-1].category == GC) > 20
    assert found["maker"] > 0.9 * whole and found.get("thinker", 0) < 0.1 * whole
    # As much of the function's samples as the log says.
    log = log_times(support.member(made.capture, "profile.pypylog"))
    rate_mhz = first_number(section_of(made.profile, "Clock")["Rate"])
    seconds = (log["gc-minor"] + log["gc-collect-step"]) / rate_mhz / 1e6
    part = seconds / made.told["passed"]["maker"]
    mine = found["maker"] / sum(s.weight for s in samples if has(s, "maker"))
    assert mine == pytest.approx(part, abs=0.15)


def test_categories_of_sections(pypy, recorder):
    for made in (recorder(pypy, "blame.py", WALL), recorder(pypy, "phases.py", WALL)):
        profile = made.profile
        assert {GC, JIT} <= {category["name"] for category in profile.meta["categories"]}
        seen = set()
        for sample in profile.samples() + profile.samples_of(profile.runtime):
            for frame in sample.stack:
                if frame.name.startswith("gc-"):
                    assert (frame.category, frame.subcategory) == (GC, "Other"), frame
                elif frame.name.startswith("jit-"):
                    assert (frame.category, frame.subcategory) == (JIT, "Other"), frame
                else:
                    assert frame.category not in (GC, JIT), frame
                seen.add(frame.name)
            if sample.stack == ():
                continue
            inner = [f.name.startswith(("gc-", "jit-")) for f in sample.stack]
            assert inner == sorted(inner), "sections are leaves"
        assert {"gc-minor", "gc-collect-step", "jit-tracing", "running"} <= seen
        for marker in profile.markers():
            wanted = GC if "ollection" in marker.name else JIT
            rows = profile.runtime["markers"]
            at = rows["startTime"].index(marker.start)
            assert marker.name in [profile.strings[n] for n in rows["name"]]
            if profile.strings[rows["name"][at]] == marker.name:
                assert profile.meta["categories"][rows["category"][at]]["name"] == wanted


def test_without_phases(pypy, recorder, tmp_path):
    made = recorder(pypy, "blame.py", WALL)
    done = support.vmfox("convert", "-q", "--no-phases", made.capture, "-o", "-", cwd=tmp_path)
    assert (done.code, done.err) == (0, "")
    profile = support.Profile(json.loads(done.out))
    support.check_structure(profile.data)
    bare, whole = profile.samples(), made.profile.samples()
    assert len(bare) == len(whole)
    labelled = 0
    for mine, other in zip(bare, whole):
        assert (mine.time, mine.weight) == (other.time, other.weight)
        assert mine.stack == other.stack[:len(mine.stack)]
        assert not any(frame.category in (GC, JIT) for frame in mine.stack)
        labelled += mine.stack != other.stack
    assert labelled > 20
    assert section_of(made.profile, "PyPy")["Samples taken inside a section"].startswith(
        "%d have" % labelled)
    # The track stays.
    assert profile.runtime["samples"]["weight"] == made.profile.runtime["samples"]["weight"]
    assert profile.markers() == made.profile.markers()


# ---- markers and counters -----------------------------------------------------------------------


def test_markers_of_collections(pypy, recorder):
    made = recorder(pypy, "blame.py")
    profile = made.profile
    log = support.member(made.capture, "profile.pypylog")
    minors = profile.markers("Minor collection")
    assert len(minors) == log.count(b"minor collect, total memory used:")
    for marker, memory, survivors in zip(
            minors, re.findall(rb"total memory used: (\d+)", log),
            re.findall(rb"total size of surviving objects: (\d+)", log)):
        assert marker.start < marker.end
        assert marker.data["heap"] == int(memory)
        assert marker.data["survivors"] == int(survivors)
        assert marker.data["share"] == pytest.approx(
            marker.data["survivors"] / marker.data["nursery"], abs=0.001)
    majors, steps = profile.markers("Major collection"), profile.markers("Major collection step")
    assert len(steps) == log.count(b"{gc-collect-step")
    finished = [marker for marker in majors if "unfinished" not in marker.data]
    assert len(finished) == log.count(b"{gc-collect-done")
    for marker in finished:
        inside = [s for s in steps if marker.start <= s.start and s.end <= marker.end]
        assert len(inside) == marker.data["steps"]
        pauses = [s.end - s.start for s in inside]
        assert marker.data["pause"] == pytest.approx(sum(pauses), abs=0.001)
        assert marker.data["longest"] == pytest.approx(max(pauses), abs=0.001)
        with_fields(marker, "states", "after", "arenas", "rawBefore", "rawAfter", "threshold")
        assert marker.data["after"] == marker.data["arenas"] + marker.data["rawAfter"]
    for before, after in zip(majors, majors[1:]):
        assert before.end <= after.start
    assert len([m for m in majors if "unfinished" in m.data]) <= 1
    assert section_of(profile, "PyPy")["Collections"] == "%d minor, %d major (in %d steps)" % (
        len(minors), len(finished), len(steps))


def test_markers_of_traces(pypy, recorder):
    made = recorder(pypy, "blame.py")
    profile = made.profile
    traces = profile.markers("Trace") + profile.markers("Bridge")
    assert section_of(profile, "PyPy")["Traces"].startswith("%d begun" % len(traces))
    for function in ("maker", "thinker"):
        mine = [t for t in traces if t.data.get("function") == function]
        assert mine, function
        text = made.script.read_text().splitlines()
        first = 1 + text.index("def %s(end):" % function)
        for trace in mine:
            assert trace.data["file"] == str(made.script)
            assert first <= trace.data["line"] <= first + 5
            assert "%s blame.py:%d" % (function, trace.data["line"]) in trace.data["what"]
            with_fields(trace, "result", "recorded", "optimized", "guards", "code", "runs")
            assert 0 < trace.data["guards"] < trace.data["optimized"]
        assert max(trace.data["runs"] for trace in mine) > 100
    for trace in traces:
        parts = [trace.data[key] for key in ("tracing", "optimizing", "backend", "collecting")]
        assert all(part >= 0 for part in parts)
        assert sum(parts) <= trace.end - trace.start + 0.001
        assert sum(parts) > 0.5 * (trace.end - trace.start)


def test_counters(pypy, recorder):
    profile = recorder(pypy, "blame.py").profile
    counters = {counter["name"]: counter for counter in profile.counters}
    traces, bridges = profile.markers("Trace"), profile.markers("Bridge")
    end = profile.levels(counters["Machine code"])[-1][1]
    assert end == sum(t.data.get("code", 0) for t in traces + bridges)
    assert max(level for _, level in profile.levels(counters["Loops alive"])) <= len(traces)
    assert max(level for _, level in profile.levels(counters["Bridges alive"])) <= len(bridges)
    minors = profile.markers("Minor collection")
    levels = dict((round(time, 3), level)
                  for time, level in profile.levels(counters["Survivors"]))
    # The file holds the first row as a difference that the front-end does not use.
    for marker in minors[1:]:
        assert levels[round(marker.end, 3)] == marker.data["survivors"]
    heap = [level for _, level in profile.levels(counters["Heap in use"])]
    assert set(m.data["heap"] for m in minors[1:]) <= set(heap)


# ---- the front-end ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shown(front, recorder, pypy, tmp_path_factory):  # noqa: F811
    made = recorder(pypy, "blame.py")
    path = tmp_path_factory.mktemp("shown") / "profile.json.gz"
    assert support.vmfox("convert", "-q", made.capture, "-o", path, cwd=made.folder).code == 0
    return front.load(path), made


def test_the_track_in_the_front_end(shown):
    cli, made = shown
    threads = cli.threads()
    assert set(threads) - {"Machine code (pc samples)"} == {"MainThread", "PyPy runtime"}
    functions = cli.functions("PyPy runtime")
    run = functions["running"]["totalSamples"] + sum(
        s.weight for s in made.profile.samples_of(made.profile.runtime)
        if not has(s, "running"))
    for name in ("gc-minor", "gc-collect-step", "jit-tracing", "running"):
        mine = sum(s.weight for s in made.profile.samples_of(made.profile.runtime) if has(s, name))
        assert functions[name]["totalSamples"] == pytest.approx(mine, rel=0.001), name
        assert functions[name]["totalPercentage"] == pytest.approx(100 * mine / run, abs=0.1), name


def test_collections_in_the_front_end(shown):
    cli, made = shown
    functions = cli.functions("MainThread")
    samples = made.profile.samples()
    for name in ("gc-minor", "gc-collect-step", "maker"):
        mine = sum(s.weight for s in samples if has(s, name))
        assert functions[name]["totalSamples"] == pytest.approx(mine, rel=0.01), name


def test_markers_in_the_front_end(shown):
    cli, made = shown
    handle = cli.threads()["PyPy runtime"]["threadHandle"]
    answer = cli.ask("thread", "markers", "--thread", handle, "--list", "--limit", 0)
    mine = {}
    for marker in made.profile.markers():
        mine.setdefault(marker.name, []).append(marker)
    found = {}
    for marker in answer["flatMarkers"]:
        found.setdefault(marker["name"], []).append(marker)
    assert {name: len(rows) for name, rows in found.items()} == {
        name: len(rows) for name, rows in mine.items()}
    schemas = {schema["name"]: schema for schema in made.profile.meta["markerSchema"]}
    for name, rows in found.items():
        for theirs, marker in zip(rows, mine[name]):
            assert theirs["start"] == pytest.approx(marker.start, abs=0.001)
            assert theirs["duration"] == pytest.approx(marker.end - marker.start, abs=0.001)
            data = {key: value for key, value in marker.data.items() if key != "type"}
            fields = {field["key"]: field for field in theirs["fields"]}
            assert {key: field["value"] for key, field in fields.items()} == data
            labels = {f["key"]: f["label"] for f in schemas[marker.data["type"]]["fields"]}
            assert all(field["label"] == labels[key] for key, field in fields.items())
    trace = next(row for row in found["Trace"] if "thinker" in row["label"])
    values = {field["label"]: field["formattedValue"] for field in trace["fields"]}
    assert values["Function"] == "thinker" and values["File"] == str(made.script)
    assert re.fullmatch(r"[\d.]+(ms|\u03bcs)", values["Time tracing"])
    assert re.fullmatch(r"[\d.,]+K?B", values["Machine code"])
    assert re.fullmatch(r"[\d.,]+[KM]?B survived, [\d.,]+[KM]?B in use",
                        found["Minor collection"][-1]["label"])
    major = {f["label"]: f["formattedValue"] for f in found["Major collection"][1]["fields"]}
    assert re.fullmatch(r"(SCANNING|MARKING|SWEEPING|FINALIZING) \d+(, [A-Z]+ \d+)*",
                        major["Steps by state"])


def test_counters_in_the_front_end(shown):
    cli, made = shown
    counters = {counter["name"]: counter for counter in cli.ask("counter", "list")["counters"]}
    assert set(counters) == {"Heap in use", "Survivors", "Machine code", "Loops alive",
                             "Bridges alive", "Memory"}
    traces = made.profile.markers("Trace") + made.profile.markers("Bridge")
    written = sum(trace.data.get("code", 0) for trace in traces)
    assert (max(counters["Machine code"]["graph"]), counters["Machine code"]["unit"]) == (
        written, "bytes")


# ---- coverage -----------------------------------------------------------------------------------


def unit_ms(profile):
    """What a weight of 1 stands for, as Profile Info says."""
    return float(re.search(r"in units of ([\d.]+) ms",
                           section_of(profile, "Coverage")["Weights"]).group(1))


def test_weights_are_the_cpu_time(pypy, recorder):
    made = recorder(pypy, "blame.py")
    profile = made.profile
    rows = section_of(profile, "Coverage")
    assert "CPU time" in rows["Weights"] and "Samples that came" in rows and "Gaps" in rows
    samples = profile.samples()
    for name, seconds in made.told["spent"].items():
        mine = sum(s.weight for s in samples if has(s, name)) * unit_ms(profile) / 1e3
        assert mine == pytest.approx(seconds, rel=0.05), name
    whole = sum(s.weight for s in samples) * unit_ms(profile) / 1e3
    # The first samples come when the recording begins, after the interpreter's own start.
    assert made.told["cpu"] - 0.2 <= whole <= 1.05 * made.told["cpu"]


def test_weights_are_the_wall_time(pypy, recorder):
    made = recorder(pypy, "pause.py", WALL)
    profile, samples = made.profile, made.profile.samples()
    assert "wall time" in section_of(profile, "Coverage")["Weights"]
    whole = sum(s.weight for s in samples) * unit_ms(profile)
    assert whole == pytest.approx(samples[-1].time - samples[0].time, rel=0.01)
    # `work` is on the stack for a second of wall time, the pause within it.
    work = sum(s.weight for s in samples if has(s, "work")) * unit_ms(profile)
    begin, end = made.told["work"]
    assert work == pytest.approx((end - begin) / 1e6, rel=0.05)


def test_a_pause_is_marked(pypy, recorder):
    made = recorder(pypy, "pause.py", WALL)
    profile, at = made.profile, since_start(made)
    begin, end = [at(stamp) for stamp in made.told["longest"]]
    assert end - begin > 250
    markers = profile.markers("Samples missing", thread=profile.thread("MainThread"))
    longest = max(markers, key=lambda marker: marker.end - marker.start)
    assert longest.start == pytest.approx(begin, abs=EDGE_MS)
    assert longest.end == pytest.approx(end, abs=EDGE_MS)
    interval = longest.data["interval"]
    assert longest.data["gap"] == pytest.approx(longest.end - longest.start, abs=0.01)
    assert longest.data["missing"] == pytest.approx(longest.data["gap"] / interval - 1, rel=0.01)
    gaps = section_of(profile, "Coverage")["Gaps"]
    stated = re.search(r"^(\d+) of .* some (\d+) samples .* ([\d.]+) ms or ([\d.]+) %", gaps)
    assert int(stated.group(1)) == len(markers)
    assert int(stated.group(2)) == pytest.approx(sum(m.data["missing"] for m in markers), abs=1)
    late = sum(m.data["gap"] - m.data["interval"] for m in markers)
    assert float(stated.group(3)) == pytest.approx(late, abs=0.1) and late > 250
    samples = profile.samples()
    assert float(stated.group(4)) == pytest.approx(
        100 * late / (samples[-1].time - samples[0].time), abs=0.1)


def test_a_pause_takes_no_cpu_time(pypy, recorder):
    made = recorder(pypy, "pause.py")
    profile, at = made.profile, since_start(made)
    begin, end = [at(stamp) for stamp in made.told["longest"]]
    for marker in profile.markers("Samples missing", thread=profile.thread("MainThread")):
        assert marker.data["gap"] < 100, marker
    across = [s.weight for s in profile.samples() if s.time > end][0]
    assert across * unit_ms(profile) < 100
    assert not [s for s in profile.samples() if begin + EDGE_MS < s.time < end - EDGE_MS]


# ---- threads ------------------------------------------------------------------------------------


def test_two_threads_by_cpu_time(pypy, recorder):
    profile = recorder(pypy, "pair.py").profile
    weights = {}
    for name in ("maker", "thinker"):
        weights[name] = sum(s.weight for s in profile.samples(name) if s.stack[-1].category == GC)
    assert weights["maker"] > 0.9 * sum(weights.values()) > 0
    row = section_of(profile, "PyPy")["Samples taken inside a section"]
    labelled = sum(1 for s in profile.all_samples() if s.stack[-1].category in (GC, JIT))
    assert row.startswith("%d have it as their leaf; " % labelled)


def test_two_threads_by_wall_time(pypy, recorder):
    """Samples of the main thread, while another is in the section."""
    made = recorder(pypy, "pair.py", WALL)
    profile = made.profile
    assert profile.markers("Minor collection")
    assert not [s for s in profile.all_samples() for f in s.stack if f.category in (GC, JIT)]
    row = section_of(profile, "PyPy")["Samples taken inside a section"]
    assert row.startswith("not shown in the stacks: ") and "several threads" in row


# ---- without ------------------------------------------------------------------------------------


def test_cpython_has_no_such_track(cpython, recorder):
    profile = recorder(cpython, "shares.py").profile
    assert profile.runtime is None
    labels = [section["label"] for section in profile.meta["extra"]]
    assert "PyPy" not in labels and "Clock" not in labels and "Coverage" in labels
    assert not [f for f in profile.frames if f.name.startswith(("gc-", "jit-"))]


def test_no_log_no_track(pypy, recorder):
    made = recorder(pypy, "blame.py", "--no-pypylog")
    assert made.profile.runtime is None
    assert not [f for f in made.profile.frames if f.category in (GC, JIT)]
    assert [counter["name"] for counter in made.profile.counters] == ["Memory"]


# ---- a full folder ------------------------------------------------------------------------------


def test_a_full_temporary_folder_costs_the_logs_and_not_the_samples(pypy, tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2000k", "tmpfs", str(small)]
    if os.geteuid() != 0 or subprocess.run(mount, stderr=subprocess.DEVNULL).returncode != 0:
        pytest.skip("needs a file system that can be full")
    try:
        # The program itself takes most of the room.
        program = tmp_path / "takes_room.py"
        program.write_text("import os\n"
                           "with open(os.environ['TMPDIR'] + '/its-own', 'wb') as file:\n"
                           "    file.write(bytes(1600000))\n" +
                           (support.PROGRAMS / "blame.py").read_text(encoding="utf-8"))
        done = support.vmfox("record", "-o", "x.vmfox", pypy, program,
                             cwd=tmp_path, env=support.environment(tmp_path, TMPDIR=str(small)))
    finally:
        subprocess.run(["umount", str(small)], check=True)
    assert done.code == 0
    assert "PyPy's logs are left out" in done.err
    profile = support.convert(tmp_path / "x.vmfox", tmp_path)
    assert len(profile.samples()) > 50 and profile.runtime is None


# ---- children and sudden ends -------------------------------------------------------------------


FORKS = """
import os
for turn in range(200):
    junk = [[i] * (turn * 37 % 101) for i in range(400 + turn * 7919 % 3001)]
    pid = os.fork()
    if pid == 0:
        kept = [[i] * 50 for i in range(20000)]
        os._exit(0)
    os.waitpid(pid, 0)
print(os.environ.get("PYPYLOG"))
"""


def test_children_that_collect_write_no_log(pypy, tmp_path):
    """PyPy opens its log anew in a child, at the first section."""
    (tmp_path / "forks.py").write_text(FORKS)
    done = support.record(pypy, "forks.py", cwd=tmp_path)
    assert (done.code, done.out, done.err) == (0, "None\n", "")


KILLED = """
import os, signal
def hot(n):
    total = 0
    for i in range(n):
        total = total * 31 + i & 0xffff
    return total
for _ in range(30):
    hot(300000)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_of_a_killed_program_nobody_knows_how_often_a_trace_was_entered(pypy, tmp_path):
    """The counters are written at the end."""
    (tmp_path / "killed.py").write_text(KILLED)
    assert support.record(pypy, "killed.py", cwd=tmp_path).code == 137
    profile = support.convert(tmp_path / "x.vmfox", tmp_path)
    traces = profile.markers("Trace")
    assert [t for t in traces if t.data.get("function") == "hot"]
    assert all("runs" not in trace.data for trace in traces)
    assert any(trace.data["optimized"] > 3 for trace in traces)
