"""A recorded program behaves as it does alone: each program here prints what it sees of itself, and
prints the same under vmfox, which records it all the while."""
import os
import re
import resource
import shutil
import signal
import subprocess

import pytest

import support


def plain(python, program, *words, cwd, **options):
    done = support.run([python, program, *words], cwd=cwd, **options)
    return support.Result(done.code, done.out.decode(), done.err.decode())


def alike(python, name, tmp_path, *words, options=(), after=lambda: None, **running):
    """Runs a program of test/cli/programs alone and under vmfox: code and output are the same.  The
    recording's capture.json."""
    program = tmp_path / name
    shutil.copy(support.PROGRAMS / name, program)
    alone = plain(python, program, *words, cwd=tmp_path, **running)
    after()
    done = support.record(*options, python, program, *words, cwd=tmp_path,
                          crashes=alone.code not in (0, 1), **running)
    assert (done.out, done.code % 128) == (alone.out, abs(alone.code) % 128)
    info = support.capture_info(tmp_path / "x.vmfox")
    assert info["channel"] == "ring" and info["records_left_out"] == 0
    assert len(support.member(tmp_path / "x.vmfox", "stamps.i64")) >= 8 * 5
    info["told"], info["out"] = done.err, done.out
    return info


# ---- signals ------------------------------------------------------------------------------------


def test_the_signal_of_samples_is_the_programs_as_well(python, tmp_path):
    info = alike(python, "own_signals.py", tmp_path)
    assert info["exit_signal"] == 16
    assert "got [] True\nsent [16]\nchild got [16, 16]\n" in info["out"]


def test_a_child_takes_no_handler_away(python, tmp_path):
    """CPython's subprocess sets all signals back in a child that shares its parent's memory."""
    program = ("import os, signal, subprocess, time\n"
               "came = []\n"
               "signal.signal(16, lambda *a: came.append(a[0]))\n"
               "end = time.process_time() + 0.2\n"
               "while time.process_time() < end: pass\n"
               "for i in range(5):\n"
               "    subprocess.run(['true'], close_fds=False, check=True)\n"
               "os.kill(os.getpid(), 16)\n"
               "time.sleep(0.05)\n"
               "print(came)\n")
    done = support.record(python, "-c", program, cwd=tmp_path)
    assert (done.code, done.out, done.err) == (0, "[16]\n", "")


def test_sent_faults_are_the_programs(cpython, tmp_path):
    """While a sample is taken the handler of SIGSEGV is vmfox's."""
    info = alike(cpython, "own_segv.py", tmp_path, options=("--period", "0.0005"))
    assert info["out"] == "300 0\n"


def test_the_next_program_inherits_nothing_of_it(python, tmp_path):
    out = alike(python, "own_signals.py", tmp_path, "exec")["out"]
    assert out.splitlines()[-1] in ("Handlers.SIG_DFL", "0")


def test_timers_and_handlers_of_the_program(python, tmp_path):
    out = alike(python, "own_timers.py", tmp_path)["out"]
    assert out.endswith("got {27: True, 14: True, 26: True, 11: False} 1\n")


def test_what_is_set_for_faults_and_errno(python, tmp_path):
    out = alike(python, "own_faults.py", tmp_path)["out"]
    assert out.count("same True") == 2
    if "pypy" not in python:  # which has an errno of its own for C code
        assert "errno kept 150" in out


def test_system_calls_that_wait_are_not_ended(python, tmp_path):
    alike(python, "waits.py", tmp_path)


def test_with_real_time_what_can_begin_again_does(python, tmp_path):
    alike(python, "waits.py", tmp_path, "reads", options=["--real-time"])


# pause() ends at any signal with a handler; how long each took, in tenths of a second.
PAUSES = """
import signal, time
signal.signal(signal.SIGALRM, lambda *what: None)
for how_long in (0.3, 0.5):
    for _ in range(3000): sum(range(300))
    begin = time.monotonic()
    signal.setitimer(signal.ITIMER_REAL, how_long)
    signal.pause()
    print(time.monotonic() - begin > how_long - 0.05)
"""


@pytest.mark.parametrize("options", [(), ("--real-time",)])
def test_pause_ends_at_the_programs_own_signals(python, tmp_path, options):
    (tmp_path / "p.py").write_text(PAUSES)
    done = support.record(*options, python, "p.py", cwd=tmp_path)
    assert (done.code, done.out, done.err) == (0, "True\nTrue\n", "")


