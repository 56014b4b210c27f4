"""Whether samples come as often as was asked for, and of all that takes time: in the program's own
code and in the kernel, in every thread, with or without their instruction."""
import json
import struct
import sys

import pytest

import support


def column(capture, name, width):
    return list(struct.iter_unpack("<%dq" % width, support.member(capture, name)))


# Nothing here is time in the kernel, but what ends a sample.  Prints the last round's begin, end and
# CPU time in ns.
PURE = """
import time
def work(rounds):
    total = 0
    for i in range(rounds):
        total += i * i % 7
    return total
work(20000)
rounds, spent = 200000, 0
while spent < 1500000000:
    rounds *= 2
    now, begin = time.monotonic_ns(), time.process_time_ns()
    work(rounds)
    spent = time.process_time_ns() - begin
print(now, time.monotonic_ns(), spent)
"""


def test_a_thousand_samples_a_second_of_cpu_time(python, tmp_path):
    """Where the kernel has only ticks there are some 250."""
    (tmp_path / "p.py").write_text(PURE)
    done = support.record("--period", "0.001", python, "p.py", cwd=tmp_path)
    assert (done.code, done.err) == (0, "")
    info = support.capture_info(tmp_path / "x.vmfox")
    if info["timer"] != "perf":
        pytest.skip("the kernel gives no events here: " + info.get("timer_note", ""))
    begin, end, spent = map(int, done.out.split())
    count = sum(begin <= stamp <= end for stamp, in column(tmp_path / "x.vmfox", "stamps.i64", 1))
    assert 0.9 * spent / 1e6 < count < 1.1 * spent / 1e6


# Half of it in system calls, in turns; prints what each took of the CPU time.
HALF = """
import json, os, time
zero = os.open("/dev/zero", os.O_RDONLY)
spent = {"reads": 0, "asks": 0, "works": 0}
def reads():
    for _ in range(20):
        os.read(zero, 1 << 20)
def asks():
    for _ in range(2):
        os.urandom(1 << 20)
def works():
    total = 0
    for i in range(30000):
        total += i * i % 7
    return total
def turn(function, most):
    begin = time.process_time_ns()
    while spent[function.__name__] + time.process_time_ns() - begin < most:
        function()
    spent[function.__name__] += time.process_time_ns() - begin
for turns in range(1, 21):
    turn(reads, turns * 50000000)
    turn(asks, turns * 50000000)
    turn(works, turns * 100000000)
print(json.dumps(spent))
"""


def test_time_in_the_kernel_has_its_samples(python, tmp_path):
    (tmp_path / "p.py").write_text(HALF)
    done = support.record(python, "p.py", cwd=tmp_path)
    assert (done.code, done.err) == (0, "")
    spent = json.loads(done.out)
    samples = support.convert(tmp_path / "x.vmfox", tmp_path).samples()
    for name, ns in spent.items():
        expected = 100 * ns / sum(spent.values())
        assert abs(support.share(samples, name, within="turn") - expected) < 8, name


# Most of it in page faults, which no system call ends; prints what it took.
FAULTS = """
import mmap, time
BYTES = 16 << 20
def touch():
    pages = mmap.mmap(-1, BYTES, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    for i in range(0, BYTES, mmap.PAGESIZE):
        pages[i] = 1
    pages.close()
begin = time.process_time()
while time.process_time() < begin + 1.5:
    touch()
print(time.process_time() - begin)
"""


def test_page_faults_have_their_samples(python, tmp_path):
    (tmp_path / "p.py").write_text(FAULTS)
    done = support.record(python, "p.py", cwd=tmp_path)
    assert (done.code, done.err) == (0, "")
    samples = support.convert(tmp_path / "x.vmfox", tmp_path).samples()
    assert support.share(samples, "touch") > 90
    assert len(samples) > 0.8 * float(done.out) / 0.00397


def test_a_program_that_is_refused_timers_has_samples(python, tmp_path):
    """Events of the kernel's take their place, or signals of vmfox's."""
    sys.path.insert(0, str(support.ROOT / "test"))
    from trials import places
    (tmp_path / "p.py").write_text(PURE)
    for refused, timer, rate in ((["timer_create"], "perf", 200),
                                 (["timer_create", "perf_event_open"], "recorder", 100)):
        done = support.run([places.built("refuse.c"), *refused, "--", support.VMFOX, "record", "-q",
                            "-o", "x.vmfox", python, "p.py"], cwd=tmp_path)
        assert (done.code, done.err) == (0, b"")
        begin, end, spent = map(int, done.out.split())
        info = support.capture_info(tmp_path / "x.vmfox")
        assert info["timer"] in (timer, "recorder")
        count = sum(begin <= stamp <= end for stamp, in column(tmp_path / "x.vmfox", "stamps.i64", 1))
        assert rate * spent / 1e9 < count < 270 * spent / 1e9


# The same, and one thread is refused its timer.
REFUSED = """
import ctypes, threading, time
RLIMIT_SIGPENDING = 11
assert ctypes.CDLL(None).setrlimit(RLIMIT_SIGPENDING, (ctypes.c_ulong * 2)(0, 0)) == 0
def work():
    end = time.thread_time() + 0.3
    while time.thread_time() < end: sum(range(500))
thread = threading.Thread(target=work, name="refused")
thread.start()
thread.join()
""" + FAULTS


