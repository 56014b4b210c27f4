"""How much of the JIT's log is kept: --jitlog, and --budget.  What must be in the log of a trace
without operations tell PyPy's own log of the same run, the program's source, and a whole log."""
import re

import pytest

import jitlog_reader
import support

# So many functions, each hot for itself, each with two bridges: far more than is written whole.
FUNCTIONS = 150
FUNCTION = """
def hot_%03d(numbers):
    total, words = 0, []
    for i in numbers:  # line: %03d
        total += i * %d & 1023
        if i %% 3 == 0:
            total ^= len(str(i)) + i // 3
        elif i %% 7 == 0:
            words.append(i)
        if total > 500:
            total = (total + i) %% 211
        else:
            total += i ^ 5
    return total + len(words)
"""
CALLS = """
print([sum(function(range(3000)) for _ in range(4)) for function in (%s)])
"""


@pytest.fixture(scope="module")
def many(pypy, tmp_path_factory):
    """many(mode) records the program with --jitlog=MODE: a folder with x.vmfox and p.py."""
    made = {}

    def make(mode):
        if mode not in made:
            folder = tmp_path_factory.mktemp(mode)
            names = ["hot_%03d" % i for i in range(FUNCTIONS)]
            (folder / "p.py").write_text("".join(FUNCTION % (i, i, 3 + 2 * i)
                                                 for i in range(FUNCTIONS)) + CALLS % ", ".join(names))
            env = support.environment(folder, PYTHONHASHSEED="0")
            done = support.record("--jitlog=" + mode, pypy, "p.py", cwd=folder, env=env)
            assert (done.code, done.err) == (0, "")
            made[mode] = folder
        return made[mode]

    return make


def log_of(folder):
    return jitlog_reader.traces(support.member(folder / "x.vmfox", "profile.jitlog"), True)


def has_operations(trace):
    return any(trace.ops.values())


def loops_by_line(folder, found):
    """The program's own loops: (function, the line it begins at, the loop's) of each."""
    lines = {int(name): line for name, line in support.lines_of(folder / "p.py").items()
             if name.isdigit()}
    begins = {trace.points[0][2]: trace for trace in found
              if trace.kind == "loop" and trace.points and trace.points[0][0].endswith("p.py")}
    return {name: (trace, trace.points[0][1], lines[int(name[-3:])])
            for name, trace in begins.items() if name.startswith("hot_")}


def addresses(folder):
    """What PyPy's own log tells of each trace: by the id of a loop, or by a bridge's guard, where
    its code begins and ends.  Memory of what was freed is used again: a list for each."""
    log = support.member(folder / "x.vmfox", "profile.pypylog")
    found = {}
    for kind, name, begin, end in re.findall(
            rb"(Loop|bridge out of Guard) (0x[0-9a-f]+|\d+)[^\n]* has address 0x([0-9a-f]+) to "
            rb"0x([0-9a-f]+)", log):
        key = ("loop", int(name)) if kind == b"Loop" else ("bridge", int(name, 16))
        found.setdefault(key, []).append((int(begin, 16), int(end, 16)))
    return found


def test_operations_of_later_traces_are_left_out(many):
    found = log_of(many("auto"))
    info = support.capture_info(many("auto") / "x.vmfox")
    brief = [trace for trace in found if not has_operations(trace)]
    assert info["jitlog_mode"] == "auto"
    assert (info["jitlog_traces"], info["jitlog_traces_brief"]) == (len(found), len(brief))
    assert len(brief) > FUNCTIONS and len(found) - len(brief) > 10
    assert sum(map(has_operations, found[-FUNCTIONS:])) < FUNCTIONS / 3
    assert all(map(has_operations, found[:10]))


