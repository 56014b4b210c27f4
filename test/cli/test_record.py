"""Recordings made here, with PyPy and with CPython: what the profile says must be what the program
measured itself."""
import os
import statistics

import support
from support import share

LAUNCHERS = {"entry_point", "run_command_line", "run_toplevel", "execfile", "_run_module_as_main",
             "_run_module_code", "_run_code", "run_module", "run_path"}
# What an interpreter calls before and after the program, and what others may have put there: an
# environment's finders of modules, PyPy's exit functions.
AROUND = {"find_spec", "run_exitfuncs", "_shutdown"}


# ---- shares -------------------------------------------------------------------------------------


def test_shares_of_functions_are_right(python, recorder):
    made = recorder(python, "shares.py")
    for name, seconds in made.told["spent"].items():
        expected = 100 * seconds / made.told["whole"]
        assert abs(share(made.profile.samples(), name, within="main") - expected) <= 5, name


def test_samples_before_and_after_the_program_are_few(python, recorder):
    made = recorder(python, "shares.py")
    assert share(made.profile.samples(), "main") > 85


def test_shares_with_a_longer_period(python, recorder):
    made = recorder(python, "shares.py", "--period", "0.02", words=("4",))
    told = made.told
    samples = [s for s in made.profile.samples() if any(f.name == "main" for f in s.stack)]
    # One event counts the time in user space; a timer beside it, that in the kernel, counts or not
    # by where it interrupts: half of 200 are as many give or take seven, and four times that is
    # once in 16,000.
    assert abs(len(samples) - told["whole"] / 0.02) <= 30
    assert made.profile.facts()["Period asked for"] == "20.000 ms"
    for name, seconds in told["spent"].items():
        # a sample more or less at either end of a function is 2 %
        assert abs(share(samples, name) - 100 * seconds / told["whole"]) <= 5, name


# ---- times --------------------------------------------------------------------------------------


def gaps(samples):
    return [(b.time - a.time, a.time) for a, b in zip(samples, samples[1:])]


def test_a_sleep_is_a_gap_of_its_length_at_its_time(python, recorder):
    made = recorder(python, "shares.py")
    found = sorted(sorted(gaps(made.profile.samples()), reverse=True)[:3], key=lambda g: g[1])
    told = made.told["pauses"]
    # The median: one of three may fall together with a pause the system put in.
    length_errors = [abs(gap - 1000 * seconds) for (gap, _), (_, seconds) in zip(found, told)]
    assert statistics.median(length_errors) <= 20
    start_errors = [abs(made.profile.meta["startTime"] + at - 1000 * wall)
                    for (_, at), (wall, _) in zip(found, told)]
    assert statistics.median(start_errors) <= 20


def test_sample_times_lie_within_the_run_and_are_said_to_be_measured(python, recorder):
    profile = recorder(python, "shares.py").profile
    times = [sample.time for sample in profile.all_samples()]
    assert 0 < min(times) and max(times) <= profile.meta["profilingEndTime"]
    assert profile.facts()["Sample times"].startswith("measured")


# ---- threads ------------------------------------------------------------------------------------


def test_threads_have_their_names_and_ids(python, recorder):
    made = recorder(python, "threads.py")
    told = made.told["threads"]
    assert sorted(made.profile.names()) == sorted(told)
    assert [t["isMainThread"] for t in made.profile.threads] == [True] + 4 * [False]
    for name, (tid, _) in told.items():
        thread = made.profile.thread(name)
        assert (thread["tid"], thread["pid"]) == (tid, str(made.told["pid"]))
    assert made.profile.thread("MainThread")["tid"] == made.told["pid"]


def test_each_thread_has_its_share_of_the_samples(python, recorder):
    made = recorder(python, "threads.py")
    told = made.told["threads"]
    weight = {name: sum(s.weight for s in made.profile.samples(name)
                         if any(frame.name == "work" for frame in s.stack))
              for name in told}
    whole = sum(seconds for _, seconds in told.values())
    for name, (_, seconds) in told.items():
        assert abs(100 * weight[name] / sum(weight.values()) - 100 * seconds / whole) <= 5, name


