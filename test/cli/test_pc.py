"""Instruction addresses in a recording, and what becomes of them in the profile."""
import ctypes
import os
import re
import signal
import struct
import subprocess

import pytest

import support

HOT = "# the hot line"


def rows(capture):
    """(ns, thread, address)"""
    return list(struct.iter_unpack("<qQQ", support.member(capture, "pc.i64")))


def has_addresses(made):
    if not support.capture_info(made.capture).get("pc_period_ns"):
        pytest.skip("the kernel gives no instruction addresses here")
    return made


def hot_line(made):
    return next(number for number, line in enumerate(made.script.read_text().splitlines(), 1)
                if HOT in line)


def test_rows_are_of_the_run(pypy, recorder):
    made = has_addresses(recorder(pypy, "lines.py", *support.pc_thread()))
    info = support.capture_info(made.capture)
    found = rows(made.capture)
    asked = 2e9 / info["pc_period_ns"]  # two seconds of CPU time, and the start
    assert 0.75 * asked < len(found) < 1.75 * asked
    for time, tid, _ in found:
        assert info["start_monotonic_ns"] <= time <= info["end_monotonic_ns"]
        assert tid == info["pid"]
    assert info["pc_lost"] == 0 and "pc_missing" not in info


def test_every_thread_is_in_it(pypy, recorder):
    made = has_addresses(recorder(pypy, "threads.py", *support.pc_thread()))
    info = support.capture_info(made.capture)
    tids = {tid for _, tid, _ in rows(made.capture)}
    assert info["pid"] in tids and len(tids) > 1
    assert tids <= {info["pid"]} | {thread["tid"] for thread in info["threads"]}


@pytest.mark.parametrize("options", [("--no-pc",), ("--no-jitlog", "--no-native")])
def test_none_where_none_is_wanted(pypy, recorder, options):
    made = recorder(pypy, "lines.py", *options)
    assert "pc.i64" not in support.members(made.capture)
    assert "pc_missing" not in support.capture_info(made.capture)
    assert made.profile.addresses is None


def test_cpython_has_them_with_its_native_frames(cpython, recorder):
    made = has_addresses(recorder(cpython, "shares.py", *support.pc_thread()))
    samples = made.profile.samples_of(made.profile.addresses)
    assert len(samples) == len(rows(made.capture)) > 25
    assert all(frame.lib or frame.name == "(VMProf takes a sample)"
               for sample in samples for frame in sample.stack)
    without = recorder(cpython, "shares.py", "--no-native")
    assert "pc.i64" not in support.members(without.capture)
    assert without.profile.addresses is None


def test_the_thread_has_them_all(pypy, recorder):
    made = has_addresses(recorder(pypy, "lines.py", *support.pc_thread()))
    profile = made.profile
    assert profile.addresses["name"] == "Machine code (pc samples)"
    samples = profile.samples_of(profile.addresses)
    assert len(samples) == len(rows(made.capture))
    inside = [s for s in samples if s.stack[-1].lib == "PyPy JIT"]
    assert len(inside) > 0.8 * len(samples)
    # Each in a trace says the function and line, those outside the native function.
    for sample in inside:
        assert sample.stack[-1].line
        if len(sample.stack) > 1:
            assert all(frame.line and frame.category == "JIT" for frame in sample.stack)
    for sample in samples:
        if sample.stack[-1].lib != "PyPy JIT":
            assert len({frame.lib for frame in sample.stack}) == 1


def test_most_hits_are_on_the_hot_line(pypy, recorder):
    made = has_addresses(recorder(pypy, "lines.py", *support.pc_thread()))
    profile = made.profile
    lines = [s.stack[-2].line for s in profile.samples_of(profile.addresses)
             if len(s.stack) > 1 and s.stack[-2].name == "work"]
    assert len(lines) > 0.5 * 2e9 / support.capture_info(made.capture)["pc_period_ns"]
    assert lines.count(hot_line(made)) > 2 / 3 * len(lines)


def test_samples_have_the_line_of_their_instruction(pypy, recorder):
    made = has_addresses(recorder(pypy, "lines.py", *support.pc_thread()))
    inside = [s for s in made.profile.samples() if s.stack[-1].lib == "PyPy JIT"]
    placed = [s for s in inside if s.stack[-1].line]
    facts = made.profile.facts()
    own = "Samples with their instruction" in facts  # else those that were seen at the same time
    assert len(placed) > (0.9 if own else 0.4) * len(inside)
    lines = [f.line for s in placed for f in s.stack if f.name == "work"]
    assert lines.count(hot_line(made)) > 0.6 * len(lines)
    told = facts["In the trace at work" if own else "Samples with an instruction"]
    assert int(re.match(r"(\d+)", told).group(1)) == len(placed)


