"""--from, --to, --thread, --pid: parts of a recording; --max-samples: fewer samples, the same totals."""
import collections
import os

import pytest

import support
from support import vmfox


def convert(source, folder, *options):
    out = folder / "x.jslb.gz"
    done = vmfox("convert", "-q", *options, source, "-o", out, cwd=folder)
    assert done.code == 0, done.err
    return support.load_profile(out)


def extra(profile, label):
    """A section of Profile Info."""
    return {entry["label"]: entry["value"] for section in profile.meta["extra"]
            if section["label"] == label for entry in section["entries"]}


def times(thread):
    now, all_times = 0, []
    for delta in thread["samples"]["timeDeltas"]:
        now += delta
        all_times.append(now)
    return all_times


def weights(thread):
    samples = thread["samples"]
    return samples["weight"] or [1] * samples["length"]


def totals(profile, thread):
    """Weight by stack, as names of functions and lines."""
    found = collections.Counter()
    for stack, weight in zip(thread["samples"]["stack"], weights(thread)):
        found[None if stack is None else profile.stacks[stack]] += weight
    return found


def rows(profile, thread):
    """Each sample's time, stack and weight."""
    samples = thread["samples"]
    return [(round(time, 6), None if stack is None else profile.stacks[stack], weight)
            for time, stack, weight in zip(times(thread), samples["stack"], weights(thread))]


def used_stacks(profile):
    """Rows that samples lead to, themselves or by a parent."""
    table, used = profile.shared["stackTable"], set()
    for thread in profile.data["threads"]:
        for stack in thread["samples"]["stack"]:
            while stack is not None and stack not in used:
                used.add(stack)
                offset = table["prefixOffset"][stack]
                stack = stack - offset if offset else None
    return used


@pytest.fixture(scope="module")
def recorded(recorder, python):
    return recorder(python, "threads.py")


def test_the_parts_of_a_recording_are_the_whole(recorded, tmp_path):
    whole = convert(recorded.capture, tmp_path)
    end = whole.meta["profilingEndTime"] / 1e3
    cuts = [end / 3, end / 2]
    parts = [convert(recorded.capture, tmp_path, "--to", "%.6f" % cuts[0]),
             convert(recorded.capture, tmp_path, "--from", "%.6f" % cuts[0], "--to",
                     "%.6f" % cuts[1]),
             convert(recorded.capture, tmp_path, "--from", "%.6f" % cuts[1])]
    for thread in whole.threads:
        together = []
        for part in parts:
            same = [t for t in part.threads if t["tid"] == thread["tid"]]
            together += rows(part, same[0]) if same else []
        assert together == rows(whole, thread)
    for part in parts:
        assert used_stacks(part) == set(range(part.shared["stackTable"]["length"]))


def test_a_part_shows_nothing_of_what_is_outside(recorded, tmp_path):
    whole = convert(recorded.capture, tmp_path)
    end = whole.meta["profilingEndTime"]
    start, stop = end * 0.4, end * 0.6
    part = convert(recorded.capture, tmp_path, "--from", "%.6f" % (start / 1e3), "--to",
                   "%.6f" % (stop / 1e3))
    assert part.meta["profilingStartTime"] == pytest.approx(start, abs=1e-3)
    assert part.meta["profilingEndTime"] == pytest.approx(stop, abs=1e-3)
    for thread in part.data["threads"]:
        assert all(start - 1e-3 <= time <= stop + 1e-3 for time in times(thread))
        for begin, until in zip(thread["markers"]["startTime"], thread["markers"]["endTime"]):
            assert begin <= stop + 1e-3 and (begin if until is None else until) >= start - 1e-3
    for counter in part.counters:
        assert all(start - 1e-3 <= time <= stop + 1e-3 for time in counter["samples"]["time"])
    assert extra(part, "Part of the recording")["Time"].startswith("%.3f s to %.3f s of" % (
        start / 1e3, stop / 1e3))


def level_at(counter, time):
    """What the front-end draws at that time: straight lines between the rows."""
    rows = list(zip(counter["samples"]["time"], counter["samples"]["number"]))[1:]
    for (start, before), (end, after) in zip(rows, rows[1:]):
        if start <= time < end:
            return before + (after - before) * (time - start) / (end - start)
    return None


