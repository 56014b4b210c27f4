"""What the program can notice of vmfox (docs/recording.md): that, and no more."""
import json
import os
import re
import subprocess

import pytest

import support

WORK = """
import time
def work(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        sum(range(500))
"""


def both(python, tmp_path, program, *options, words=(), code=None, env=None):
    """What a program prints as JSON, alone and under vmfox, after it was sampled."""
    (tmp_path / "p.py").write_text(WORK + program)
    (tmp_path / "tmp").mkdir(exist_ok=True)
    alone = support.run([python, *words, "p.py"], tmp_path, env=env)
    done = support.record(*options, python, *words, "p.py", cwd=tmp_path, env=env,
                          crashes=code is not None)
    assert alone.code == 0 and done.code == (code or 0), done.err
    assert len(support.member(tmp_path / "x.vmfox", "stamps.i64")) >= 8 * 5
    return json.loads(alone.out), json.loads(done.out)


# ---- the signal ---------------------------------------------------------------------------------

CAUGHT = """
import json, signal
work(0.1)
caught = [line for line in open("/proc/self/status") if line.startswith(("SigCgt", "SigIgn"))]
print(json.dumps([[int(line.split()[1], 16) for line in caught],
                  [str(signal.getsignal(number)) for number in range(1, 32)]]))
"""


def test_the_signal_is_caught(python, tmp_path):
    """That one alone, and Python does not know of it."""
    alone, under = both(python, tmp_path, CAUGHT)
    assert under[0] == [alone[0][0], alone[0][1] | 1 << 15] and under[1] == alone[1]


SETS = """
import ctypes, json
libc = ctypes.CDLL(None)
work(0.2)
libc.signal.argtypes = [ctypes.c_int, ctypes.c_void_p]
libc.signal.restype = ctypes.c_void_p
print(json.dumps("so far"), flush=True)
def late(seconds):
    work(seconds)
libc.signal(16, %d)
late(0.5)
"""


def test_c_code_that_ignores_the_signal_takes_the_samples_away(python, tmp_path):
    assert both(python, tmp_path, SETS % 1) == ("so far", "so far")
    profile = support.convert(tmp_path / "x.vmfox", tmp_path)
    assert support.share(profile.samples(), "work") > 30
    assert not any(frame.name == "late" for sample in profile.samples() for frame in sample.stack)


def test_c_code_that_sets_the_signal_to_its_default_is_ended_by_it(python, tmp_path):
    assert both(python, tmp_path, SETS % 0, code=128 + 16) == ("so far", "so far")


WAITS = """
import ctypes, json, signal
libc = ctypes.CDLL(None)
every = ctypes.create_string_buffer(128)
libc.sigfillset(every)
signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 32))
work(0.2)
now = ctypes.create_string_buffer(16)
of_python = getattr(signal, "sigtimedwait", lambda *_: None)(range(1, 32), 0)  # PyPy has none
print(json.dumps([of_python and of_python.si_signo, libc.sigtimedwait(every, None, now)]))
signal.pthread_sigmask(signal.SIG_UNBLOCK, range(1, 32))
work(0.1)
"""


NAMES = """
import glob, os, time
def names():
    return {name for folder in glob.glob(os.environ["TMPDIR"] + "/vmfox-*") for name in os.listdir(folder)}
def work(seconds, look):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        sum(range(2000))
        look()
first, later = set(), set()
work(1, lambda: None)
first = names()
work(2, lambda: later.update(names()))
print(len(first) > 3, sorted(later ^ first))
"""


def test_names_in_its_temporary_folder_stay(python, tmp_path):
    """So the program can remove the folder with all that is in it, at any moment but the first."""
    (tmp_path / "p.py").write_text(NAMES)
    done = support.record(python, "p.py", cwd=tmp_path)
    assert (done.code, done.out, done.err) == (0, "True []\n", "")