# Threads that don't come back from where they began; prints how many timers are left.
EXITS = """
import _thread, ctypes, sys, time
libc = ctypes.CDLL(None)
for _ in range(60):
    _thread.start_new_thread(libc.pthread_exit, (None,))
    time.sleep(0.002)
time.sleep(0.2)
sys.stdout.write("%d\\n" % open("/proc/self/timers").read().count("signal:"))
sys.stdout.flush()
"""


def test_threads_that_exit_have_no_timers_any_more(cpython, tmp_path):
    if not os.path.exists("/proc/self/timers"):
        pytest.skip("this kernel lists no timers")
    (tmp_path / "p.py").write_text(EXITS)
    alone = plain(cpython, "p.py", cwd=tmp_path)
    done = support.record(cpython, "p.py", cwd=tmp_path)
    assert (done.code, done.err) == (alone.code, alone.err)
    assert int(done.out) <= int(alone.out) + 3


# Works while vmfox is killed; prints how many timers it has then, again and again.
LEFT_ALONE = """
import os, signal, time
def timers():
    return open("/proc/self/timers").read().count("signal:")
def work(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end: sum(range(500))
work(0.5)
first = timers()
os.kill(os.getppid(), signal.SIGKILL)
for _ in range(20):
    work(0.5)
    if timers() == 0: break
with open("told", "w") as file:
    file.write("%d %d" % (first, timers()))
"""


@pytest.mark.parametrize("options", [(), ("--period", "0.001"), ("--real-time",)])
def test_the_timers_end_where_vmfox_is_gone(python, tmp_path, options):
    if not os.path.exists("/proc/self/timers"):
        pytest.skip("this kernel lists no timers")
    (tmp_path / "p.py").write_text(LEFT_ALONE)
    support.record(*options, python, "p.py", cwd=tmp_path, crashes=True)  # to the program's end
    assert (tmp_path / "told").read_text() == "1 0"


def test_all_signals_blocked_by_whoever_starts_it(python, tmp_path):
    alike(python, "own_timers.py", tmp_path, preexec_fn=lambda: signal.pthread_sigmask(
        signal.SIG_BLOCK, {signal.SIGSTKFLT if hasattr(signal, "SIGSTKFLT") else 16}))


def test_no_room_for_timers(python, tmp_path):
    """Then there are events at best; and it is said."""
    program = tmp_path / "own_timers.py"
    shutil.copy(support.PROGRAMS / "phases.py", program)

    def limit():
        resource.setrlimit(resource.RLIMIT_SIGPENDING, (0, 0))

    alone = plain(python, program, cwd=tmp_path, preexec_fn=limit)
    done = support.vmfox("record", "-o", "x.vmfox", python, program, cwd=tmp_path,
                         preexec_fn=limit)
    assert done.code == alone.code
    assert "ulimit -i" in done.err


# ---- looking around -----------------------------------------------------------------------------


def test_tracing_sees_nothing(python, tmp_path):
    assert alike(python, "tracing.py", tmp_path)["out"] == "[]\n"


def test_memory_traced_from_the_start(cpython, tmp_path):
    env = support.environment(tmp_path, PYTHONTRACEMALLOC="10")
    assert alike(cpython, "tracing.py", tmp_path, env=env)["out"] == "[]\n"


def test_coverage_sees_nothing(cpython, tmp_path):
    if subprocess.run([cpython, "-c", "import coverage"], capture_output=True).returncode != 0:
        pytest.skip("%s has no coverage" % cpython)
    script = support.PROGRAMS / "own_timers.py"
    done = support.record(cpython, "-m", "coverage", "run", script, cwd=tmp_path)
    assert done.code == 0
    report = support.run([cpython, "-m", "coverage", "report"], cwd=tmp_path).out.decode()
    assert "own_timers.py" in report and "vmfox" not in report and "sitecustomize" not in report


def test_descriptors_are_those_it_has_alone(python, tmp_path):
    alike(python, "open_numbers.py", tmp_path)
    alike(python, "open_numbers.py", tmp_path, options=["--real-time", "--no-pypylog"])


# ---- children -----------------------------------------------------------------------------------


