"""Recordings in which each sample has its instruction (interrupted.i64): what the commands show of
it.  They are made of one that has addresses beside the samples: each sample gets the one that was
taken nearest to it."""
import bisect
import json
import random
import re
import shutil
import struct
import sys
import zipfile

import pytest

import jitlog_reader
import support

RECORDING = support.DATA / "pypy.vmfox"


def nearest_rows(capture):
    """(thread, instruction) for each sample."""
    stamps = [stamp for stamp, in struct.iter_unpack("<q", support.member(capture, "stamps.i64"))]
    pcs = sorted(struct.iter_unpack("<qQQ", support.member(capture, "pc.i64")))
    times = [time for time, _, _ in pcs]
    found = []
    for stamp in stamps:
        at = bisect.bisect(times, stamp)
        near = min(pcs[max(at - 1, 0):at + 1], key=lambda row: abs(row[0] - stamp))
        found.append(near[1:])
    return found


def make(path, rows, without=(), **fields):
    """RECORDING with the column (bytes, or rows), fewer members, and more fields."""
    if not isinstance(rows, bytes):
        rows = b"".join(struct.pack("<QQ", *row) for row in rows)
    with zipfile.ZipFile(RECORDING) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "capture.json":
                content = json.dumps({**json.loads(content), **fields})
            if name not in without:
                new.writestr(name, content)
        new.writestr("interrupted.i64", rows)
    return path


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    folder = tmp_path_factory.mktemp("told")
    return make(folder / "told.vmfox", nearest_rows(RECORDING), ["pc.i64"])


@pytest.fixture(scope="module")
def traces():
    found = jitlog_reader.traces(support.member(RECORDING, "profile.jitlog"))
    return [trace for trace in found if trace.bounds]


def hits(traces, rows):
    """How many instructions are in each trace, by its number."""
    counts = {trace.id: 0 for trace in traces}
    for _, ip in rows:
        for trace in traces:
            counts[trace.id] += trace.bounds[0] <= ip < trace.bounds[1]
    return counts


def test_hits_are_in_the_program_s_own_threads(told, traces, tmp_path):
    profile = support.convert(told, tmp_path)
    support.check_structure(profile.data)
    assert profile.addresses is None
    expected = {number: count for number, count in hits(traces, nearest_rows(RECORDING)).items() if count}
    assert sum(expected.values()) > 20
    found = {}
    for sample in profile.all_samples():
        leaf = sample.stack[-1]
        if leaf.lib == "PyPy JIT" and leaf.line:
            number = int(re.search(r"(\d+)", leaf.name).group(1))
            found[number] = found.get(number, 0) + 1
    assert found == expected
    facts = profile.facts()
    assert facts["In the trace at work"].startswith("%d sample" % sum(expected.values()))
    assert "Samples with an instruction" not in facts


def test_every_sample_is_in_the_thread_of_its_row(told, tmp_path):
    profile = support.convert(told, tmp_path)
    rows = nearest_rows(RECORDING)
    for thread in profile.threads:
        count = sum(tid == int(thread["tid"]) for tid, _ in rows)
        assert thread["samples"]["length"] == count > 0
    assert sorted(profile.names()) == ["MainThread", "helper"]


def test_the_terminal_shows_the_same_hits(told, traces, tmp_path):
    expected = hits(traces, nearest_rows(RECORDING))
    number = max(expected, key=expected.get)
    table = support.vmfox("jit", told, cwd=tmp_path)
    assert (table.code, table.err) == (0, "")
    whole = len(nearest_rows(RECORDING))
    assert "%% addr: of %d instruction addresses" % whole in table.out
    shares = {int(re.search(r"(?:loop|bridge) (\d+)", line).group(1)): float(line.split()[1])
              for line in table.out.split("\n\n")[0].splitlines()[1:]}
    assert shares[number] == pytest.approx(100 * expected[number] / whole, abs=0.006)
    shown = support.vmfox("jit", told, str(number), cwd=tmp_path).out
    assert "instruction addresses: %d of %d" % (expected[number], whole) in shown
    # Each hit is on an operation or note, and on the instruction below it.
    counted = [int(line.split()[0]) for line in shown.splitlines()
               if re.match(r" +\d+ +\d+\.\d% \+0x", line)]
    assert sum(counted) == 2 * expected[number]


