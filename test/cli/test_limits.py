"""Limits of the shell (ulimit): the program runs as without vmfox, and what can be recorded is."""
import re
import resource
import subprocess
import time

import pytest

import support
from support import PROGRAMS, convert, share

BUSY = PROGRAMS / "busy.py"


def limited(limit, *words, cwd):
    (cwd / "tmp").mkdir(exist_ok=True)
    done = subprocess.run(["bash", "-c", "ulimit %s && exec \"$@\"" % limit, "bash",
                           *map(str, words)], cwd=cwd, env=support.environment(cwd / "tmp"),
                          capture_output=True, timeout=support.PATIENCE, check=False)
    return support.Result(done.returncode, done.stdout.decode(), done.stderr.decode())


def record(limit, *words, cwd):
    return limited(limit, support.VMFOX, "record", "-o", "x.vmfox", *words, cwd=cwd)


def check_samples(cwd, least=30):
    profile = convert("x.vmfox", cwd)
    assert share(profile.samples(), "busy") > least
    return profile


def test_file_size(python, tmp_path):
    """Every file is limited: those that the recording is gathered in, and the recording."""
    done = record("-f 120", python, BUSY, "1.5", "3", cwd=tmp_path)
    assert (done.code, done.out) == (3, "finished\n")
    assert (tmp_path / "x.vmfox").stat().st_size <= 120 * 1024
    check_samples(tmp_path)
    assert "No error" not in done.err


@pytest.mark.parametrize("kilobytes", [64, 80])
def test_file_size_of_a_small_recording(python, tmp_path, kilobytes):
    """What can't be written whole is written with less in it, and that is said."""
    done = record("-f %d" % kilobytes, python, BUSY, "0.5", "0", cwd=tmp_path)
    assert done.out == "finished\n" and done.code == 0, done.err
    assert (tmp_path / "x.vmfox").stat().st_size <= kilobytes * 1024
    check_samples(tmp_path)


def test_no_file_for_what_the_program_loads(python, tmp_path):
    """Then it runs as it is, and one line says so."""
    done = record("-f 8", python, BUSY, "0.1", "3", cwd=tmp_path)
    assert (done.code, done.out) == (3, "finished\n")
    assert done.err.count("\n") == 1 and "nothing was recorded" in done.err
    assert not (tmp_path / "x.vmfox").exists()


def test_the_program_has_its_own_limit_of_file_size(python, tmp_path):
    """It is stopped, or gets its error, as without vmfox."""
    code = ("import os, signal\nsignal.signal(signal.SIGXFSZ, signal.SIG_DFL)\n"
            "f = os.open('big', os.O_WRONLY | os.O_CREAT)\n"
            "for i in range(1000): os.write(f, b'x' * 1024)\n")
    (tmp_path / "big.py").write_text(code)
    alone = limited("-f 500", python, "big.py", cwd=tmp_path)
    under = record("-f 500", python, "big.py", cwd=tmp_path)
    assert alone.code == -25 and under.code == 128 + 25
    code = code.replace("signal.signal(signal.SIGXFSZ, signal.SIG_DFL)\n",
                        "print(signal.getsignal(signal.SIGXFSZ))\n")
    (tmp_path / "big.py").write_text(code)
    alone = limited("-f 500", python, "big.py", cwd=tmp_path)
    under = record("-f 500", python, "big.py", cwd=tmp_path)
    assert (under.code, under.out) == (alone.code, alone.out)
    assert "File too large" in alone.err and "File too large" in under.err


def test_a_child_of_the_program_is_stopped_at_the_limit(python, tmp_path):
    words = ["sh", "-c", "dd if=/dev/zero of=big bs=1024 count=1000 2>/dev/null; echo $?"]
    code = "import subprocess; print(subprocess.call(%r))\n" % words
    alone = limited("-f 500", python, "-c", code, cwd=tmp_path)
    under = record("-f 500", python, "-c", code, cwd=tmp_path)
    assert (under.code, under.out) == (alone.code, alone.out)


@pytest.mark.parametrize("count", [16, 20, 32])
def test_descriptors(python, tmp_path, count):
    done = record("-n %d" % count, python, BUSY, "0.4", "3", cwd=tmp_path)
    assert (done.code, done.out) == (3, "finished\n"), done.err
    check_samples(tmp_path)


CROWD = """
import sys, threading, time
begin, done = threading.Event(), threading.Event()
def wait():
    begin.wait()
def late():
    end = time.thread_time() + 0.3
    while time.thread_time() < end: pass
threading.stack_size(64 * 1024)
crowd = [threading.Thread(target=wait) for i in range(int(sys.argv[1]))]
for thread in crowd: thread.start()
end = time.process_time() + 0.3
while time.process_time() < end: pass
begin.set()
for thread in crowd: thread.join()
time.sleep(0.2)
thread = threading.Thread(target=late, name="late")
thread.start()
thread.join()
print("ran")
sys.exit(3)
"""


