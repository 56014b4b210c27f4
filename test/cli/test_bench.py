"""bench/run: what it makes larger inputs of is still what was recorded, and a report keeps what it
did not measure."""
import collections
import subprocess
import sys
import zipfile

import pytest

import support
from support import vmfox

sys.path.insert(0, str(support.ROOT / "bench"))
from parts import figures, goals, inputs, overhead, prof  # noqa: E402

TIMES = 7


@pytest.fixture(scope="module")
def made(recorder, pypy, tmp_path_factory):
    """A recording's .prof, and the same with each sample seven times."""
    capture = recorder(pypy, "phases.py").capture
    folder = tmp_path_factory.mktemp("bench")
    (folder / "one.prof").write_bytes(support.member(capture, "profile.prof"))
    (folder / "log").write_bytes(support.member(capture, "profile.pypylog"))
    row = prof.repeat(folder / "one.prof", folder / "large.prof", 0, TIMES)
    return capture, folder, row


def test_repeated_samples_are_the_same_in_another_order(made):
    _, folder, row = made
    one, large = (prof.Recording(folder / name) for name in ("one.prof", "large.prof"))
    assert row["samples"] == len(large.samples) == TIMES * len(one.samples)
    assert large.samples != one.samples * TIMES
    counts = collections.Counter(one.samples)
    assert collections.Counter(large.samples) == {key: TIMES * n for key, n in counts.items()}
    profiles = [support.convert(name, folder) for name in ("one.prof", "large.prof")]
    ends = [profile.meta["profilingEndTime"] for profile in profiles]
    assert ends[1] == pytest.approx(TIMES * ends[0], rel=0.01)
    # A true shuffle: each part of the file has samples of each part of the recording.
    number = {sample: i for i, sample in enumerate(one.samples)}
    first = [number[sample] for sample in large.samples[:len(one.samples)]]
    assert len(set(first)) < len(one.samples) and max(first) > 0.8 * len(one.samples)


def test_a_size_is_met(made):
    _, folder, _ = made
    row = prof.repeat(folder / "one.prof", folder / "size.prof", 1000000)
    assert row["size"] == pytest.approx(1000000, rel=0.01)
    assert row["size"] == (folder / "size.prof").stat().st_size


def test_a_large_vmfox_is_a_recording(made):
    capture, folder, row = made
    inputs.write_bundle(capture, folder / "large.prof", row["samples"], folder / "large.vmfox")
    with zipfile.ZipFile(capture) as old, zipfile.ZipFile(folder / "large.vmfox") as new:
        assert old.namelist() == new.namelist()
        assert new.getinfo("stamps.i64").file_size == 8 * row["samples"]
    done = vmfox("convert", "-o", "large.json", "large.vmfox", cwd=folder)
    assert (done.code, done.err.count("\n")) == (0, 1), done.err  # what it wrote, and no warning
    times = [sample.time for sample in support.load_profile(folder / "large.json").samples()]
    assert times == sorted(times)
    assert times[-1] > 0.8 * TIMES * max(times[:row["samples"] // TIMES])


def test_a_long_log_is_one_log(made):
    _, folder, _ = made
    size = 5 * (folder / "log").stat().st_size
    times = inputs.write_log(folder / "log", folder / "long.log", size)
    assert times in (4, 5, 6)
    assert (folder / "long.log").stat().st_size == pytest.approx(size, rel=0.2)
    done = vmfox("convert", "-o", "log.json", "large.prof", "--pypylog", "long.log", cwd=folder)
    assert done.code == 0
    assert "logs stand in the file" not in done.err and "closes" not in done.err
    vmfox("convert", "-q", "-o", "one.json", "one.prof", "--pypylog", "log", cwd=folder)
    one, long = (support.load_profile(folder / name) for name in ("one.json", "log.json"))
    for name in ("Minor collection", "Trace"):
        counts = [len(profile.markers(name)) for profile in (one, long)]
        assert counts[0] > 0 and counts[1] == pytest.approx(times * counts[0], rel=0.1), name


OLD = """# Results

Written by `bench/run`; what is measured and how is in [README.md](README.md).

## Goals

| goal |  | figure | part |
|---|---|---|---|
| `view`: its URL within 0.3 s | met | 0.1 s (0.1 s to 0.2 s) | `startup` |

## Conversion

Of another day.

| a | b |
|---|--:|
| c | 1 |
"""


def test_a_report_keeps_what_was_not_measured(tmp_path):
    (tmp_path / "old.md").write_text(OLD)
    done = subprocess.run([support.ROOT / "bench/run", "report", "--work", tmp_path / "empty",
                           "--out", tmp_path / "old.md"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "old.md").read_text() == OLD
    assert "1 goals met, 0 missed, 0 not measured" in done.stdout


def test_goals_for_a_large_input_are_not_judged_on_a_small_one():
    assert goals.for_size("g", {"size": 1e9}, True, "")["verdict"] == goals.MET
    assert goals.for_size("g", {"size": 1e9}, False, "")["verdict"] == goals.MISSED
    assert goals.for_size("g", {"size": 1e8}, True, "")["verdict"] == goals.OPEN


def test_an_interval_is_of_the_rounds_own_ratios():
    base = [1.0, 2.0, 4.0, 8.0, 1.0]
    assert figures.percent_interval([1.5 * value for value in base], base) == (50, 50, 50)
    middle, low, high = figures.percent_interval([1.01, 2.04, 4.12, 8.32, 1.05], base)
    assert 0.9 < low < middle < high < 5.1 and middle == pytest.approx(3)


def program_row(more, samples):
    """Five rounds of the word count, alone and under vmfox with so many samples a CPU second."""
    def runs(cpu, count):
        return [{"wall": 2.0, "cpu": cpu, "own": 0.02, "samples": count,
                 "handler": 9.0}] * 5
    return {"program": "word count", "by": "PyPy", "start": 0.1, "runs": {
        overhead.ALONE: runs(2.0, None),
        overhead.VMFOX: runs(2 * more, round((2 * more - 0.1) * samples)),
        overhead.FAST: runs(2 * more, 2000), overhead.VMPROF: runs(2.0, 500)}}


@pytest.mark.parametrize("more, samples, verdict", [
    (1.01, 250, goals.MET), (1.01, 100, goals.MISSED), (1.03, 250, goals.MISSED),
    (0.9, 250, goals.OPEN)])
def test_a_cost_counts_only_with_the_samples_that_were_asked_for(more, samples, verdict):
    found = overhead.goals([program_row(more, samples)])
    assert [goal["verdict"] for goal in found] == [verdict, goals.MET]
    assert "%.0f samples a CPU second" % samples in found[0]["figure"]
    assert found[1]["figure"] == "word count (PyPy) 1.0 %"
    out = []
    overhead.report(out, [program_row(more, samples)])
    assert any(overhead.VMFOX in line and "1.0 %" in line for line in out)