def test_with_addresses_as_well_both_are_shown(told, tmp_path):
    both = support.convert(make(tmp_path / "both.vmfox", nearest_rows(RECORDING)), tmp_path)
    without = support.convert(told, tmp_path)
    before = support.convert(RECORDING, tmp_path)
    assert both.addresses["name"] == "Machine code (pc samples)"
    assert both.samples_of(both.addresses) == before.samples_of(before.addresses)
    assert both.all_samples() == without.all_samples()


def test_a_part_has_its_own_hits(told, traces, tmp_path):
    part = support.convert(told, tmp_path, "--thread", "helper")
    whole = support.convert(told, tmp_path)
    assert part.samples("helper") == whole.samples("helper")
    assert part.names() == ["helper"]
    assert part.facts()["Samples with their instruction"].startswith(
        "%d:" % len(part.samples("helper")))


def test_a_thread_that_c_code_started_has_a_track(recorder, python):
    made = recorder(python, "cthread.py")
    tid = made.told["tid"]
    profile = made.profile
    assert sorted(profile.names()) == ["MainThread", "Thread %d" % tid]
    assert int(profile.thread("Thread %d" % tid)["tid"]) == tid
    samples = profile.samples("Thread %d" % tid)
    inside = [s for s in samples if "in_thread" in [frame.name for frame in s.stack]]
    assert len(inside) > 0.8 * len(samples) > 20
    assert not any("in_thread" in [frame.name for frame in s.stack] for s in profile.samples())


def test_so_it_has_where_no_other_thread_works(python, tmp_path):
    """Without events of the kernel's it needs a timer that only the program can make, at a signal."""
    sys.path.insert(0, str(support.ROOT / "test"))
    from trials import places
    shutil.copy(support.PROGRAMS / "cthread.py", tmp_path)
    done = support.run([places.built("refuse.c"), "perf_event_open", "--", support.VMFOX, "record",
                        "-q", "-o", "x.vmfox", python, "cthread.py", "idle"], cwd=tmp_path)
    assert (done.code, done.err) == (0, b"")
    profile = support.convert(tmp_path / "x.vmfox", tmp_path)
    assert profile.facts()["Timer"].startswith("CPU time of each thread, in ticks")
    samples = profile.samples("Thread %d" % json.loads(done.out)["tid"])
    assert len([s for s in samples if "in_thread" in [f.name for f in s.stack]]) > 60


def test_what_the_recording_tells_of_the_recorder_is_said(tmp_path):
    cost = {"samples": 47, "handler_ns": 470000, "recorder_cpu_ns": 5000000,
            "program_cpu_ns": 94000000}
    made = make(tmp_path / "x.vmfox", nearest_rows(RECORDING), channel="ring", stamps="program",
                timer="perf", records_left_out=3, cost=cost)
    facts = support.convert(made, tmp_path).facts()
    assert facts["Channel"].startswith("shared memory")
    assert facts["Records left out"].startswith("3:")
    assert "stamped in the program" in facts["Sample times"]
    assert facts["A sample"].startswith("10.00 \u00b5s in the signal handler")
    assert facts["All samples"].startswith("0.5 ms, 0.50 % of the program's CPU time")


@pytest.mark.parametrize("seed", range(12))
def test_damage_is_said_and_loses_no_sample(seed, tmp_path):
    dice = random.Random(seed)
    rows = b"".join(struct.pack("<QQ", *row) for row in nearest_rows(RECORDING))
    count, said = len(rows) // 16, None
    if seed % 3 == 0:
        rows = rows[:dice.randrange(1, len(rows))]
        said = "interrupted.i64 ends within a row" if len(rows) % 16 else "threads and instructions"
    elif seed % 3 == 1:
        rows = dice.randbytes(len(rows))
    else:
        rows += dice.randbytes(16 * dice.randrange(1, 9))
        said = "threads and instructions of"
    made = make(tmp_path / "x.vmfox", rows, ["pc.i64"] if seed % 2 else [])
    done = support.vmfox("convert", made, "-o", "-", cwd=tmp_path)
    assert done.code == 0 and (said is None or said in done.err)
    profile = support.Profile(json.loads(done.out))
    support.check_structure(profile.data)
    assert len(profile.all_samples()) == count
