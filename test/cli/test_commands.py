"""The command line: help, hints, names of outputs, and what is said when something is missing."""
import os
import subprocess

import pytest

import builder
import support
import viewing
from support import vmfox

COMMANDS = ["run", "record", "view", "jit", "convert", "share", "symbolicate", "recover", "clean", "help"]
MARK = "open('ran', 'w').close()\n"


@pytest.fixture
def script(tmp_path):
    """A program that leaves a file behind when it was started."""
    path = tmp_path / "prog.py"
    path.write_text(MARK + "import sys\nprint(sys.implementation.name, sys.argv)\n")
    return "prog.py"


def ran(tmp_path):
    return (tmp_path / "ran").exists()


# ---- help and hints -----------------------------------------------------------------------------


def test_version(tmp_path):
    done = vmfox("--version", cwd=tmp_path)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("vmfox ") and done.out[6].isdigit()
    assert vmfox("-V", cwd=tmp_path) == done


@pytest.mark.parametrize("words", [("--help",), ("-h",), ("help",)])
def test_overview(tmp_path, words):
    done = vmfox(*words, cwd=tmp_path)
    assert (done.code, done.err) == (0, "")
    for command in COMMANDS:
        assert "  %s " % command in done.out


def test_no_arguments(tmp_path):
    done = vmfox(cwd=tmp_path)
    assert (done.code, done.out) == (2, "")
    assert done.err == vmfox("--help", cwd=tmp_path).out


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command(tmp_path, command):
    done = vmfox("help", command, cwd=tmp_path)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("usage: vmfox %s " % command)
    assert vmfox(command, "-h", cwd=tmp_path) == done
    assert vmfox(command, "--help", cwd=tmp_path) == done


@pytest.mark.parametrize("command, options", [
    ("run", "--output --no-serve --port --no-open --profiler-url"),
    ("run record", "--python --period --real-time --no-native --no-lines --no-memory --jitlog "
                   "--no-jitlog --pypylog --no-pypylog --budget --no-pc --pc-thread --quiet "
                   "--output --help"),
    ("convert", "--output --jitlog --pypylog --quiet --help"),
    ("view", "--port --no-open --profiler-url --jitlog --pypylog --help"),
    ("share", "--output --no-paths --no-arguments --no-env --jitlog --pypylog --quiet --help"),
])
def test_help_lists_the_options(tmp_path, command, options):
    for name in command.split():
        text = vmfox("help", name, cwd=tmp_path).out
        for option in options.split():
            assert " %s " % option in text or " %s[=" % option in text
        assert max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize("words, hint", [
    (("convrt",), "did you mean convert?"),
    (("help", "recrd"), "did you mean record?"),
    (("zzzzzz",), "see vmfox help"),
    (("convert", "--ouput", "x.json"), "did you mean --output?"),
    (("convert", "--qiet=1", "x"), "did you mean --quiet?"),
    (("record", "--no-nativ", "x.py"), "did you mean --no-native?"),
    (("record", "--priod", "1", "x.py"), "did you mean --period?"),
    (("run", "--realtime", "x.py"), "did you mean --real-time?"),
    (("view", "--noopen", "x"), "did you mean --no-open?"),
    (("convert", "--zzzzzzz"), "see vmfox help convert"),
    (("convert", "-z"), "see vmfox help convert"),
    (("convert", "--quiet=1", "x"), "takes no value"),
    (("convert", "x", "-o"), "needs a value"),
    (("convert",), "name a file"),
    (("convert", "a", "b"), "one file"),
    (("share",), "name a file"),
    (("share", "a", "b"), "one file"),
    (("share", "--no-path", "x"), "did you mean --no-paths?"),
    (("view",), "name a file"),
    (("view", "a", "b"), "one file"),
    (("view", "--port", "0", "x"), "--port takes"),
    (("view", "--port", "70000", "x"), "--port takes"),
    (("run",), "name a script"),
    (("record",), "name a script"),
    (("record", "-m"), "-m needs"),
    (("record", "-c"), "-c needs"),
    (("record", "--period", "2", "x.py"), "--period takes"),
    (("record", "--period", "0", "x.py"), "--period takes"),
    (("record", "--period", "nan", "x.py"), "--period takes"),
    (("record", "--period", "1ms", "x.py"), "--period takes"),
])
def test_wrong_usage(tmp_path, words, hint):
    done = vmfox(*words, cwd=tmp_path)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("vmfox: ") and done.err.count("\n") == 1
    assert hint in done.err


def test_options_behind_the_script_are_the_programs(tmp_path, pypy, script):
    done = vmfox("record", "-q", pypy, script, "-o", "x", "--quiet", "--nonsense", cwd=tmp_path)
    assert (done.code, done.err) == (0, "")
    assert done.out == "pypy %r\n" % [script, "-o", "x", "--quiet", "--nonsense"]


# ---- names of outputs ---------------------------------------------------------------------------


