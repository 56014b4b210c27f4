"""What only a recording of CPython has: lines and memory, native names, names after a crash."""
import pytest

import support
from support import share


def test_lines_are_those_that_ran(cpython, recorder):
    made = recorder(cpython, "shares.py")
    line = support.lines_of(made.script)
    steady = [f for s in made.profile.samples() for f in s.stack if f.name == "steady"]
    assert steady
    inside = range(line["steady"], line["steady-last"] + 1)
    assert all(f.line in inside for f in steady)
    loop = range(line["steady-first"], line["steady-last"])
    assert sum(f.line in loop for f in steady) > 0.9 * len(steady)
    calls = {f.line for s in made.profile.samples() if share([s], "steady")
             for f in s.stack if f.name == "measure"}
    assert calls == {line["call"]}
    module = {s.stack[0].line for s in made.profile.samples() if share([s], "main")}
    assert module == {line["main"]}


def test_without_lines(cpython, recorder):
    made = recorder(cpython, "shares.py", "--no-lines")
    assert all(frame.line is None for frame in made.profile.frames if frame.category == "Python")
    for name, seconds in made.told["spent"].items():
        expected = 100 * seconds / made.told["whole"]
        assert abs(share(made.profile.samples(), name, within="main") - expected) <= 5, name


def test_memory_is_what_the_kernel_said(cpython, recorder):
    made = recorder(cpython, "memory.py")
    told, (counter,) = made.told, made.profile.counters
    assert counter["display"]["unit"] == "bytes" and counter["category"] == "Memory"
    levels = [level for _, level in made.profile.levels(counter)]
    near = 4 << 20
    assert told["filled"] - told["after"] > 60 << 20, "the program itself"
    assert abs(levels[0] - told["before"]) < near
    assert abs(max(levels) - told["filled"]) < near
    assert abs(levels[-1] - told["after"]) < near


def test_without_memory(cpython, recorder):
    assert recorder(cpython, "memory.py", "--no-memory").profile.counters == []


def test_native_functions_have_names(cpython, recorder):
    profile = recorder(cpython, "shares.py").profile
    names = {s.stack[-1].name for s in profile.samples() if s.stack[-1].category == "Native"}
    assert names & {"PyNumber_Remainder", "PyNumber_Multiply", "PyNumber_InPlaceAdd",
                    "PyNumber_Add", "PyLong_FromLong", "_PyLong_New", "_PyLong_Add",
                    "_PyLong_Multiply"}


@pytest.mark.parametrize("options", [(), ("--no-native",), ("--no-lines", "--no-memory")])
@pytest.mark.parametrize("death, code", [("os.kill(os.getpid(), 9)", 137),
                                         ("os.kill(os.getpid(), 11)", 139),
                                         ("os._exit(3)", 3), ("os.abort()", 134)])
def test_a_program_that_dies_has_names(cpython, tmp_path, options, death, code):
    script = tmp_path / "dies.py"
    script.write_text("import os, time\n"
                      "def last_words():\n"
                      "    end = time.process_time() + 0.15\n"
                      "    while time.process_time() < end:\n"
                      "        pass\n"
                      "last_words()\n"
                      "%s\n" % death)
    done = support.record(*options, cpython, script, cwd=tmp_path, crashes=True)
    assert done.code == code
    profile = support.convert(tmp_path / "x.vmfox", tmp_path)
    assert share(profile.samples(), "last_words", within="<module>") > 80
    assert profile.sources()[str(script)] == script.read_text()


def test_real_time_with_several_threads_loses_nothing(cpython, tmp_path):
    """All threads are interrupted at once, and vmprof then leaves the memory out of some records."""
    script = tmp_path / "crowd.py"
    script.write_text("import threading, time\n"
                      "def wait():\n"
                      "    end = time.monotonic() + 1\n"
                      "    while time.monotonic() < end:\n"
                      "        time.sleep(0.003)\n"
                      "threads = [threading.Thread(target=wait, name='w%d' % i) for i in range(4)]\n"
                      "for thread in threads: thread.start()\n"
                      "for thread in threads: thread.join()\n")
    for _ in range(3):
        done = support.vmfox("record", "--real-time", "-o", "x.vmfox", cpython, script,
                             cwd=tmp_path)
        if done.code != 139:
            break
    assert done.code == 0 and "left out" not in done.err
    profile = support.convert(tmp_path / "x.vmfox", tmp_path)
    for name in ("w0", "w1", "w2", "w3"):
        times = [sample.time for sample in profile.samples(name)]
        assert times[-1] - times[0] > 900, name
        assert max(b - a for a, b in zip(times, times[1:])) < 100, name
    (counter,) = profile.counters
    assert max(level for _, level in profile.levels(counter)) < 1 << 30
