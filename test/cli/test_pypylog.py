"""vmfox convert --pypylog: a log that was kept apart from the recording, whole or damaged."""
import json
import re

import pytest

import builder
import support

SHARED = support.ROOT.parent / "shared" / "data"
TOTAL = re.compile(rb"\n\[[0-9a-f]+\] \{jit-summary\n.*?jit-summary\}", re.DOTALL)

# Two collections with a trace between them, within which is a third; as PyPy writes it.
SMALL = b"""\
[100000000] {gc-minor
minor collect, total memory used: 1000
number of pinned objects: 0
total size of surviving objects: 400
[100027100] gc-minor}
[1000c3500] {jit-tracing
[1000d6d80] {gc-minor
minor collect, total memory used: 2000
number of pinned objects: 0
total size of surviving objects: 500
[1000ea600] gc-minor}
[100111700] jit-tracing}
[100138800] {gc-minor
minor collect, total memory used: 3000
number of pinned objects: 0
total size of surviving objects: 600
[10014c080] gc-minor}
"""


def clock(profile):
    (section,) = [s for s in profile.meta["extra"] if s["label"] == "Clock"]
    return {entry["label"]: entry["value"] for entry in section["entries"]}


def rate_mhz(profile):
    return float(clock(profile)["Rate"].split()[0])


def weights(profile):
    found = {}
    for sample in profile.samples_of(profile.runtime):
        path = " > ".join(frame.name for frame in sample.stack)
        found[path] = found.get(path, 0) + sample.weight
    return found


def convert(tmp_path, prof, log):
    """(profile, what was said): a recording of two seconds, or `prof`, with a log of these bytes.
    That the times of what is shown are an estimate is always said, and is left out here."""
    (tmp_path / "x.prof").write_bytes(prof or builder.small_prof())
    (tmp_path / "x.log").write_bytes(log)
    done = support.vmfox("convert", "--pypylog", "x.log", "x.prof", "-o", "-", cwd=tmp_path)
    assert done.code == 0, done.err
    profile = support.Profile(json.loads(done.out))
    support.check_structure(profile.data)
    guess = re.findall(r"^vmfox: warning: x\.prof: PYPYLOG: the times of .* ESTIMATE: .*\n",
                       done.err, re.M)
    assert len(guess) == (profile.runtime is not None)
    return profile, done.err.replace("".join(guess), "")


@pytest.fixture(scope="module")
def apart(pypy, recorder):
    """A recording, and the two files that an older tool would have kept of it."""
    made = recorder(pypy, "blame.py")
    return (made, support.member(made.capture, "profile.prof"),
            support.member(made.capture, "profile.pypylog"))


# ---- estimates ----------------------------------------------------------------------------------


def test_the_rate_comes_from_the_jits_stopwatch(apart, tmp_path):
    made, prof, log = apart
    profile, said = convert(tmp_path, prof, log)
    row = clock(profile)["Source"]
    assert row.startswith("ESTIMATE: ") and "jit-summary" in row
    assert rate_mhz(profile) == pytest.approx(rate_mhz(made.profile), rel=0.01)
    assert "not known" in clock(profile)["Error"]
    # Durations are right to that; what is left out (before the recording) is said.
    mine, measured = profile.markers("Minor collection"), made.profile.markers("Minor collection")
    assert 100 < len(mine) <= len(measured)
    assert sum(m.end - m.start for m in mine) == pytest.approx(
        sum(m.end - m.start for m in measured[-len(mine):]), rel=0.01)
    assert not re.sub(
        r"vmfox: warning: x\.prof: PYPYLOG: line 1: \d+ sections lie before .*\n", "", said)
    # Neither kind of time is measured, so they don't meet in the stacks.
    assert not [f for s in profile.samples() for f in s.stack if f.name.startswith("gc-")]


def test_without_it_both_ends_are_the_run(apart, tmp_path):
    _, prof, log = apart
    bare, count = TOTAL.subn(b"", log)
    assert count == 1
    profile, said = convert(tmp_path, prof, bare)
    row = clock(profile)["Source"]
    assert row.startswith("ESTIMATE: ") and "two ends" in row and said == ""
    stamps = [int(stamp, 16) for stamp in re.findall(rb"^\[([0-9a-f]+)\] ", bare, re.M)]
    samples = profile.samples_of(profile.runtime)
    run = sum(sample.weight for sample in samples)
    assert rate_mhz(profile) == pytest.approx((stamps[-1] - stamps[0]) / run / 1e3, rel=1e-4)
    assert samples[0].time == 0 and "running" not in samples[0].stack[0].name


