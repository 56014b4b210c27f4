"""Programs and callers that are not kind to the recorder: the program must not notice, and what it
did must be told right."""
import os
import shutil
import subprocess

import pytest

import support


def write(folder, name, text):
    (folder / name).write_text(text, encoding="utf-8")
    return name


def both(python, tmp_path, *words):
    direct = support.run((python,) + words, tmp_path)
    under = support.run((support.VMFOX, "record", "-q", "-o", "x.vmfox", python) + words, tmp_path)
    assert (under.code, under.out, under.err) == (direct.code, direct.out, direct.err)
    return under


def test_threads_run_whatever_their_names_are(python, tmp_path):
    write(tmp_path, "names.py", "import threading, _thread, time\n"
          "class Proxy(object):\n"
          "    def __getattr__(self, name): raise KeyError(name)\n"
          "    def __call__(self): print('proxy ran')\n"
          "for name in ('bad\\ud800name', 'x' * 100000, 'a\\0b', ''):\n"
          "    thread = threading.Thread(target=print, args=('ran',), name=name)\n"
          "    thread.start(); thread.join()\n"
          "_thread.start_new_thread(Proxy(), ())\n"
          "time.sleep(0.2)\n")
    assert both(python, tmp_path, "names.py").out.count(b"ran") == 5


def test_threads_run_when_every_descriptor_is_closed(python, tmp_path):
    write(tmp_path, "closed.py", "import os, threading\n"
          "for fd in range(3, 1024):\n"
          "    try: os.close(fd)\n"
          "    except OSError: pass\n"
          "thread = threading.Thread(target=print, args=('ran',))\n"
          "thread.start(); thread.join()\n")
    assert both(python, tmp_path, "closed.py").out == b"ran\n"


def test_the_exit_code_survives_a_parent_that_ignores_children(python, tmp_path):
    done = subprocess.run(["sh", "-c", 'trap "" CHLD; exec "$@"', "sh", support.VMFOX, "record",
                           "-q", "-o", "x.vmfox", python, "-c", "import sys; sys.exit(3)"],
                          cwd=tmp_path, timeout=60)
    assert done.returncode == 3


def test_a_script_that_runs_python_before_the_program(python, tmp_path):
    """The profile is of the program, and of nothing that ran before it."""
    wrapper = tmp_path / "python3-wrapper"
    wrapper.write_text("#!/bin/sh\n%s -c 'sum(range(2000000))'\nexec %s \"$@\"\n" % (python, python))
    wrapper.chmod(0o755)
    write(tmp_path, "hot.py", "import time\n"
          "def hot():\n"
          "    end = time.process_time() + 0.3\n"
          "    while time.process_time() < end: pass\n"
          "hot()\n")
    assert support.record(str(wrapper), "hot.py", cwd=tmp_path).code == 0
    profile = support.convert(tmp_path / "x.vmfox", tmp_path)
    assert support.share(profile.samples(), "hot") > 50
    assert os.path.basename(os.path.realpath(python))[:4] in support.capture_info(
        tmp_path / "x.vmfox")["interpreter_path"]


def write_wrapper(tmp_path, text):
    wrapper = tmp_path / "python3-wrapper"
    wrapper.write_text("#!/bin/sh\n" + text)
    wrapper.chmod(0o755)
    return str(wrapper)


BUSY = ("import time\n"
        "end = time.process_time() + %s\n"
        "while time.process_time() < end: pass\n")