def test_c_code_that_waits_for_all_signals_gets_it(python, tmp_path):
    """Python code does not."""
    assert both(python, tmp_path, WAITS) == ([None, -1], [None, 16])


# ---- memory -------------------------------------------------------------------------------------

MAPPED = """
import json
work(0.1)
rows = [line.split(None, 5) for line in open("/proc/self/maps")]
sizes = {}
for row in rows:
    if len(row) > 5:
        begin, end = row[0].split("-")
        name = row[5].strip()
        sizes[name] = sizes.get(name, 0) + int(end, 16) - int(begin, 16)
print(json.dumps(sizes))
"""


@pytest.mark.parametrize("options", [(), ("--no-native",)])
def test_files_in_its_memory(python, tmp_path, options):
    alone, under = both(python, tmp_path, MAPPED, *options)
    more = {re.sub("vmfox-[^/]*", "F", os.path.basename(os.path.dirname(name))) + "/" +
            os.path.basename(name): size for name, size in under.items() if name not in alone}
    ring = [size for name, size in more.items() if "memfd:ring" in name]
    assert len(ring) == 1 and 16 << 20 <= ring[0] < 17 << 20
    native = {"F/libunwind.so"} if not options and os.uname().machine == "x86_64" else set()
    ours = {name for name in more if name.startswith("F/")}
    assert ours == {"F/vmfox_inside.so"} | native
    # VMProf's module, and what that and ours link.
    others = {name.split("/")[1] for name in set(more) - ours if "memfd:ring" not in name}
    assert all(re.match(r"_vmprof\..*\.so$|lib(gcc_s|dl|unwind|pthread|c|m|z|lzma)\.so", name)
               for name in others), others
    assert "pypy" not in python or not others


# ---- its start and end --------------------------------------------------------------------------


def test_one_more_exit_function(python, tmp_path):
    alone, under = both(python, tmp_path, "import atexit, json\nwork(0.1)\n"
                        "atexit.register(len, ())\nprint(json.dumps(atexit._ncallbacks()))\n")
    assert under == alone + 1


def test_its_exit_function_runs_last(python, tmp_path):
    """What the program's own do is still sampled."""
    both(python, tmp_path, "import atexit, json\ndef late():\n    work(0.3)\n"
         "atexit.register(late)\nprint(json.dumps(0))\n")
    samples = support.convert(tmp_path / "x.vmfox", tmp_path).samples()
    assert support.share(samples, "late") > 50


PROCESSES = """
import json, os, sys
def lines(path):
    with open(path, "rb") as file:
        return [word.decode() for word in file.read().split(b"\\0")[:-1]]
work(0.1)
group = []
for name in os.listdir("/proc"):
    try:
        if name.isdigit() and os.getpgid(int(name)) == os.getpgrp():
            with open("/proc/%s/comm" % name) as file:
                group.append(file.read().strip())
    except OSError:
        pass
with open("/proc/%d/comm" % os.getppid()) as file:
    parent = file.read().strip()
print(json.dumps([parent, group, [word.split("=")[0] for word in lines("/proc/self/environ")],
                  lines("/proc/self/cmdline"), getattr(sys, "orig_argv", None),
                  sorted(os.environ)]))
"""


def processes(python, tmp_path, *words):
    """In a process group of their own."""
    (tmp_path / "p.py").write_text(WORK + PROCESSES)
    (tmp_path / "tmp").mkdir(exist_ok=True)
    alone = support.run([python, *words, "p.py"], tmp_path, start_new_session=True)
    done = support.record(python, *words, "p.py", cwd=tmp_path, start_new_session=True)
    assert (alone.code, done.code) == (0, 0)
    return json.loads(alone.out), json.loads(done.out)


def test_processes_around_it(python, tmp_path):
    alone, under = processes(python, tmp_path)
    assert under[0] == "vmfox" and len(alone[1]) == 1
    assert sorted(under[1]) == sorted(alone[1] + ["vmfox", "vmfox"])