def test_readings_go_before_estimates(apart, tmp_path):
    """The log's own recording has readings of the counter; they are used whatever the log says."""
    made, _, log = apart
    for changed in (log, TOTAL.sub(b"", log), re.sub(rb"TOTAL:(\s+)[\d.]+", rb"TOTAL:\g<1>9", log)):
        (tmp_path / "own.log").write_bytes(changed)
        done = support.vmfox("convert", "--pypylog", "own.log", made.capture, "-o", "-",
                             cwd=tmp_path)
        assert (done.code, done.err) == (0, "")
        profile = support.Profile(json.loads(done.out))
        assert clock(profile) == clock(made.profile)
        assert profile.markers("Minor collection") == made.profile.markers("Minor collection")


def test_a_small_log_over_its_run(tmp_path):
    profile, said = convert(tmp_path, None, SMALL)
    assert said == ""
    assert weights(profile) == pytest.approx(
        {"gc-minor": 2000 * 15000 / 85000, "jit-tracing": 2000 * 15000 / 85000,
         "jit-tracing > gc-minor": 2000 * 5000 / 85000, "running": 2000 * 50000 / 85000}, rel=1e-5)
    assert [(m.data["survivors"], m.data["heap"]) for m in profile.markers("Minor collection")] == [
        (400, 1000), (500, 2000), (600, 3000)]


@pytest.mark.skipif(not (SHARED / "pystone.pypylog").exists(), reason="no pystone.pypylog")
def test_pystone(tmp_path):
    """A published log: no texts, no rate; its shares are known."""
    profile, said = convert(tmp_path, (SHARED / "pypy-pystone.prof").read_bytes(),
                            (SHARED / "pystone.pypylog").read_bytes())
    assert said == "" and clock(profile)["Source"].startswith("ESTIMATE: ")
    found = weights(profile)
    whole = sum(found.values())
    tracing = sum(ms for path, ms in found.items() if path.split(" > ")[0] == "jit-tracing")
    minor = sum(ms for path, ms in found.items() if path.split(" > ")[0] == "gc-minor")
    assert 100 * tracing / whole == pytest.approx(20.1, abs=0.1)
    assert 100 * minor / whole == pytest.approx(8.8, abs=0.1)


# ---- another run's ------------------------------------------------------------------------------


def test_the_log_of_another_run_is_not_shown(apart, pypy, recorder, tmp_path):
    made, _, _ = apart
    other = recorder(pypy, "shares.py")
    (tmp_path / "other.log").write_bytes(support.member(other.capture, "profile.pypylog"))
    done = support.vmfox("convert", "--pypylog", "other.log", made.capture, "-o", "-",
                         cwd=tmp_path)
    assert done.code == 0
    assert re.fullmatch(r"vmfox: warning: \S+: PYPYLOG: .*another run.*not shown\n", done.err)
    profile = support.Profile(json.loads(done.out))
    assert profile.runtime is None
    assert [counter["name"] for counter in profile.counters] == ["Memory"]
    assert not [f for f in profile.frames if f.name.startswith(("gc-", "jit-"))]
    assert len(profile.samples()) == len(made.profile.samples())
    assert "PyPy" not in [section["label"] for section in profile.meta["extra"]]


@pytest.mark.parametrize("own_first", [True, False])
def test_of_two_logs_that_of_the_run_is_shown(apart, pypy, recorder, tmp_path, own_first):
    """Two runs wrote into one file.  Which lies in the recording, its readings say."""
    made, _, own = apart
    other = support.member(recorder(pypy, "shares.py").capture, "profile.pypylog")
    (tmp_path / "two.log").write_bytes(own + other if own_first else other + own)
    done = support.vmfox("convert", "--pypylog", "two.log", made.capture, "-o", "-",
                         cwd=tmp_path)
    assert done.code == 0
    assert re.match(r"vmfox: warning: \S+: PYPYLOG: .*line \d+", done.err)
    profile = support.Profile(json.loads(done.out))
    assert weights(profile) == pytest.approx(weights(made.profile))
    assert len(profile.markers()) == len(made.profile.markers())
    assert [m for m in profile.markers() if m.name != "Major collection"] == [
        m for m in made.profile.markers() if m.name != "Major collection"]

    def rows(of):
        (section,) = [s for s in of.meta["extra"] if s["label"] == "PyPy"]
        return {entry["label"]: entry["value"] for entry in section["entries"]}

    assert rows(profile) == rows(made.profile)


# ---- damage -------------------------------------------------------------------------------------


def warned(said, line, words):
    """One warning, which names that line and says these words."""
    assert said.startswith("vmfox: warning: x.prof: PYPYLOG: "), said
    assert said.count("\n") == 1
    assert re.search(r"\bline %d\b" % line, said), said
    assert words in said


def test_half_a_line(tmp_path):
    whole = SMALL.rindex(b"\nnumber of")
    profile, said = convert(tmp_path, None, SMALL[:whole + 10])
    assert said.count("\n") == 2
    assert "PYPYLOG: line 15: the log ends in the middle of a line" in said
    assert "PYPYLOG: line 13: a section opens here that never closes" in said
    assert [m.data.get("survivors") for m in profile.markers("Minor collection")][:2] == [400, 500]
    assert "jit-tracing > gc-minor" in weights(profile)