def test_profile_info_says_from_when_on(many):
    info = support.capture_info(many("auto") / "x.vmfox")
    seconds = (info["jitlog_detail_until_ns"] - info["start_monotonic_ns"]) / 1e9
    assert info["start_monotonic_ns"] < info["jitlog_detail_until_ns"] < info["end_monotonic_ns"]
    told = support.convert(many("auto") / "x.vmfox", many("auto")).facts()
    assert told["Operations left out of the log"] == (
        "of %d of %d traces, from %.3f s on: writing them took too much of the program's time "
        "(--jitlog=full keeps them)" % (info["jitlog_traces_brief"], info["jitlog_traces"], seconds))


def test_all_traces_have_their_bounds(many):
    """Those that PyPy's own log tells."""
    told, checked = addresses(many("auto")), 0
    for trace in log_of(many("auto")):
        key = ("bridge", trace.number) if trace.number else ("loop", trace.id)
        if key not in told:  # an entry bridge is `Loop N`, with the number of what it replaces
            key = ("loop", trace.id)
        assert key in told, (trace.kind, trace.id)
        assert any(trace.bounds[0] <= begin and end <= trace.bounds[1] and
                   begin - trace.bounds[0] < 4096 for begin, end in told[key]), (key, trace.bounds)
        checked += not has_operations(trace)
    assert checked > FUNCTIONS


def test_all_bridges_have_their_guard(many):
    brief = [trace for trace in log_of(many("auto"))
             if trace.kind == "bridge" and trace.number and not has_operations(trace)]
    told = addresses(many("auto"))
    guards = [trace for trace in brief if ("bridge", trace.number) in told]
    assert len(guards) > FUNCTIONS / 2
    assert all(trace.guard == trace.number for trace in guards)


def test_all_loops_have_their_place(many):
    """The function and the line of its loop; so PyPy's variable was found, for else no merge points
    are known."""
    auto, full = (loops_by_line(many(mode), log_of(many(mode))) for mode in ("auto", "full"))
    assert len(auto) == len(full) == FUNCTIONS
    assert sum(not has_operations(trace) for trace, _, _ in auto.values()) > FUNCTIONS / 2
    for name, (trace, line, expected) in auto.items():
        assert line == expected == full[name][1], name
        assert trace.points[0][1:] == full[name][0].points[0][1:]


def test_all_traces_have_their_counters(many):
    """They run as often in both, but for what chance does to the JIT's decisions."""
    auto, full = ({name: trace.runs for name, (trace, _, _) in
                   loops_by_line(many(mode), log_of(many(mode))).items()}
                  for mode in ("auto", "full"))
    close = [name for name in auto if auto[name] and abs(auto[name] - full[name]) < 0.1 * full[name]]
    assert len(close) > 0.9 * FUNCTIONS


def table_of(folder):
    done = support.vmfox("jit", "x.vmfox", cwd=folder)
    assert (done.code, done.err) == (0, "")
    return sorted(re.findall(r"loop \d+ (p\.py:\d+  hot_\d+)$", done.out, re.MULTILINE))


def test_traces_are_called_as_in_a_whole_log(many):
    assert len(table_of(many("full"))) == FUNCTIONS
    assert table_of(many("auto")) == table_of(many("full"))


def test_a_whole_log_has_all_operations(many):
    found = log_of(many("full"))
    info = support.capture_info(many("full") / "x.vmfox")
    assert len(found) > 3 * FUNCTIONS
    assert all(has_operations(trace) or trace.aborted for trace in found)
    assert "jitlog_detail_until_ns" not in info and not info.get("jitlog_traces_brief")
    told = support.convert(many("full") / "x.vmfox", many("full")).facts()
    assert "Operations left out of the log" not in told


# ---- the options --------------------------------------------------------------------------------


@pytest.mark.parametrize("option, mode", [(None, "auto"), ("--jitlog=auto", "auto"),
                                          ("--jitlog=full", "full"), ("--jitlog", "full"),
                                          ("--jitlog=none", "none"), ("--no-jitlog", "none")])