def test_default_names_of_a_recording(tmp_path, pypy):
    (tmp_path / "sub").mkdir()
    for name in ("plain.py", "sub/inner.py", "noending", "two.dots.py"):
        (tmp_path / name).write_text("")
    for words, expected in ((("plain.py",), "plain"), (("sub/inner.py",), "inner"),
                            (("noending",), "noending"), (("two.dots.py",), "two.dots"),
                            (("-m", "plain"), "plain"), (("-mplain",), "plain"),
                            (("-c", "pass"), "python")):
        done = vmfox("record", pypy, *words, cwd=tmp_path)
        assert done.code == 0
        assert "vmfox: wrote %s.vmfox; see it with: vmfox view %s.vmfox\n" % (
            expected, expected) in done.err
        os.unlink(tmp_path / (expected + ".vmfox"))


def test_run_without_serving_writes_the_profile(tmp_path, pypy, script):
    done = vmfox("run", "--no-serve", pypy, script, "a", cwd=tmp_path)
    assert (done.code, done.out) == (0, "pypy ['prog.py', 'a']\n")
    assert "wrote prog.jslb.gz" in done.err
    assert (tmp_path / "prog.jslb.gz").read_bytes()[:2] == b"\x1f\x8b"
    assert support.load_profile(tmp_path / "prog.jslb.gz").meta["arguments"].endswith("prog.py a")
    assert sorted(os.listdir(tmp_path)) == ["prog.jslb.gz", "prog.py", "ran", "tmp"]
    assert os.listdir(tmp_path / "tmp") == []


def test_run_with_a_name_for_the_profile(tmp_path, pypy):
    done = vmfox("run", "-q", "--no-serve", "-o", "kept.json", pypy, "-c", "raise SystemExit(3)",
                 cwd=tmp_path)
    assert done == (3, "", "")
    assert (tmp_path / "kept.json").read_bytes().startswith(b"{")


def test_run_and_record_and_convert_agree(tmp_path, pypy, recorder):
    made = recorder(pypy, "nap.py")
    assert vmfox("convert", "-q", made.capture, "-o", tmp_path / "a.json", cwd=tmp_path).code == 0
    assert vmfox("convert", "-q", made.capture, "-o", tmp_path / "b.json.gz",
                 cwd=tmp_path).code == 0
    assert support.load_profile(tmp_path / "a.json").data == made.profile.data
    assert support.load_profile(tmp_path / "b.json.gz").data == made.profile.data