def bare_python(cpython, tmp_path):
    """A CPython without vmprof."""
    subprocess.run([cpython, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
    return tmp_path / "bare/bin/python"


def test_a_script_that_runs_a_python_without_vmprof_first(python, cpython, tmp_path):
    """It is not the program: it runs as ever, and what it says is nothing to the recording."""
    bare = bare_python(cpython, tmp_path)
    write(tmp_path, "hot.py", BUSY % 0.3)
    wrapper = write_wrapper(tmp_path, "%s -c 'print(\"first\"); exit(5)'\necho $?\nexec %s \"$@\"\n"
                            % (bare, python))
    done = support.record(wrapper, "hot.py", cwd=tmp_path)
    assert (done.code, done.out, done.err) == (0, "first\n5\n", "")
    assert support.convert(tmp_path / "x.vmfox", tmp_path).samples()


def test_a_script_that_runs_a_python_without_vmprof_last(python, cpython, tmp_path):
    """What was recorded before is kept."""
    bare = bare_python(cpython, tmp_path)
    write(tmp_path, "hot.py", BUSY % 0.3)
    wrapper = write_wrapper(tmp_path, "%s \"$@\"\n%s -c 'print(\"last\")'\nexit 6\n"
                            % (python, bare))
    done = support.record(wrapper, "hot.py", cwd=tmp_path)
    assert (done.code, done.out, done.err) == (6, "last\n", "")
    assert support.convert(tmp_path / "x.vmfox", tmp_path).samples()


def test_a_script_that_runs_nothing_but_a_python_without_vmprof(cpython, tmp_path):
    bare = bare_python(cpython, tmp_path)
    write(tmp_path, "plain.py", "import sys\nprint('_vmprof' in sys.modules)\nsys.exit(7)\n")
    wrapper = write_wrapper(tmp_path, "%s \"$@\"\nexit $?\n" % bare)
    done = support.record(wrapper, "plain.py", cwd=tmp_path)
    assert (done.code, done.out) == (7, "False\n")
    assert "nothing was recorded" in done.err and "%s -m pip install vmprof" % bare in done.err
    assert not (tmp_path / "x.vmfox").exists()


def test_figures_are_of_the_program_and_not_of_what_ran_before(python, tmp_path):
    write(tmp_path, "hot.py", BUSY % 0.2)
    wrapper = write_wrapper(tmp_path, "%s -c '%s'\nexec %s \"$@\"\n"
                            % (python, BUSY % 1.5, python))
    assert support.record(wrapper, "hot.py", cwd=tmp_path).code == 0
    info = support.capture_info(tmp_path / "x.vmfox")
    taken = len(support.member(tmp_path / "x.vmfox", "stamps.i64")) / 8
    assert taken <= info["cost"]["samples"] <= 2 * taken


def test_figures_of_a_program_that_a_script_waits_for(python, tmp_path):
    """CPU time and children are those of the interpreter, and not of the script."""
    write(tmp_path, "hot.py", "import subprocess, time\n"
          "child = subprocess.Popen(['sleep', '2'])\n" + BUSY % 0.4 + "time.sleep(0.8)\n")
    wrapper = write_wrapper(tmp_path, "%s \"$@\"\nexit $?\n" % python)
    assert support.record(wrapper, "hot.py", cwd=tmp_path).code == 0
    info = support.capture_info(tmp_path / "x.vmfox")
    assert info["cost"]["program_cpu_ns"] > 0.35e9
    assert info["children"] == 1


STRANGER = """
%s "$@"
read pid < pid
unset VMFOX_BOOTSTRAP PYTHONPATH PYPYLOG
echo $((pid - 1)) > /proc/sys/kernel/ns_last_pid
%s stranger.py
exit $?
"""


def test_a_stranger_that_gets_the_programs_number_is_left_alone(python, tmp_path):
    """In a pid namespace of its own, where numbers can be chosen."""
    apart = ["unshare", "-pf", "--mount-proc"]
    if os.geteuid() != 0 or not shutil.which("unshare") or subprocess.run(
            apart + ["sh", "-c", "echo 100 > /proc/sys/kernel/ns_last_pid"],
            capture_output=True).returncode != 0:
        pytest.skip("no pid namespaces here")
    write(tmp_path, "dies.py", BUSY % 0.3 +
          "import os\n"
          "with open('pid', 'w') as file: file.write('%d\\n' % os.getpid())\n"
          "os._exit(0)\n")
    write(tmp_path, "stranger.py", "import os, threading\ndef work():\n    " +
          (BUSY % 0.6).replace("\n", "\n    ") + "pass\n"
          "threads = [threading.Thread(target=work) for i in range(3)]\n"
          "for thread in threads: thread.start()\n"
          "for thread in threads: thread.join()\n"
          "print(os.getpid(), 'lives')\n")
    wrapper = write_wrapper(tmp_path, STRANGER % (python, python))
    done = support.run(apart + [support.VMFOX, "record", "-q", "-o", "x.vmfox", wrapper, "dies.py"],
                       cwd=tmp_path)
    assert done.out.decode() == "%s lives\n" % (tmp_path / "pid").read_text().strip()
    assert done.code == 0


def test_a_subinterpreter_starts_in_peace(cpython, tmp_path):
    write(tmp_path, "sub.py", "import sys\n"
          "try:\n"
          "    import _xxsubinterpreters as sub\n"
          "except ImportError:\n"
          "    import _interpreters as sub\n"
          "which = sub.create()\n"
          "(getattr(sub, 'run_string', None) or sub.exec)(which, 'import sys; print(sys.path)')\n")
    both(cpython, tmp_path, "sub.py")


def test_options_may_end_with_two_dashes(python, tmp_path):
    write(tmp_path, "args.py", "import sys; print(sys.argv)\n")
    for option in ("-I", "-E"):
        both(python, tmp_path, option, "--", "args.py", "-x")


def test_a_main_thread_that_waits_is_drawn_idle(python, tmp_path):
    """Its short-lived threads' CPU time does not become its own."""
    write(tmp_path, "wait.py", "import threading, time\n"
          "def work():\n"
          "    end = time.process_time() + 0.02\n"
          "    while time.process_time() < end: pass\n"
          "for i in range(50):\n"
          "    thread = threading.Thread(target=work)\n"
          "    thread.start(); thread.join()\n")
    assert support.record("-r", python, "wait.py", cwd=tmp_path).code == 0
    main = support.convert(tmp_path / "x.vmfox", tmp_path).threads[0]
    samples = main["samples"]
    busy_ms = sum(delta or 0 for delta in samples["threadCPUDelta"]) / 1e6
    assert main["isMainThread"]
    assert busy_ms < 0.4 * sum(samples["timeDeltas"])


def test_outputs_that_cant_be_are_refused_before_the_program_runs(python, tmp_path):
    write(tmp_path, "mark.py", "open('marker', 'w')\n")
    os.symlink("/dev/null", tmp_path / "device.vmfox")
    for words in (("record", "-o", ""), ("record", "-o", "-"), ("record", "-o", "device.vmfox"),
                  ("run", "--no-serve", "-o", "")):
        done = support.vmfox(*words, python, "mark.py", cwd=tmp_path)
        assert done.code in (1, 2) and done.err
        assert not (tmp_path / "marker").exists()


def test_a_file_is_not_converted_onto_itself(tmp_path):
    from builder import small_prof
    name = tmp_path / "profile.json.gz"
    name.write_bytes(small_prof())
    done = support.vmfox("convert", str(name), cwd=tmp_path)
    assert done.code == 1 and "is the input" in done.err
    assert name.read_bytes() == small_prof()