def test_a_thread_that_is_refused_its_timer_costs_others_nothing(python, tmp_path):
    (tmp_path / "p.py").write_text(REFUSED)
    done = support.vmfox("record", "-q", "-o", "x.vmfox", python, "p.py", cwd=tmp_path)
    assert done.code == 0
    profile = support.convert(tmp_path / "x.vmfox", tmp_path)
    samples = profile.samples()
    assert support.share(samples, "touch") > 90
    assert len(samples) > 0.8 * float(done.out) / 0.00397
    assert len(profile.samples("refused")) > 30


# One thread works and thirty wait.
WAITING = """
import threading, time
end = threading.Event()
threads = [threading.Thread(target=end.wait) for _ in range(30)]
for thread in threads: thread.start()
begin = time.monotonic()
while time.monotonic() < begin + 2.5: sum(range(500))
end.set()
for thread in threads: thread.join()
"""


def test_cpu_time_of_threads_that_wait_takes_hardly_a_row(python, tmp_path):
    """And they are shown as idle to the end."""
    (tmp_path / "p.py").write_text(WAITING)
    done = support.record("--real-time", "--period", "0.02", python, "p.py", cwd=tmp_path)
    assert (done.code, done.err) == (0, "")
    pid = support.capture_info(tmp_path / "x.vmfox")["pid"]
    rows = column(tmp_path / "x.vmfox", "cpu.i64", 3)
    busy = sum(tid == pid for _, tid, _ in rows)
    assert busy > 60 and len(rows) - busy < 30 * 12
    profile = support.convert(tmp_path / "x.vmfox", tmp_path)
    for thread in profile.data["threads"]:
        if thread["isMainThread"] or thread["tid"] == "runtime":
            continue
        deltas = [delta for delta in thread["samples"]["threadCPUDelta"] if delta]
        assert sum(deltas) < 100e6, thread["name"]  # ns


# Two threads sleep, two work; prints how long each was there.
FOUR = """
import json, threading, time
told = {}
def stay(what, seconds):
    begin = time.monotonic()
    while time.monotonic() - begin < seconds:
        what()
    told[threading.current_thread().name] = time.monotonic() - begin
threads = [threading.Thread(target=stay, args=(what, 2.5), name=name) for name, what in [
    ("sleeper", lambda: time.sleep(0.3)), ("long sleeper", lambda: time.sleep(2.5)),
    ("worker", lambda: sum(range(2000))), ("other worker", lambda: sorted(range(2000)))]]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(json.dumps(told))
"""


def test_by_the_wall_clock_every_thread_is_sampled(python, tmp_path):
    """So seldom that no machine is too busy for it."""
    (tmp_path / "p.py").write_text(FOUR)
    done = support.record("--real-time", "--period", "0.02", python, "p.py", cwd=tmp_path)
    assert (done.code, done.err) == (0, "")
    told = json.loads(done.out)
    profile = support.convert(tmp_path / "x.vmfox", tmp_path)
    assert len(told) == 4
    for name, seconds in told.items():
        count = len(profile.samples(name))
        assert 0.8 * seconds / 0.02 < count < 1.1 * seconds / 0.02 + 2, name


@pytest.mark.parametrize("options, known", [((), True), (("--no-pc",), False)])
def test_instructions_are_left_out_where_none_are_wanted(python, tmp_path, options, known):
    (tmp_path / "p.py").write_text("import time\nend = time.process_time() + 0.5\n"
                                   "while time.process_time() < end: sum(range(500))\n")
    assert support.record(*options, python, "p.py", cwd=tmp_path).code == 0
    found = column(tmp_path / "x.vmfox", "interrupted.i64", 2)
    pid = support.capture_info(tmp_path / "x.vmfox")["pid"]
    assert len(found) > 50 and sum(thread == pid for thread, _ in found) > 0.9 * len(found)
    addresses = [address for _, address in found if address]
    assert len(addresses) > 0.9 * len(found) if known else not addresses
    profile = support.convert(tmp_path / "x.vmfox", tmp_path)
    assert profile.knows_instructions() == known


# Threads that each use so many ms of CPU time, one after the other; prints what all took, in ms.
SHORT = """
import sys, threading, time
def work():
    end = time.thread_time() + float(sys.argv[1]) / 1000
    while time.thread_time() < end:
        sum(range(50))
begin = time.process_time()
while time.process_time() - begin < 1.5:
    threads = [threading.Thread(target=work) for i in range(int(sys.argv[2]))]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
print(1000 * (time.process_time() - begin))
"""


@pytest.mark.parametrize("ms, at_once", [("1", "1"), ("2", "3"), ("6", "1"), ("20", "2")])
def test_threads_that_end_before_a_period_is_over(python, tmp_path, ms, at_once):
    """They have their share all the same."""
    (tmp_path / "p.py").write_text(SHORT)
    done = support.record(python, "p.py", ms, at_once, cwd=tmp_path)
    assert (done.code, done.err) == (0, "")
    samples = support.convert(tmp_path / "x.vmfox", tmp_path).all_samples()
    count = sum(any(frame.name in ("work", "PyMethod:work") for frame in sample.stack)
                for sample in samples)
    asked = float(done.out) / 3.97
    assert 0.6 * asked < count < 1.15 * asked, (count, asked)
