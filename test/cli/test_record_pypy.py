"""What only a recording of PyPy has."""
import zipfile

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
        assert frame.category != "JIT" or frame.subcategory in ("Compiled", "Inlined", "Other",
                                                                "Loop", "Bridge")


def test_a_function_and_its_own_trace_are_one_frame(pypy, recorder):
    profile = recorder(pypy, "shares.py").profile
    pairs = {(caller.name, caller.category, callee.category)
             for sample in profile.samples()
             for caller, callee in zip(sample.stack, sample.stack[1:])
             if caller.name == callee.name == "steady"}
    assert ("steady", "Python", "JIT") not in pairs


def test_inlined_functions_are_kept_in_order(pypy, tmp_path):
    script = tmp_path / "nested.py"
    script.write_text("import time\n"
                      "def inner(i):\n"
                      "    return len(str(i * 3))\n"
                      "def outer(i):\n"
                      "    return inner(i) + 1\n"
                      "def drive(end):\n"
                      "    n = t = 0\n"
                      "    while n & 0xffff or time.process_time() < end:\n"
                      "        t += outer(n)\n"
                      "        n += 1\n"
                      "drive(time.process_time() + 0.4)\n")
    assert support.record(pypy, script, cwd=tmp_path).code == 0
    profile = support.convert(tmp_path / "x.vmfox", tmp_path)
    found = set()
    for sample in profile.samples():
        names = [f.name for f in sample.stack
                 if f.category in ("Python", "JIT") and f.lib != "PyPy JIT"]
        if names[:2] == ["<module>", "drive"] and "JIT" in {f.category for f in sample.stack}:
            found.add(" ".join(name for name in names[1:] if not name.startswith("(")))
    # A trace that goes on in another trace begins with the function's frame again.
    assert any(stack.endswith("drive outer inner") for stack in found)
    for stack in found:
        for part in stack.split("drive"):
            assert part.split() in ([], ["outer"], ["outer", "inner"]), stack


def test_lines_are_absent(pypy, recorder):
    profile = recorder(pypy, "shares.py", "--no-pc").profile
    assert all(frame.line is None for frame in profile.frames)


def test_options_for_lines_and_memory_change_nothing(pypy, recorder):
    profile = recorder(pypy, "shares.py", "--no-lines", "--no-memory").profile
    assert share(profile.samples(), "main") > 85


def test_logs_are_kept(pypy, recorder):
    made = recorder(pypy, "shares.py")
    log = support.member(made.capture, "profile.pypylog")
    assert b"{jit-" in log and b"jit-summary" in log
    assert len(support.member(made.capture, "profile.jitlog")) > 100


# Writes samples as VMProf does, to the number that it was given in place of a descriptor, 8 MB of
# them, each as deep as its own could be.
FLOOD = """
import os, struct, time
stack = [1, 0x1000] * 500
sample = b"\\x01" + struct.pack("<%dq" % (len(stack) + 3), 1, len(stack), *stack, 0)
for i in range(1000):
    os.write(0x7ffff0f1, sample)
    if i % 100 == 0:
        time.sleep(0.05)
"""


def methods(capture):
    with zipfile.ZipFile(capture) as bundle:
        assert bundle.testzip() is None
        return {info.filename: info.compress_type for info in bundle.infolist()}


def test_large_members_are_stored_and_small_ones_packed(pypy, tmp_path):
    (tmp_path / "flood.py").write_text(FLOOD)
    done = support.vmfox("record", "-o", "x.vmfox", pypy, "flood.py", cwd=tmp_path)
    assert done.code == 0 and "left out" not in done.err
    capture = tmp_path / "x.vmfox"
    found = methods(capture)
    assert found.pop("profile.prof") == zipfile.ZIP_STORED
    assert set(found.values()) == {zipfile.ZIP_DEFLATED}
    assert len(support.member(capture, "stamps.i64")) >= 8 * 1000
    # Packed by another tool, it says the same; with symbols looked up again, it stays as it is.
    with zipfile.ZipFile(capture) as bundle, \
            zipfile.ZipFile(tmp_path / "y.vmfox", "w", zipfile.ZIP_DEFLATED) as packed:
        for name in bundle.namelist():
            packed.writestr(name, bundle.read(name))
    assert (tmp_path / "y.vmfox").stat().st_size < capture.stat().st_size / 10
    stacks = [[s.stack for s in support.convert(tmp_path / name, tmp_path).samples()]
              for name in ("x.vmfox", "y.vmfox")]
    assert stacks[0] == stacks[1] and len(stacks[0]) >= 1000
    assert support.vmfox("symbolicate", "x.vmfox", cwd=tmp_path).code == 0
    assert methods(capture)["profile.prof"] == zipfile.ZIP_STORED