def test_without_traces_the_lines_stay(pypy, recorder):
    made = has_addresses(recorder(pypy, "lines.py", *support.pc_thread()))
    profile = support.convert(made.capture, made.folder, "--no-traces")
    assert not any(frame.lib == "PyPy JIT" for s in profile.samples() for frame in s.stack)
    assert any(f.line == hot_line(made) for s in profile.samples() for f in s.stack)


# ---- where it is not allowed --------------------------------------------------------------------


def forbid_perf():
    """A seccomp filter as containers have it: perf_event_open (298 on x86-64) gives EPERM."""
    libc = ctypes.CDLL(None, use_errno=True)
    filters = b"".join(struct.pack("<HBBI", *row) for row in (
        (0x20, 0, 0, 0), (0x15, 0, 1, 298), (0x06, 0, 0, 0x00050001), (0x06, 0, 0, 0x7fff0000)))
    text = ctypes.create_string_buffer(filters)
    program = struct.pack("<HxxxxxxQ", 4, ctypes.addressof(text))
    assert libc.prctl(38, 1, 0, 0, 0) == 0
    assert libc.prctl(22, 2, program, 0, 0) == 0


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the call's number is that of x86-64")
def test_a_container_that_forbids_it(pypy, tmp_path):
    program = "t = 0\nfor i in range(60000000):\n    t += i % 7\nraise SystemExit(3)\n"
    (tmp_path / "p.py").write_text(program)
    done = subprocess.run([support.VMFOX, "record", *support.pc_thread(), "-o", "x.vmfox", pypy, "p.py"],
                          cwd=tmp_path,
                          capture_output=True, text=True, preexec_fn=forbid_perf, timeout=60)
    assert done.returncode == 3
    told = [line for line in done.stderr.splitlines() if "instruction addresses" in line]
    assert len(told) == 1 and "container" in told[0]
    assert "pc.i64" not in support.members(tmp_path / "x.vmfox")
    assert "container" in support.capture_info(tmp_path / "x.vmfox")["pc_missing"]
    profile = support.convert("x.vmfox", tmp_path)
    assert profile.facts()["Instruction addresses"].startswith("none: ")
    assert any(f.lib == "PyPy JIT" for s in profile.samples() for f in s.stack)


# ---- programs that are not one process ----------------------------------------------------------


def test_children_are_not_in_it(pypy, tmp_path):
    (tmp_path / "p.py").write_text(
        "import os, time\n"
        "def burn(end):\n"
        "    n = 0\n"
        "    while time.process_time() < end: n += 1\n"
        "pid = os.fork()\n"
        "burn(0.5)\n"
        "if pid: os.waitpid(pid, 0)\n")
    assert support.record(*support.pc_thread(), pypy, "p.py", cwd=tmp_path).code == 0
    info = support.capture_info(tmp_path / "x.vmfox")
    if not info.get("pc_period_ns"):
        pytest.skip("the kernel gives no instruction addresses here")
    assert {tid for _, tid, _ in rows(tmp_path / "x.vmfox")} == {info["pid"]}


def test_it_goes_on_where_no_other_program_takes_over(pypy, tmp_path):
    (tmp_path / "p.py").write_text("""
import os, threading, time
def work(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end: sum(range(500))
other = threading.Thread(target=work, args=(0.6,))
other.start()
work(0.2)
try: os.execv("/nowhere/at/all", ["x"])
except OSError: print(time.monotonic_ns(), threading.get_native_id(), other.native_id)
work(0.3)
other.join()
""")
    done = support.record("--pc-thread", pypy, "p.py", cwd=tmp_path)
    assert (done.code, done.err) == (0, "")
    failed_ns, *threads = map(int, done.out.split())
    rows = list(struct.iter_unpack("<3q", support.member(tmp_path / "x.vmfox", "pc.i64")))
    for tid in threads:
        assert sum(row[0] > failed_ns and row[1] == tid for row in rows) > 5


def test_a_program_that_is_killed(pypy, tmp_path):
    (tmp_path / "p.py").write_text(
        "import os, signal, time\n"
        "n = 0\n"
        "while time.process_time() < 0.6: n += 1\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n")
    done = support.record(*support.pc_thread(), pypy, "p.py", cwd=tmp_path)
    assert done.code == 128 + signal.SIGKILL
    period_ns = support.capture_info(tmp_path / "x.vmfox").get("pc_period_ns")
    if not period_ns:
        pytest.skip("the kernel gives no instruction addresses here")
    assert len(rows(tmp_path / "x.vmfox")) > 0.13 * 6e8 / period_ns  # without those in the kernel