@pytest.mark.parametrize("command, out, said", [
    (("record",), "nowhere/x.vmfox", "nowhere"),
    (("record",), ".", "directory"),
    (("run", "--no-serve"), "nowhere/x.json", "nowhere"),
    (("run", "--no-serve"), "x.txt", ".json.gz"),
    (("run", "--no-open"), "x.vmfox", ".json.gz"),
])
def test_an_unwritable_output_is_said_before_the_program_runs(tmp_path, pypy, script, command, out,
                                                              said):
    done = vmfox(*command, "-o", out, pypy, script, cwd=tmp_path)
    assert done.code in (1, 2) and done.out == ""
    assert said in done.err and done.err.count("\n") == 1
    assert not ran(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_protected_folder_is_said_before_the_program_runs(tmp_path, pypy, script):
    (tmp_path / "locked").mkdir(mode=0o555)
    done = vmfox("record", "-o", "locked/x.vmfox", pypy, script, cwd=tmp_path)
    assert done.code == 1 and "Permission denied" in done.err
    assert not ran(tmp_path)


def test_an_old_recording_stays_when_nothing_was_recorded(tmp_path, pypy):
    (tmp_path / "x.vmfox").write_text("old")
    done = vmfox("record", "-o", "x.vmfox", pypy, "missing.py", cwd=tmp_path)
    assert done.code != 0
    assert (tmp_path / "x.vmfox").read_text() == "old"


def test_an_unusable_temporary_folder_is_said(tmp_path, pypy, script):
    env = support.environment(tmp_path / "nowhere")
    done = vmfox("record", pypy, script, cwd=tmp_path, env=env)
    assert done.code == 1 and "nowhere" in done.err and done.err.count("\n") == 1
    assert not ran(tmp_path)


# ---- scripts and interpreters -------------------------------------------------------------------


def test_a_missing_script_is_said(tmp_path, python):
    done = vmfox("record", python, "missing.py", cwd=tmp_path)
    assert (done.code, done.out) == (2, "")
    assert done.err == "vmfox: can't open the script missing.py: No such file or directory\n"


def test_a_missing_interpreter_is_said(tmp_path, script):
    env = support.environment(tmp_path)
    for words, extra in ((("--python", "nopython"), {}), ((), {"VMFOX_PYTHON": "nopython"})):
        done = vmfox("record", *words, script, cwd=tmp_path, env=dict(env, **extra))
        assert (done.code, done.out) == (2, "")
        assert "there is no interpreter nopython" in done.err and done.err.count("\n") == 1
    done = vmfox("record", script, cwd=tmp_path, env=dict(env, PATH=str(tmp_path)))
    assert done.code == 2 and "install" in done.err and "--python" in done.err
    assert not ran(tmp_path)


def test_an_interpreter_is_found(tmp_path, pypy, cpython, script):
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, target in (("python3", cpython), ("pypy3", pypy)):
        (folder / name).write_text("#!/bin/sh\nexec %s \"$@\"\n" % target)
        (folder / name).chmod(0o755)
    env = support.environment(tmp_path, PATH="%s:/usr/bin:/bin" % folder)

    def implementation(*words, **extra):
        for _ in range(3):
            done = vmfox("record", "-q", *words, cwd=tmp_path, env=dict(env, **extra))
            if done.code != 139:
                break
        assert (done.code, done.err) == (0, "")
        return done.out.split()[0]

    assert implementation(script) == "pypy"
    assert implementation(script, VMFOX_PYTHON=cpython) == "cpython"
    assert implementation(script, VMFOX_PYTHON="") == "pypy"
    assert implementation("--python", pypy, script, VMFOX_PYTHON=cpython) == "pypy"
    assert implementation("--python", "python3", script) == "cpython"
    assert implementation("--python", pypy, "python3", script) == "cpython"
    assert implementation("--", "python3", script) == "cpython"
    assert implementation("--", script) == "pypy"
    (folder / "pypy3").unlink()
    env["PATH"] = "%s:/bin-of-nobody" % folder
    os.symlink("/bin/sh", folder / "sh")
    assert implementation(script) == "cpython"


def test_cpython_without_vmprof(tmp_path, cpython, script):
    bare = tmp_path / "bare"
    subprocess.run([cpython, "-m", "venv", "--without-pip", bare], check=True)
    python = str(bare / "bin/python")
    done = vmfox("record", python, script, cwd=tmp_path)
    assert (done.code, done.out) == (1, "")
    assert "%s -m pip install vmprof" % python in done.err and done.err.count("\n") == 1
    assert not ran(tmp_path)
    assert not (tmp_path / "prog.vmfox").exists()


def test_a_vmprof_that_cant_be_loaded(tmp_path, cpython, script):
    """It is there, so to install it is not what helps: the error is said."""
    (tmp_path / "_vmprof.py").write_text(
        "raise ImportError('libunwind.so.8: cannot open shared object file')\n")
    env = support.environment(tmp_path, PYTHONPATH=str(tmp_path))
    done = vmfox("record", cpython, script, cwd=tmp_path, env=env)
    assert (done.code, done.out) == (1, "")
    assert "libunwind.so.8: cannot open" in done.err and "has no vmprof" not in done.err
    assert done.err.count("\n") == 1 and not ran(tmp_path)


def test_something_that_is_no_python(tmp_path, script):
    fake = tmp_path / "python3-fake"
    fake.write_text("#!/bin/sh\nexit 6\n")
    fake.chmod(0o755)
    done = vmfox("record", fake, script, cwd=tmp_path)
    assert done.code == 6
    assert "nothing was recorded" in done.err and done.err.count("\n") == 1
    assert not (tmp_path / "prog.vmfox").exists()


# ---- view, as far as no browser is needed -------------------------------------------------------


def test_view_refuses_what_it_can_not_read(tmp_path):
    (tmp_path / "text").write_text("Hello, this is only text.\n")
    for name in ("text", "missing"):
        done = vmfox("view", "--no-open", name, cwd=tmp_path)
        assert (done.code, done.out) == (1, "")
        assert done.err.startswith("vmfox: %s: " % name)


@pytest.mark.parametrize("ending", [".json", ".json.gz", ".jslb", ".jslb.gz"])
def test_view_refuses_a_finished_profile_that_is_cut(tmp_path, ending):
    """The page would load it as far as it goes, and then say that it is no profile."""
    file = tmp_path / ("x" + ending)
    assert vmfox("convert", support.DATA / "pypy.vmfox", "-o", file, cwd=tmp_path).code == 0
    whole = file.read_bytes()
    for size in (len(whole) // 3, len(whole) - 9):
        file.write_bytes(whole[:size])
        done = vmfox("view", "--no-open", file, cwd=tmp_path)
        assert (done.code, done.out) == (1, "")
        assert done.err.startswith("vmfox: ") and str(file) in done.err
    file.write_bytes(whole)
    with viewing.View(file, tmp_path):
        pass


@pytest.mark.parametrize("command", ["view", "convert", "share", "symbolicate", "jit"])
def test_a_recording_that_is_cut_is_refused_and_why(tmp_path, command):
    whole = (support.DATA / "pypy.vmfox").read_bytes()
    (tmp_path / "x.vmfox").write_bytes(whole[:len(whole) // 2])
    done = vmfox(command, "x.vmfox", cwd=tmp_path)
    assert (done.code, done.out) == (1, "")
    assert done.err == ("vmfox: x.vmfox: the zip can't be read: it is cut or damaged, for the list of what "
                        "is in it, at its end, is not there\n")
    assert sorted(os.listdir(tmp_path)) == ["tmp", "x.vmfox"] and os.listdir(tmp_path / "tmp") == []


def test_view_checks_its_options_first(tmp_path):
    (tmp_path / "x.prof").write_bytes(builder.small_prof())
    done = vmfox("view", "--profiler-url", "not a url", "x.prof", cwd=tmp_path)
    assert (done.code, done.out) == (2, "") and "--profiler-url" in done.err
