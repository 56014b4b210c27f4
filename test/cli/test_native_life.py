"""Libraries that change while the program runs, and programs that end in the middle of it."""
import json
import os
import signal
import socket
import subprocess
import time

import pytest

import native
import support
from native import need_addresses


def run_spin(python, folder, code, *options, out="x.vmfox", code_expected=None):
    """Records a program that works in an extension beside it; `code` is Python, in which `work`
    lets the extension work for so many seconds."""
    script = folder / "own.py"
    script.write_text(
        "import importlib, os, signal, sys, time\n"
        "def work(module, seconds):\n"
        "    end = time.process_time() + seconds\n"
        "    while time.process_time() < end:\n"
        "        module.spin(20000)\n" + code)
    done = support.record(*options, python, script, cwd=folder, out=out, crashes=True)
    if code_expected is not None:
        assert done.code == code_expected, done.err
    return native.convert(folder / out)


def names_in(profile, lib="hot.so"):
    return {frame.name for frame in profile.of_lib(lib)}


@pytest.mark.parametrize("how", ["replaced", "deleted"])
def test_a_library_that_is_another_by_the_end(cpython, tmp_path, how):
    """What lies under its name now says nothing of what ran: no names, no code."""
    library = native.build(tmp_path, "-g")
    other = native.build(tmp_path / "other", "-g", "-O0")
    change = "os.rename(%r, %r)" % (str(other), str(library))
    if how == "deleted":
        change = "os.unlink(%r)" % str(library)
    profile = run_spin(cpython, tmp_path, "import hot\n%s\nwork(hot, 0.4)\n" % change, "--share",
                       code_expected=0)
    assert names_in(profile) and profile.lib("hot.so")["codeId"] is None
    assert not {"outer", "inner", "step"} & names_in(profile)
    with native.View(tmp_path / "x.vmfox", tmp_path) as view:
        for symbol in profile.symbols("hot.so"):
            assert "error" in view.assembly(profile, symbol)


@pytest.mark.parametrize("end, code", [
    ("os._exit(3)", 3), ("os.kill(os.getpid(), signal.SIGKILL)", 137),
    ("os.execv('/bin/true', ['true'])", 0)])
def test_a_program_that_ends_without_a_word(cpython, tmp_path, end, code):
    """Also when it has loaded the library just before its first sample."""
    native.build(tmp_path, "-g")
    profile = run_spin(cpython, tmp_path, "import hot\nwork(hot, 0.4)\n%s\n" % end,
                       code_expected=code)
    assert "outer" in names_in(profile)
    assert not [f.name for f in profile.frames if native.BARE.fullmatch(f.name)]


def test_a_library_that_is_unloaded(cpython, tmp_path):
    """By the end others lie in memory, and nothing there."""
    plain = tmp_path / "busy.c"
    plain.write_text("volatile unsigned long sink;\n"
                     "void busy(long n) { for (long i = 0; i < n; i++) sink += i; }\n")
    native.tool("gcc", "-g", "-O1", "-shared", "-fPIC", plain, "-o", tmp_path / "libbusy.so")
    text = ("import ctypes, _ctypes\n"
            "for _ in range(3):\n"
            "    lib = ctypes.CDLL(%r)\n"
            "    end = time.process_time() + 0.15\n"
            "    while time.process_time() < end:\n"
            "        lib.busy(100000)\n"
            "    _ctypes.dlclose(lib._handle)\n"
            "sum(range(3000000))\n" % str(tmp_path / "libbusy.so"))
    profile = run_spin(cpython, tmp_path, text, code_expected=0)
    busy = [s for s in profile.samples() if any(f.name == "busy" for f in s.stack)]
    assert len(busy) > 0.5 * len(profile.samples())
    assert not [f.name for f in profile.frames if native.BARE.fullmatch(f.name)]