def test_modes(pypy, tmp_path, option, mode):
    """A value stands behind `=` alone: what follows a bare --jitlog is the program."""
    (tmp_path / "full").write_text("def f(n):\n    return sum(i & 3 for i in range(n))\nprint(f(9999))\n")
    words = (option,) if option else ()
    done = support.vmfox("record", "-q", "-o", "x.vmfox", "--python", pypy, *words, "full",
                         cwd=tmp_path)
    assert (done.code, done.out, done.err) == (0, "14997\n", "")
    capture = tmp_path / "x.vmfox"
    assert support.capture_info(capture)["jitlog_mode"] == mode
    assert ("profile.jitlog" in support.members(capture)) == (mode != "none")
    # Where that log counts the same PyPy's own is not asked for it.
    log = support.member(capture, "profile.pypylog")
    assert (b"jit-backend-counts" in log) == (mode != "full")


@pytest.mark.parametrize("command", ["run", "record"])
def test_a_mode_that_is_none(tmp_path, command):
    done = support.vmfox(command, "--jitlog=some", "-c", "pass", cwd=tmp_path)
    assert (done.code, done.out) == (2, "")
    assert done.err == "vmfox: --jitlog takes auto, full or none behind a =, not some\n"


@pytest.mark.parametrize("value", ["0", "0.05", "51", "-1", "nan", "x", "5%", ""])
def test_a_budget_that_is_none(tmp_path, value):
    done = support.vmfox("record", "--budget", value, "-c", "pass", cwd=tmp_path)
    assert (done.code, done.out) == (2, "")
    assert done.err == "vmfox: --budget takes a percentage from 0.1 to 50, not %s\n" % value


# ---- the budget ---------------------------------------------------------------------------------

STEADY = """
import time
end = time.process_time() + 4
while time.process_time() < end:
    sum(range(500))
"""


@pytest.fixture(scope="module")
def steady(python, tmp_path_factory):
    """steady(options...): the recording and profile of four seconds of work, once for each."""
    made = {}

    def make(*options):
        if options not in made:
            folder = tmp_path_factory.mktemp("steady")
            (folder / "p.py").write_text(STEADY)
            done = support.record(*options, python, "p.py", cwd=folder)
            assert (done.code, done.err) == (0, "")
            made[options] = support.convert(folder / "x.vmfox", folder)
        return made[options]

    return make


def test_a_low_budget_takes_fewer_samples(steady):
    """After its first second, in which it is not known yet what they take."""
    free, held = steady(), steady("--budget", "0.1")
    assert len(held.samples()) < 0.6 * len(free.samples())
    told, = re.findall(r"from second ([\d.]+) on up to ([\d.]+) ms between samples instead of "
                       r"3\.97, to hold the budget", held.facts()["Timer, a note"])
    assert float(told[1]) > 2 * 3.97
    assert "tick of the kernel" not in held.facts()["Samples that came"]
    assert "the budget" not in free.facts().get("Timer, a note", "")


def test_fewer_samples_stand_for_as_much_time(steady):
    """Weights count in units that Profile Info tells; on CPython in periods."""
    for profile in (steady(), steady("--budget", "0.1")):
        unit = re.search(r"in units of ([\d.]+) ms", profile.facts()["Weights"])
        whole = sum(sample.weight for sample in profile.samples())
        assert 3600 < whole * (float(unit[1]) if unit else 3.97) < 4400


def test_a_budget_that_suffices_changes_nothing(steady):
    profile = steady("--budget", "50")
    assert "the budget" not in profile.facts().get("Timer, a note", "")


@pytest.mark.parametrize("mode", ["auto", "full"])
def test_the_budget_leaves_operations_out_but_of_a_whole_log(many, pypy, tmp_path, mode):
    (tmp_path / "p.py").write_text((many("full") / "p.py").read_text())
    assert support.record("--budget", "0.1", "--jitlog=" + mode, pypy, "p.py", cwd=tmp_path).code == 0
    brief = support.capture_info(tmp_path / "x.vmfox").get("jitlog_traces_brief", 0)
    assert (brief > 0) == (mode == "auto")
    assert any(not has_operations(trace) and not trace.aborted for trace in log_of(tmp_path)) == \
        (mode == "auto")