def test_children_of_every_kind(python, tmp_path):
    daemon = tmp_path / "daemon.txt"
    info = alike(python, "children.py", tmp_path, after=lambda: daemon.unlink())
    assert daemon.read_text().startswith("daemon's own ")
    assert info["children"] == 1


def test_forks_in_threads_say_nothing(python, tmp_path):
    """But what CPython from 3.12 on says itself of forks beside threads."""
    program = support.PROGRAMS / "forks.py"
    alone = plain(python, program, cwd=tmp_path)

    def said(done):
        return re.sub(r"pid=\d+", "pid", done.err)

    for _ in range(60 if "pypy" in python else 5):
        done = support.record(python, program, cwd=tmp_path)
        assert (done.code, done.out, said(done)) == (0, "", said(alone))


@pytest.mark.parametrize("call", [
    "os.execv('/bin/echo', ['echo', 'hi'])", "os.execve('/bin/echo', ['echo', 'hi'], {})",
    "os.execlp('echo', 'echo', 'hi')",
    "t = threading.Thread(target=lambda: os.execv('/bin/echo', ['echo', 'hi'])); t.start(); t.join()",
])
def test_another_program_takes_over(python, tmp_path, call):
    script = tmp_path / "x.py"
    script.write_text("import os, threading, time\n"
                      "end = time.process_time() + 0.2\n"
                      "while time.process_time() < end: sum(range(500))\n"
                      "try: os.execv('/not/there', ['x'])\n"
                      "except OSError as error: print(error.errno, flush=True)\n"
                      "end = time.process_time() + 0.2\n"
                      "while time.process_time() < end: sum(range(500))\n" + call + "\n")
    done = support.vmfox("record", "-o", "x.vmfox", python, script, cwd=tmp_path)
    assert (done.code, done.out) == (0, "2\nhi\n")
    assert "was replaced by another one (exec" in done.err
    assert len(support.member(tmp_path / "x.vmfox", "stamps.i64")) >= 8 * 5


# ---- threads ------------------------------------------------------------------------------------


def test_many_threads_and_their_names(python, tmp_path):
    info = alike(python, "many_threads.py", tmp_path, "5000", "200", "0.01")
    names = [thread.get("name", "") for thread in info["threads"]]
    assert {"renamed \u0416 %d" % i for i in range(200)} <= set(names)
    assert len(names) >= 5200
    profile = support.convert(tmp_path / "x.vmfox", tmp_path)
    assert sum(name.startswith("renamed \u0416 ") for name in profile.names()) > 20


def test_threads_without_samples_do_not_fill_the_recording(cpython, tmp_path):
    """A thread a request, for hours: what has no sample is counted and not listed."""
    info = alike(cpython, "many_threads.py", tmp_path, "21000", "20", "0.05")
    names = [thread.get("name", "") for thread in info["threads"]]
    assert {"renamed \u0416 %d" % i for i in range(20)} <= set(names)
    assert len(names) < 20000 and len(names) + info["threads_idle"] >= 21020
    profile = support.convert(tmp_path / "x.vmfox", tmp_path)
    assert profile.facts()["Threads without samples"].startswith("%d " % info["threads_idle"])
    assert sum(name.startswith("renamed \u0416 ") for name in profile.names()) > 10


def test_more_threads_than_there_is_room_for(cpython, tmp_path):
    alike(cpython, "many_threads.py", tmp_path, "0", "2300", "0.0005")


# ---- stacks that can't be read ------------------------------------------------------------------

BROKEN = """
#include <time.h>
extern void *PyThreadState_Get(void);
static double used(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}
/* The innermost frame of CPython 3.11 is nowhere for a while. */
void broken(double seconds)
{
    char *control = *(char **)((char *)PyThreadState_Get() + 56);
    char **frame = (char **)(control + 8), *was = *frame;
    *frame = (char *)16;
    for (double end = used() + seconds; used() < end;)
        continue;
    *frame = was;
}
"""