@pytest.mark.parametrize("limit, threads", [("-n 200", 260), ("-n 32", 13), ("-n 16", 6)])
def test_more_threads_than_descriptors(python, tmp_path, limit, threads):
    """Each has an event as long as there is a descriptor to spare; the recording needs some too."""
    (tmp_path / "crowd.py").write_text(CROWD)
    done = record(limit, "--period", "0.001", python, "crowd.py", threads, cwd=tmp_path)
    assert (done.code, done.out) == (3, "ran\n"), done.err
    assert "left out" not in done.err
    info = support.capture_info(tmp_path / "x.vmfox")
    profile = convert("x.vmfox", tmp_path)
    assert profile.samples() and profile.samples("late")
    assert profile.thread("late")["samples"]["threadCPUDelta"]
    if info["timer"] == "perf":
        assert re.search(r"up to \d+ threads .*ulimit -n", profile.facts()["Timer, a note"])


def test_vmfox_takes_more_descriptors_than_the_user_has_set(python, tmp_path):
    (tmp_path / "crowd.py").write_text(CROWD)
    done = record("-Sn 64", "--period", "0.001", python, "crowd.py", 150, cwd=tmp_path)
    assert (done.code, done.out) == (3, "ran\n"), done.err
    assert "timer_note" not in support.capture_info(tmp_path / "x.vmfox") or \
        support.capture_info(tmp_path / "x.vmfox")["timer"] != "perf"


def test_the_program_has_its_own_limit_of_descriptors(python, tmp_path):
    code = "import resource; print(resource.getrlimit(resource.RLIMIT_NOFILE))"
    for limit in ("-Sn 64", "-n 64"):
        alone = limited(limit, python, "-c", code, cwd=tmp_path)
        under = record(limit, python, "-c", code, cwd=tmp_path)
        assert (under.code, under.out) == (alone.code, alone.out) and "64" in under.out


@pytest.mark.parametrize("few", [5, 6, 8, 10])
def test_too_few_descriptors_to_record_with(python, tmp_path, few):
    """The program, which may need none, is run as it is."""
    done = record("-n %d" % few, python, "-c", "print('ran')", cwd=tmp_path)
    assert (done.code, done.out) == (1, "ran\n")
    assert "nothing was recorded, within the limits of this shell" in done.err
    assert "Too many open files" in done.err and len(done.err.splitlines()) == 1
    assert not (tmp_path / "x.vmfox").exists()


@pytest.mark.parametrize("kilobytes", [60000, 80000, 160000])
def test_memory(cpython, tmp_path, kilobytes):
    """Where there is no memory to look up native names the recording is without them."""
    alone = limited("-v %d" % kilobytes, cpython, BUSY, "0.3", "3", cwd=tmp_path)
    assert alone.code == 3
    done = record("-v %d" % kilobytes, cpython, BUSY, "0.3", "3", cwd=tmp_path)
    assert (done.code, done.out) == (3, alone.out)
    for line in done.err.splitlines():
        assert line.startswith(("vmfox: wrote x.vmfox", "vmfox: warning: native functions are without "
                                "names", "vmfox: warning: no native frames"))
    check_samples(tmp_path)


def test_no_memory_in_the_middle(pypy, tmp_path):
    """The program is not left alone, and what was recorded until then is recovered."""
    (tmp_path / "tmp").mkdir()
    words = [support.VMFOX, "record", "-q", "-o", "x.vmfox", pypy, BUSY, "3", "4"]
    child = subprocess.Popen(["bash", "-c", "ulimit -Sv 800000 && exec \"$@\"", "bash", *words],
                             cwd=tmp_path, env=support.environment(tmp_path / "tmp"), text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    deadline = time.monotonic() + support.PATIENCE
    rows = None
    while time.monotonic() < deadline and not rows:
        time.sleep(0.02)
        rows = [path for path in (tmp_path / "tmp").glob("*/interrupted.i64")
                if path.stat().st_size > 1000]
    resource.prlimit(child.pid, resource.RLIMIT_AS, (1 << 20, 1 << 20))
    out, err = child.communicate(timeout=support.PATIENCE)
    assert (child.returncode, out) == (4, "finished\n")
    assert "out of memory; the program goes on" in err
    folder = re.search(r"vmfox recover (\S+)", err)[1]
    done = support.vmfox("recover", "-q", "-o", "x.vmfox", folder, cwd=tmp_path)
    assert (done.code, done.err) == (0, "")
    check_samples(tmp_path)