def test_a_thread_is_found_only_where_it_ran(python, recorder):
    made = recorder(python, "threads.py")
    for name, function in (("tailor", "tailor"), ("soldier \u00e9\"", "soldier"), ("spy", "spy"),
                           ("bare", "bare")):
        assert share(made.profile.samples(name), function) > 90
        others = [s for n in made.profile.names() if n != name for s in made.profile.samples(n)]
        assert share(others, function) == 0


# ---- frames -------------------------------------------------------------------------------------


def check_frames(profile, script):
    """Nothing of vmfox or of the interpreter's start is in the profile."""
    for frame in profile.frames:
        assert "vmfox" not in frame.name and frame.file != "<vmfox>"
        assert frame.name not in LAUNCHERS
    outside = 0
    for thread in profile.threads:
        for sample in profile.samples_of(thread):
            root = sample.stack[0]
            # A thread that begins is in the interpreter's C code first.
            begins = root.file is None and root.lib and not thread["isMainThread"]
            # What PyPy reads of stat() as it looks for the module to run.
            looks = (root.name, root.file) == ("__get__", "<builtin>/frozen _structseq")
            if begins or looks or root.category == "Interpreter" or root.name in AROUND:
                outside += 1
            elif thread["isMainThread"]:
                assert (root.name, root.file) == ("<module>", str(script))
            else:
                assert (root.name, os.path.basename(root.file)) in (
                    ("_bootstrap", "threading.py"), ("bare", "threads.py"))
    return outside


def test_roots_are_the_programs_own(python, recorder):
    for program in ("shares.py", "threads.py"):
        made = recorder(python, program)
        outside = check_frames(made.profile, made.script)
        assert outside < len(made.profile.all_samples()) / 10


def test_roots_of_a_module_and_of_code(python, tmp_path):
    program = ("import time\n"
               "def spin():\n"
               "    end = time.process_time() + 0.1\n"
               "    while time.process_time() < end:\n"
               "        for i in range(300):\n"
               "            i * i\n"
               "spin()\n")
    package = tmp_path / "pack"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "__main__.py").write_text(program)
    (tmp_path / "single.py").write_text(program)
    for words, file in ((("-m", "pack"), package / "__main__.py"),
                        (("-m", "single"), tmp_path / "single.py"),
                        (("-c", program), "<string>"),
                        (("pack",), package / "__main__.py")):
        done = support.record(python, *words, cwd=tmp_path)
        assert (done.code, done.err) == (0, "")
        profile = support.convert(tmp_path / "x.vmfox", tmp_path)
        check_frames(profile, file)
        assert share(profile.samples(), "spin", within="<module>") > 50


def test_functions_lie_in_their_files_at_their_lines(python, recorder):
    made = recorder(python, "shares.py")
    found = {(f.name, f.file): f.func_line for f in made.profile.frames}
    assert found["steady", str(made.script)] == support.lines_of(made.script)["steady"]


def test_categories(python, recorder):
    profile = recorder(python, "shares.py").profile
    colors = {category["name"]: category["color"] for category in profile.meta["categories"]}
    assert support.CATEGORIES.items() <= colors.items() and "Interpreter" in colors
    for frame in profile.frames:
        if frame.category == "Native":
            # a symbol, or library and offset; never a bare number
            assert frame.lib and not frame.name.startswith("0x")
        if frame.name == "<module>":
            assert frame.category == "Python"


def test_sources_are_the_files(python, recorder):
    made = recorder(python, "threads.py")
    sources = made.profile.sources()
    assert sources[str(made.script)] == made.script.read_text(encoding="utf-8")
    library = [file for file in sources if os.path.basename(file) == "threading.py"]
    assert library
    for file in library:
        with open(file, encoding="utf-8", newline="") as source:
            assert sources[file] == source.read()


def test_a_changed_source_is_still_the_one_that_ran(python, tmp_path):
    script = tmp_path / "changes.py"
    text = (support.PROGRAMS / "nap.py").read_text()
    script.write_text(text)
    assert support.record(python, script, cwd=tmp_path).code == 0
    script.write_text("# another program\n")
    profile = support.convert(tmp_path / "x.vmfox", tmp_path)
    assert profile.sources()[str(script)] == text