def test_stacks_that_fault(cpython, tmp_path):
    """Each costs a sample, and the program neither its end nor what it has set for SIGSEGV."""
    version = subprocess.run([cpython, "-c", "import sys; print(sys.version_info[:2])"],
                             stdout=subprocess.PIPE, check=True).stdout
    if version.strip() != b"(3, 11)" or not shutil.which("cc"):
        pytest.skip("needs CPython 3.11 and a compiler")
    (tmp_path / "broken.c").write_text(BROKEN)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", "broken.so", "broken.c"], cwd=tmp_path,
                   check=True)
    script = tmp_path / "x.py"
    script.write_text("import ctypes, faulthandler, signal, time\n"
                      "faulthandler.enable()\n"
                      "library = ctypes.PyDLL('./broken.so')\n"
                      "def work(seconds):\n"
                      "    end = time.process_time() + seconds\n"
                      "    while time.process_time() < end: sum(range(500))\n"
                      "work(0.3)\n"
                      "library.broken(ctypes.c_double(0.3))\n"
                      "work(0.1)\n"
                      "faulthandler.disable()\n"
                      "print('went on')\n")
    done = support.vmfox("record", "-o", "x.vmfox", cpython, script, cwd=tmp_path)
    assert (done.code, done.out) == (0, "went on\n")
    assert "could not read 18 stacks" in done.err
    profile = support.convert(tmp_path / "x.vmfox", tmp_path)
    assert support.share(profile.samples(), "work") > 50


# ---- the kernel's walls -------------------------------------------------------------------------


def test_another_program_takes_over_from_busy_threads(python, tmp_path):
    """They get the signal of samples until the kernel has ended them."""
    program = ("import hashlib, os, threading, time\n"
               "def burn():\n"
               "    while True: hashlib.sha256(b'x' * 20000000).digest()\n"
               "for i in range(2): threading.Thread(target=burn, daemon=True).start()\n"
               "time.sleep(0.1)\n"
               "os.execvp('true', ['true'])\n")
    for _ in range(8):
        done = support.record("--period", "0.0005", python, "-c", program, cwd=tmp_path)
        assert done.code == 0


def test_a_program_that_stops_vmprof(python, tmp_path):
    """And then records a part of itself with it: that is written by VMProf as ever, and at the end
    it is left as the program has it."""
    program = tmp_path / "own_profile.py"
    shutil.copy(support.PROGRAMS / "own_profile.py", program)
    done = support.vmfox("record", "-o", "x.vmfox", python, program, tmp_path / "own.prof",
                         cwd=tmp_path)
    assert (done.code, done.out) == (0, "was running\nTrue end\n")
    assert "the program stopped VMProf: from then on there are no samples\n" in done.err
    own = support.convert(tmp_path / "own.prof", tmp_path)
    assert len(own.all_samples()) > 20
    profile = support.convert(tmp_path / "x.vmfox", tmp_path)
    assert len(profile.samples()) > 40


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="numbers of system calls")
def test_a_program_that_may_call_little(python, tmp_path):
    """What the sampler calls in the program is little, and none of what a filter would forbid."""
    info = alike(python, "filtered.py", tmp_path)
    assert info["out"] == "0 0\nend\n"
    assert len(support.member(tmp_path / "x.vmfox", "stamps.i64")) > 8 * 120



@pytest.mark.parametrize("wall", ["prctl", "setuid", "chroot"])
def test_a_program_that_shuts_itself_off(python, tmp_path, wall):
    if wall != "prctl" and os.geteuid() != 0:
        pytest.skip("only root may")
    info = alike(python, "locked_up.py", tmp_path, wall)
    assert "late" in [thread.get("name") for thread in info["threads"]]
    profile = support.convert(tmp_path / "x.vmfox", tmp_path)
    assert profile.samples("late") and profile.samples()


def test_another_pid_namespace(python, tmp_path):
    """The program's numbers are those of strangers there, to whom nothing is sent."""
    unshare = ["unshare", "-pf", "--mount-proc"]
    if not shutil.which("unshare") or subprocess.run(unshare + ["true"],
                                                     capture_output=True).returncode != 0:
        pytest.skip("no pid namespaces here")
    wrapper = tmp_path / "python3"
    wrapper.write_text("#!/bin/sh\nexec %s %s \"$@\"\n" % (" ".join(unshare), python))
    wrapper.chmod(0o755)
    info = alike(wrapper, "many_threads.py", tmp_path, "5", "3", "0.2",
                 options=("--period", "0.001"))
    assert re.search("pid namespace", info["timer_note"])
    assert info["timer"] == "ticks"