def test_counters_are_drawn_as_in_the_whole(recorder, pypy, tmp_path):
    made = recorder(pypy, "shares.py")
    whole = convert(made.capture, tmp_path)
    end = whole.meta["profilingEndTime"]
    start, stop = round(end * 0.5, 3), round(end * 0.75, 3)
    part = convert(made.capture, tmp_path, "--from", "%.6f" % (start / 1e3), "--to",
                   "%.6f" % (stop / 1e3))
    compared = 0
    for counter in part.counters:
        (same,) = [c for c in whole.counters if c["name"] == counter["name"]]
        for step in range(100):
            time = start + (stop - start) * (step + 0.5) / 100
            then = level_at(same, time)
            if then is not None:
                assert level_at(counter, time) == pytest.approx(then, rel=1e-6, abs=1e-3)
                compared += 1
    assert compared >= 100


def test_one_thread_by_name_and_by_id(recorded, tmp_path):
    whole = convert(recorded.capture, tmp_path)
    tailor = next(t for t in whole.threads if t["name"] == "tailor")
    for word in ("tailor", str(tailor["tid"])):
        part = convert(recorded.capture, tmp_path, "--thread", word)
        (thread,) = part.threads
        assert thread["name"] == "tailor" and rows(part, thread) == rows(whole, tailor)
        assert used_stacks(part) == set(range(part.shared["stackTable"]["length"]))
    two = convert(recorded.capture, tmp_path, "--thread", "tailor,MainThread")
    assert sorted(t["name"] for t in two.threads) == ["MainThread", "tailor"]


def test_the_process(recorded, tmp_path):
    pid = recorded.told["pid"]
    assert convert(recorded.capture, tmp_path, "--pid", pid).data["threads"]
    done = vmfox("convert", "--pid", pid + 1, recorded.capture, cwd=tmp_path)
    assert done.code == 1 and "there is no process %d in it; it is of process %d" % (
        pid + 1, pid) in done.err


@pytest.mark.parametrize("options, code, said", [
    (["--from", "x"], 2, "--from takes seconds"),
    (["--from", "-1"], 2, "--from takes seconds"),
    (["--to", "0"], 2, "--to must be later than 0"),
    (["--from", "2", "--to", "1"], 2, "--to must be later than --from"),
    (["--from", "9999"], 1, "there is nothing from 9999.000 s on"),
    (["--thread", "nobody"], 1, "there is no thread nobody; there are MainThread ("),
    (["--thread", ""], 2, "--thread takes names or ids"),
    (["--pid", "x"], 2, "--pid takes the number of a process"),
    (["--max-samples", "0"], 2, "--max-samples takes a number"),
    (["--max-samples", "many"], 2, "--max-samples takes a number"),
])
def test_what_can_not_be_cut_is_said(recorded, tmp_path, options, code, said):
    done = vmfox("convert", *options, recorded.capture, "-o", tmp_path / "x.json", cwd=tmp_path)
    assert done.code == code and said in done.err
    assert not (tmp_path / "x.json").exists()


def test_a_part_without_samples_is_said(recorded, tmp_path):
    done = vmfox("convert", "--to", "0.000001", recorded.capture, "-o", tmp_path / "x.json",
                 cwd=tmp_path)
    assert done.code == 0 and "there are no samples in the part that was asked for" in done.err


def test_every_command_takes_them(recorded, tmp_path):
    for command in ("convert", "share", "jit", "view", "run"):
        text = vmfox(command, "--help", cwd=tmp_path).out
        assert "--from" in text and "--thread" in text
        assert ("--max-samples" in text) == (command != "jit")


@pytest.mark.parametrize("limit", [10, 50, 200])
def test_thinned_samples_have_the_same_totals(recorder, python, tmp_path, limit):
    made = recorder(python, "shares.py")
    whole = convert(made.capture, tmp_path)
    thin = convert(made.capture, tmp_path, "--max-samples", limit)
    before = sum(t["samples"]["length"] for t in whole.threads)
    after = sum(t["samples"]["length"] for t in thin.threads)
    stacks = len(totals(whole, whole.threads[0]))
    assert after < before and after <= max(limit, 4 * stacks)
    for thread, same in zip(whole.data["threads"], thin.data["threads"]):
        now, then = totals(thin, same), totals(whole, thread)
        assert set(now) == set(then)
        for stack, weight in then.items():
            # Each is written with six digits behind the point.
            assert now[stack] == pytest.approx(weight, rel=1e-5,
                                               abs=1e-6 * thread["samples"]["length"])
        if thread["samples"].get("threadCPUDelta"):
            assert sum(filter(None, same["samples"]["threadCPUDelta"])) == pytest.approx(
                sum(filter(None, thread["samples"]["threadCPUDelta"])), rel=1e-3)
        kept = rows(thin, same)
        assert {row[:2] for row in kept} <= {row[:2] for row in rows(whole, thread)}
        assert [row[0] for row in kept] == sorted(row[0] for row in kept)
    assert "Thinned" in extra(thin, "Samples")