def test_cut_between_lines_in_a_section(tmp_path):
    lines = SMALL.splitlines(True)
    profile, said = convert(tmp_path, None, b"".join(lines[:11]))
    warned(said, 6, "never closes")
    assert len(profile.markers("Minor collection")) == 2
    assert "jit-tracing > gc-minor" in weights(profile)


def test_a_close_that_was_never_opened(tmp_path):
    profile, said = convert(tmp_path, None, b"[fffffff] gc-collect-step}\n" + SMALL)
    warned(said, 1, "never")
    assert len(profile.markers("Minor collection")) == 3
    assert "gc-collect-step" not in weights(profile)


def test_sections_closed_in_the_wrong_order(tmp_path):
    lines = SMALL.splitlines(True)
    lines[10], lines[11] = b"[1000ea600] jit-tracing}\n", b"[100111700] gc-minor}\n"
    profile, said = convert(tmp_path, None, b"".join(lines))
    assert re.search(r"PYPYLOG: line 1[12]: ", said), said
    found = weights(profile)
    assert found["jit-tracing > gc-minor"] == pytest.approx(2000 * 5000 / 85000, rel=1e-5)
    assert [m.data["survivors"] for m in profile.markers("Minor collection")] == [400, 500, 600]


@pytest.mark.parametrize("change", [
    lambda log: b"".join(b"\x1b[1m\x1b[31m" + line + b"\x1b[0m"
                         for line in log.splitlines(True)),
    lambda log: log.replace(b"\n", b"\r\n")], ids=["colours", "cr-lf"])
def test_dressed_up(apart, tmp_path, change):
    _, prof, log = apart
    plain, said = convert(tmp_path, prof, log)
    dressed, also_said = convert(tmp_path, prof, change(log))
    assert said == also_said
    assert weights(dressed) == weights(plain) and dressed.markers() == plain.markers()


def test_two_logs_in_one_file(tmp_path):
    """Nothing says which is this run's: one of them is shown, and which is said."""
    profile, said = convert(tmp_path, None, SMALL + SMALL)
    warned(said, 1 + SMALL.count(b"\n"), "2 logs stand in the file")
    alone, _ = convert(tmp_path, None, SMALL)
    assert weights(profile) == weights(alone) and profile.markers() == alone.markers()


@pytest.mark.parametrize("rubbish", [
    bytes(range(256)) * 40, b"\0" * 5000, b"[", b"\n" * 1000, b"x" * 100000,
    b"[ffffffffffffffffff] {gc-minor\n", b"Traceback (most recent call last):\n"],
    ids=["bytes", "zeros", "bracket", "newlines", "long", "stamp", "text"])
def test_rubbish(tmp_path, rubbish):
    profile, said = convert(tmp_path, None, rubbish)
    assert profile.runtime is None and len(profile.samples()) == 6
    assert "PYPYLOG: there are no sections in it\n" in said


def test_rubbish_around_a_log(tmp_path):
    plain, _ = convert(tmp_path, None, SMALL)
    noisy = b"\xff\0[[]}{\n[zz] {gc-minor\n" + SMALL + b"[p0, p1]\n\x1b[0m\n[12] gc-minor\n"
    profile, said = convert(tmp_path, None, noisy)
    assert weights(profile) == weights(plain) and profile.markers() == plain.markers(), said


def test_an_empty_log_is_said(tmp_path):
    profile, said = convert(tmp_path, None, b"")
    assert profile.runtime is None and len(profile.samples()) == 6
    assert "PYPYLOG: " in said


def test_every_cut_is_read(tmp_path):
    """What stands before the cut is shown, and never more than the whole log has."""
    counts = []
    for cut in range(9, len(SMALL), 23):
        profile, said = convert(tmp_path, None, SMALL[:cut])
        counts.append(len(profile.markers("Minor collection")))
        if SMALL[:cut].endswith((b"}", b"}\n")):
            continue  # nothing is missing that anyone could see
        assert said.startswith("vmfox: warning: x.prof: PYPYLOG: "), (cut, said)
    assert counts == sorted(counts) and counts[-1] == 3


@pytest.mark.parametrize("name", [".", "missing.log"])
def test_what_can_not_be_read(tmp_path, name):
    (tmp_path / "x.prof").write_bytes(builder.small_prof())
    done = support.vmfox("convert", "--pypylog", name, "x.prof", "-o", "y.json", cwd=tmp_path)
    assert (done.code, done.out) == (1, "")
    assert re.fullmatch("vmfox: %s: .*\n" % re.escape(name), done.err)
    assert not (tmp_path / "y.json").exists()