# ---- options ------------------------------------------------------------------------------------


def test_without_native_frames(python, recorder):
    def natives(*options):
        made = recorder(python, "shares.py", *options)
        return sum(frame.category == "Native"
                   for sample in made.profile.all_samples() for frame in sample.stack)

    assert natives() > 0
    assert natives("--no-native") == 0


def test_real_time_shows_sleeping(python, recorder):
    made = recorder(python, "nap.py", "--real-time")
    told = made.told
    napped = share(made.profile.samples(), "nap", within="<module>")
    assert abs(napped - 100 * told["nap"] / (told["nap"] + told["toil"])) <= 10
    assert made.profile.facts()["Timer"].startswith("wall time")


def test_cpu_time_does_not_show_sleeping(python, recorder):
    profile = recorder(python, "nap.py").profile
    assert share(profile.samples(), "nap", within="<module>") < 20
    assert profile.facts()["Timer"].startswith("CPU time")


# ---- what is taken along ------------------------------------------------------------------------


def test_the_profile_tells_how_it_was_made(python, recorder):
    made = recorder(python, "threads.py")
    meta, facts = made.profile.meta, made.profile.facts()
    version = support.run([python, "-c", "import sys, platform;"
                           "print(platform.python_version(), sys.executable)"], made.folder)
    number, executable = version.out.decode().split()
    assert meta["arguments"] == "%s %s" % (python, made.script)
    assert facts["Interpreter"].startswith(("PyPy ", "CPython " + number))
    assert number in facts["Interpreter"]
    assert os.path.samefile(facts["Interpreter path"], executable)
    assert facts["Host"] == os.uname().nodename
    assert facts["Working folder"] == str(made.folder)
    assert facts["Ended"] == "exit code 0"
    assert meta["logicalCPUs"] == len(os.sched_getaffinity(0)) or \
        meta["logicalCPUs"] == os.cpu_count()
    assert meta["mainMemory"] == os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert meta["abi"] == os.uname().machine
    assert made.profile.threads[0]["processName"] == "threads"


def test_libraries_have_their_build_ids(python, recorder):
    profile = recorder(python, "shares.py").profile
    libs = {lib["path"]: lib for lib in profile.data["libs"]}
    assert libs
    for path, lib in libs.items():
        if not os.path.isfile(path):
            continue  # [vdso]
        with open(path, "rb") as file:
            assert bytes.fromhex(lib["codeId"]) in file.read(), path


def test_maps_have_what_is_loaded_late(python, tmp_path):
    program = ("import time\n"
               "end = time.process_time() + 0.1\n"
               "while time.process_time() < end: pass\n"
               "import _ssl, hashlib\n"
               "end = time.process_time() + 0.2\n"
               "while time.process_time() < end: hashlib.pbkdf2_hmac('sha512', b'x', b'y', 2000)\n")
    assert support.record(python, "-c", program, cwd=tmp_path).code == 0
    maps = support.member(tmp_path / "x.vmfox", "maps.txt").decode()
    assert "libcrypto" in maps and "libc.so" in maps


def test_children_are_said(python, tmp_path):
    program = "import subprocess, sys; subprocess.check_call([sys.executable, '-c', ''])"
    done = support.vmfox("record", "-o", "x.vmfox", python, "-c", program, cwd=tmp_path)
    assert done.code == 0
    assert "started other processes" in done.err
    assert "Child processes" in support.convert(tmp_path / "x.vmfox", tmp_path).facts()
    done = support.vmfox("record", "-o", "x.vmfox", python, "-c", "pass", cwd=tmp_path)
    assert "other processes" not in done.err
    assert "Child processes" not in support.convert(tmp_path / "x.vmfox", tmp_path).facts()


def test_nothing_is_left_behind(python, tmp_path):
    assert support.record(python, "-c", "pass", cwd=tmp_path).code == 0
    assert os.listdir(tmp_path / "tmp") == []
    assert sorted(os.listdir(tmp_path)) == ["tmp", "x.vmfox"]