def test_its_environment_at_the_start(python, tmp_path):
    alone, under = processes(python, tmp_path)
    assert set(under[2]) - set(alone[2]) == {"VMFOX_BOOTSTRAP", "PYTHONPATH", "PYPYLOG"}
    assert under[3:] == alone[3:]


@pytest.mark.parametrize("option", ["-E", "-I"])
def test_its_command_line_in_proc(python, tmp_path, option):
    alone, under = processes(python, tmp_path, option)
    assert alone[3][1:] == [option, "p.py"]
    assert under[3][1:3] == [option, "-c"] and "vmfox_bootstrap" in under[3][3]
    assert under[5] == alone[5]
    if under[4]:  # from 3.10 on
        assert under[4] == under[3] and alone[4] == alone[3]


def test_path_files_see_more(python, tmp_path):
    """They run before sitecustomize."""
    interpreter = support.with_path_file(
        python, tmp_path, "import sys, os; sys.seen = [[os.path.basename(p)[:6] for p in sys.path], "
        "sorted(os.environ), [os.readlink('/proc/self/fd/' + n) for n in "
        "os.listdir('/proc/self/fd') if os.path.lexists('/proc/self/fd/' + n)]]")
    alone, under = both(interpreter, tmp_path,
                        "import json, sys\nwork(0.1)\nprint(json.dumps([sys.seen, sys.path]))\n")
    assert under[1] == alone[1]
    assert under[0][0].count("vmfox-") == alone[0][0].count("vmfox-") + 1
    names = set(under[0][1]) - set(alone[0][1])
    assert {"VMFOX_BOOTSTRAP", "PYTHONPATH"} <= names <= {"VMFOX_BOOTSTRAP", "PYTHONPATH", "PYPYLOG"}
    files = {os.path.basename(name).split(" ")[0] for name in under[0][2]} - \
        {os.path.basename(name).split(" ")[0] for name in alone[0][2]}
    files = {name for name in files if not re.match(r"pipe:|fd$|\d+$", name)}
    assert files == {"memfd:ring"}


# ---- faulthandler -------------------------------------------------------------------------------

DUMPS = """
import faulthandler, json, tempfile
def deep():
    work(0.1)
    with tempfile.TemporaryFile("w+") as file:
        faulthandler.dump_traceback(file)
        file.seek(0)
        return file.read().splitlines()[1:]
print(json.dumps(deep()))
"""
CRASHES = WORK + """
import faulthandler, os, signal
faulthandler.enable()
def deep():
    work(0.1)
    os.kill(os.getpid(), signal.SIGSEGV)
deep()
"""


def test_faulthandler_of_pypy_names_no_function_made_after_the_start(pypy, tmp_path):
    alone, under = both(pypy, tmp_path, DUMPS)
    assert [line for line in alone if line.endswith("in deep")]
    assert len(under) == len(alone)
    assert {mine for mine, its in zip(under, alone) if mine != its} == {"  File ???"}


def test_faulthandler_of_cpython_tells_the_same(cpython, tmp_path):
    alone, under = both(cpython, tmp_path, DUMPS)
    assert under == alone and any(line.endswith("in deep") for line in alone)


def test_a_crash_with_faulthandler(python, tmp_path):
    """On CPython the text is the same; on PyPy but for the names of functions."""
    (tmp_path / "p.py").write_text(CRASHES)
    alone = support.run([python, "p.py"], tmp_path)
    done = support.record(python, "p.py", cwd=tmp_path, crashes=True)
    assert alone.code == -11 and done.code == 128 + 11
    texts = [re.sub("0x[0-9a-f]+", "0x", text).splitlines()
             for text in (alone.err.decode(), done.err)]
    if "pypy" in python:
        differ = {mine for its, mine in zip(*texts) if its != mine}
        assert len(texts[0]) == len(texts[1]) and differ == {"  File ???"}
    else:
        assert texts[0] == texts[1] and "in deep" in alone.err.decode()