@pytest.mark.parametrize("which", ["cpython", "pypy"])
def test_libraries_that_come_and_go_while_others_throw(request, tmp_path, which):
    """The dynamic linker's lock is taken all the time, and no sample waits for it.  Both libraries have
    the same function at the same place, with another frame."""
    python = request.getfixturevalue(which)
    native.tool("g++", "-g", "-O1", "-shared", "-fPIC", support.PROGRAMS / "churn.cpp", "-o",
                tmp_path / "libchurn.so")
    for name, size in (("one", 100), ("two", 1000)):
        (tmp_path / "work.c").write_text(
            "void work(long n) { volatile char room[%d]; while (n--) room[n %% 100] = 1; }\n" % size)
        native.tool("gcc", "-O1", "-shared", "-fPIC", "-Wl,--build-id=none", tmp_path / "work.c",
                    "-o", tmp_path / ("lib%s.so" % name))
    (tmp_path / "own.py").write_text(
        "import ctypes, threading\n"
        "lib = ctypes.CDLL('./libchurn.so')\n"
        "lib.throws.argtypes = [ctypes.c_double]\n"
        "lib.churn.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_double]\n"
        "lib.throws.restype = lib.churn.restype = ctypes.c_long\n"
        "counts = []\n"
        "def churn(): counts.append(lib.churn(b'./libone.so', b'./libtwo.so', 1.0))\n"
        "def throws(): counts.append(lib.throws(1.0))\n"
        "threads = [threading.Thread(target=f) for f in (churn, throws, throws)]\n"
        "for thread in threads: thread.start()\n"
        "for thread in threads: thread.join()\n"
        "print(len(counts), min(counts) > 100)\n")
    done = support.record("--period", "0.001", python, "own.py", cwd=tmp_path)
    assert (done.code, done.out) == (0, "3 True\n"), done.err
    profile = native.convert(tmp_path / "x.vmfox")
    # Who called it is found through the frame of either.  (Of a sample in PyPy of which VMProf gives up
    # the native frames, work() alone is known.)
    above = [sample.stack[i - 1].name for sample in profile.all_samples()
             for i, frame in enumerate(sample.stack) if frame.name == "work"]
    assert len(above) > 50 and above.count("churn") > 0.9 * len(above), set(above)
    assert {"churn", "throws"} <= names_in(profile, "libchurn.so")


@pytest.mark.parametrize("option", ["-I", "-S", "-E"])
def test_the_root_is_the_programs_own(pypy, tmp_path, option):
    """With these the recorder comes in by -c, whose frames are not the program's."""
    script = tmp_path / "own.py"
    script.write_text("import time\n"
                      "def work():\n"
                      "    end = time.process_time() + 0.2\n"
                      "    while time.process_time() < end:\n"
                      "        sum(range(1000))\n"
                      "work()\n")
    for words in ([script], ["-c", script.read_text()]):
        assert support.record(pypy, option, *words, cwd=tmp_path).code == 0
        profile = support.convert(tmp_path / "x.vmfox", tmp_path)
        inside = [s for s in profile.samples() if any(f.name == "work" for f in s.stack)]
        assert inside and not [f.name for f in profile.frames if f.name.startswith("vmfox")]
        for sample in inside:
            assert [f.name for f in sample.stack][:2] == ["<module>", "work"]


def test_ctrl_c_while_debug_info_is_asked_for(cpython, tmp_path):
    """It ends the asking, and the recording is there."""
    library = native.build(tmp_path, "-g")
    native.strip(library)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        env = support.environment(
            tmp_path, DEBUGINFOD_URLS="http://127.0.0.1:%d" % silent.getsockname()[1],
            DEBUGINFOD_CACHE_PATH=str(tmp_path / "cache"), DEBUGINFOD_RETRY_LIMIT="0")
        (tmp_path / "spin.py").write_bytes((support.PROGRAMS / "spin.py").read_bytes())
        child = subprocess.Popen(
            [support.VMFOX, "record", "-o", "x.vmfox", cpython, "spin.py", "hot", "0.3"],
            cwd=tmp_path, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True)
        asked, _ = silent.accept()  # the program has ended
        time.sleep(0.2)
        child.send_signal(signal.SIGINT)
        _, said = child.communicate(timeout=support.PATIENCE)
        asked.close()
    assert child.returncode == 0 and "interrupted" in said and "wrote x.vmfox" in said
    assert names_in(native.convert(tmp_path / "x.vmfox"))
    assert [name for name in os.listdir(tmp_path) if name.startswith("vmfox-")] == []


def test_hits_stay_where_symbolicate_names_a_function(cpython, tmp_path):
    """A function has one row of nativeSymbols, by which the page finds its hits."""
    library = native.build(tmp_path, "-g")
    native.split(library, tmp_path / "debug")
    made = need_addresses(native.made_of(cpython, library))
    (tmp_path / "old.json").write_text(json.dumps(made.profile.data))
    assert support.vmfox("symbolicate", "old.json", "-o", "new.json", "--debug-dir", "debug",
                         cwd=tmp_path).code == 0
    new = native.Profile(support.load_profile(tmp_path / "new.json").data)
    table = new.shared["nativeSymbols"]
    places = list(zip(table["libIndex"], table["address"]))
    assert len(places) == len(set(places)) and "outer" in names_in(new)
