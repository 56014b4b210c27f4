"""What only a recording of PyPy has."""
import support
from support import share


def test_hot_loops_are_in_the_jit(pypy, recorder):
    made = recorder(pypy, "shares.py")
    for name in ("steady", "middle", "little"):
        inside = [s for s in made.profile.samples() if share([s], name)]
        jitted = [s for s in inside
                  if any(f.name == name and f.category == "JIT" for f in s.stack)]
        assert len(jitted) > 0.8 * len(inside), name
    for frame in made.profile.frames:
        assert frame.category != "JIT" or frame.subcategory in ("Compiled", "Inlined", "Other")


def test_a_function_is_not_twice_on_the_stack_where_the_jit_took_over(pypy, recorder):
    profile = recorder(pypy, "threads.py").profile
    for sample in profile.all_samples():
        names = [frame.name for frame in sample.stack]
        assert names.count("work") <= 1 and names.count("<module>") <= 1


def test_inlined_functions_are_kept_in_order(pypy, tmp_path):
    script = tmp_path / "nested.py"
    script.write_text("import time\n"
                      "def inner(i):\n"
                      "    return i * 3 % 7\n"
                      "def outer(i):\n"
                      "    t = 0\n"
                      "    t += inner(i)\n"
                      "    return t\n"
                      "def drive(end):\n"
                      "    n = 0\n"
                      "    while n < 50000000 and (n & 0xffff or time.process_time() < end):\n"
                      "        outer(n)\n"
                      "        n += 1\n"
                      "drive(time.process_time() + 0.4)\n")
    assert support.record(pypy, script, cwd=tmp_path).code == 0
    profile = support.convert(tmp_path / "x.vmfox", tmp_path)
    chains = {tuple(f.name for f in s.stack if f.category != "Native")
              for s in profile.samples() if share([s], "outer")}
    assert chains <= {("<module>", "drive", "outer"), ("<module>", "drive", "outer", "inner")} | {
        chain for chain in chains if chain[-1].startswith("(")}


def test_lines_and_memory_are_absent(pypy, recorder):
    profile = recorder(pypy, "shares.py").profile
    assert all(frame.line is None for frame in profile.frames)
    assert profile.counters == []


def test_options_for_lines_and_memory_change_nothing(pypy, recorder):
    profile = recorder(pypy, "shares.py", "--no-lines", "--no-memory").profile
    assert share(profile.samples(), "main") > 85


def test_logs_are_kept(pypy, recorder):
    made = recorder(pypy, "shares.py")
    log = support.member(made.capture, "profile.pypylog")
    assert b"{jit-" in log and b"jit-summary" in log
    assert len(support.member(made.capture, "profile.jitlog")) > 100


def test_logs_are_left_out_when_not_wanted(pypy, tmp_path):
    script = support.PROGRAMS / "nap.py"
    done = support.record("--no-jitlog", "--no-pypylog", pypy, script, cwd=tmp_path)
    assert done.code == 0
    names = support.members(tmp_path / "x.vmfox")
    assert "profile.prof" in names
    assert "profile.jitlog" not in names and "profile.pypylog" not in names


def test_a_pypylog_of_the_users_own_is_left_alone(pypy, tmp_path):
    env = support.environment(tmp_path, PYPYLOG="jit-summary:own.log")
    done = support.vmfox("record", "-o", "x.vmfox", pypy, "-c",
                         "import os; print(os.environ['PYPYLOG'])", cwd=tmp_path, env=env)
    assert (done.code, done.out) == (0, "jit-summary:own.log\n")
    assert "PYPYLOG" in done.err
    assert b"jit-summary" in (tmp_path / "own.log").read_bytes()
    assert "profile.pypylog" not in support.members(tmp_path / "x.vmfox")


def test_long_paths_are_whole_in_the_profile(pypy, tmp_path):
    folder = tmp_path / ("long" * 20) / ("way" * 20)
    folder.mkdir(parents=True)
    module = folder / "somewhere.py"
    module.write_text("import time\n"
                      "def spin():\n"
                      "    end = time.process_time() + 0.1\n"
                      "    while time.process_time() < end:\n"
                      "        pass\n")
    script = folder / "start.py"
    script.write_text("import somewhere\nsomewhere.spin()\n")
    assert support.record(pypy, script, cwd=tmp_path).code == 0
    profile = support.convert(tmp_path / "x.vmfox", tmp_path)
    assert {f.file for f in profile.frames if f.name == "spin"} == {str(module)}
    assert profile.sources()[str(module)] == module.read_text()
    roots = {s.stack[0].file for s in profile.samples() if s.stack[0].name == "<module>"}
    assert roots == {str(script)}