def test_logs_are_left_out_when_not_wanted(pypy, tmp_path):
    script = support.PROGRAMS / "nap.py"
    done = support.record("--no-jitlog", "--no-pypylog", pypy, script, cwd=tmp_path)
    assert done.code == 0
    names = support.members(tmp_path / "x.vmfox")
    assert "profile.prof" in names
    assert "profile.jitlog" not in names and "profile.pypylog" not in names


def test_a_pypylog_of_the_users_own_is_left_alone(pypy, tmp_path):
    env = support.environment(tmp_path, PYPYLOG="jit-summary:own.log")
    done = support.vmfox("record", "-o", "x.vmfox", pypy, support.PROGRAMS / "nap.py",
                         cwd=tmp_path, env=env)
    assert done.code == 0
    assert "PYPYLOG is set" in done.err
    assert b"jit-summary" in (tmp_path / "own.log").read_bytes()
    assert "profile.pypylog" not in support.members(tmp_path / "x.vmfox")


def test_long_paths_are_whole_in_the_profile(pypy, tmp_path):
    folder = tmp_path / "way" / ("long" * 20) / ("far" * 20)
    folder.mkdir(parents=True)
    module = folder / "somewhere.py"
    module.write_text("import time\n"
                      "def spin():\n"
                      "    end = time.process_time() + 0.1\n"
                      "    while time.process_time() < end:\n"
                      "        pass\n")
    script = tmp_path / "start.py"
    script.write_text("import sys\n"
                      "sys.path.insert(0, %r)\n"
                      "import somewhere\n"
                      "somewhere.spin()\n" % str(folder))
    assert support.record(pypy, script, cwd=tmp_path).code == 0
    profile = support.convert(tmp_path / "x.vmfox", tmp_path)
    assert {f.file for f in profile.frames if f.name == "spin"} == {str(module)}
    assert profile.sources()[str(module)] == module.read_text()


def test_a_script_with_a_long_path(pypy, tmp_path):
    folder = tmp_path / ("long" * 20) / ("far" * 20)
    folder.mkdir(parents=True)
    script = folder / "nap.py"
    script.write_bytes((support.PROGRAMS / "nap.py").read_bytes())
    assert support.record(pypy, script, cwd=tmp_path).code == 0
    profile = support.convert(tmp_path / "x.vmfox", tmp_path)
    assert {f.file for f in profile.frames if f.name == "toil"} == {str(script)}
    assert profile.sources()[str(script)] == script.read_text()


def test_modules_that_answer_anything_are_not_asked(pypy, tmp_path):
    """At the end vmfox looks for long file names among the modules; no code of theirs runs."""
    program = ("import sys, time, types\n"
               "class Lazy(types.ModuleType):\n"
               "    def __getattribute__(self, name):\n"
               "        print('asked', name)\n"
               "        raise RuntimeError(name)\n"
               "class Other:\n"
               "    __class__ = property(lambda self: print('asked'))\n"
               "    def __getattr__(self, name): raise RuntimeError(name)\n"
               "sys.modules['lazy'], sys.modules['other'] = Lazy('lazy'), Other()\n"
               "end = time.process_time() + 0.2\n"
               "while time.process_time() < end: pass\n")
    done = support.vmfox("record", "-o", "x.vmfox", pypy, "-c", program, cwd=tmp_path)
    assert (done.code, done.out) == (0, "") and "warning" not in done.err