def test_the_ends_of_runs_stay(recorder, pypy, tmp_path):
    """Where leaving out samples inside of runs is enough, each change of the stack stays."""
    made = recorder(pypy, "shares.py")
    whole = convert(made.capture, tmp_path, "--no-phases")
    main = rows(whole, whole.threads[0])
    stacks = whole.threads[0]["samples"]["stack"]  # frames of two may differ in the address alone
    ends = [row for i, row in enumerate(main) if i in (0, len(main) - 1)
            or stacks[i - 1] != stacks[i] or stacks[i + 1] != stacks[i]]
    if len(ends) >= len(main):
        pytest.skip("there are no three samples of one stack behind each other")
    thin = convert(made.capture, tmp_path, "--no-phases", "--max-samples", len(ends))
    kept = rows(thin, thin.threads[0])
    assert [row[:2] for row in kept] == [row[:2] for row in ends]


def test_enough_is_enough(recorded, tmp_path):
    whole = convert(recorded.capture, tmp_path)
    thin = convert(recorded.capture, tmp_path, "--max-samples", 10**9)
    assert thin.data["threads"] == whole.data["threads"]
    assert "Thinned" not in extra(thin, "Samples")


def test_a_finished_file_has_no_parts(recorded, tmp_path):
    out = tmp_path / "x.jslb"
    assert vmfox("convert", "-q", recorded.capture, "-o", out, cwd=tmp_path).code == 0
    for command in (["view", "--no-open", "--from", "1"], ["convert", "--thread", "x"],
                    ["view", "--no-open", "--max-samples", "5"]):
        done = vmfox(*command, out, *(["-o", "y.json"] if command[0] == "convert" else []),
                     cwd=tmp_path)
        assert done.code == 1 and "needs the recording" in done.err


def test_no_source_of_what_was_cut(recorded, tmp_path):
    part = convert(recorded.capture, tmp_path, "--thread", "tailor")
    used = {frame.file for thread in part.data["threads"] for sample in part.samples_of(thread)
            for frame in sample.stack}
    assert {name for name, text in part.sources().items()
            if text is not None and not name.endswith("iongraph.json")} <= used


def test_the_runtimes_figures_are_of_the_whole(recorder, pypy, tmp_path):
    made = recorder(pypy, "shares.py")
    whole = convert(made.capture, tmp_path)
    end = whole.meta["profilingEndTime"] / 1e3
    for window in (["--to", "%.6f" % (end / 4)], ["--from", "%.6f" % (end / 2)]):
        part = convert(made.capture, tmp_path, *window)
        of_part, of_whole = extra(part, "PyPy"), extra(whole, "PyPy")
        for figures in (of_part, of_whole):
            figures.pop("Samples taken inside a section", None)
        assert of_part == of_whole
        assert extra(part, "Clock") == extra(whole, "Clock")


def test_a_counter_without_a_level_in_the_part_is_left_out(recorder, pypy, tmp_path):
    made = recorder(pypy, "shares.py")
    end = convert(made.capture, tmp_path).meta["profilingEndTime"]
    for window in ((0, 1), (end - 0.01, end)):
        part = convert(made.capture, tmp_path, "--from", "%.6f" % (window[0] / 1e3), "--to",
                       "%.6f" % (window[1] / 1e3 + 1e-6))
        for counter in part.counters:
            assert all(window[0] - 1e-3 <= time <= window[1] + 1e-2
                       for time in counter["samples"]["time"])


def test_traces_of_other_threads_are_not_counted(tmp_path):
    """The figures of two threads are together those of both."""
    capture = os.path.join(support.DATA, "pypy.vmfox")
    key = "Samples that end in native code"
    both = int(convert(capture, tmp_path).facts()[key].split(";")[0])
    parts = [convert(capture, tmp_path, "--thread", name).facts()
             for name in ("MainThread", "helper")]
    assert sum(int(facts[key].split(";")[0]) for facts in parts if key in facts) == both
