"""Signals reach the program, and the capture is written all the same."""
import os
import pty
import select
import signal
import subprocess
import time

import pytest

import support
from support import share

PROGRAM = r"""
import os, signal, sys, time

def work():
    end = time.process_time() + 0.1
    while time.process_time() < end:
        pass

def wait():
    print('ready', flush=True)
    while True:
        time.sleep(0.01)

"""
COUNT = r"""
got = []
def handle(number, frame):
    got.append(signal.Signals(number).name)
    if not got[1:]:
        signal.setitimer(signal.ITIMER_REAL, 0.5)  # a second one would come at once
def end(number, frame):
    print(*got, flush=True)
    sys.exit(5)
signal.signal(signal.SIGALRM, end)
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):
    signal.signal(number, handle)
work()
wait()
"""


def start(python, tmp_path, program):
    script = tmp_path / "waits.py"
    script.write_text(program)
    (tmp_path / "tmp").mkdir(exist_ok=True)
    words = [support.VMFOX, "record", "-q", "-o", "x.vmfox", python, script]
    child = subprocess.Popen(words, cwd=tmp_path, env=support.environment(tmp_path / "tmp"),
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE)
    assert child.stdout.readline() == b"ready\n", child.stderr.read()
    return child


def check_capture(tmp_path):
    profile = support.convert(tmp_path / "x.vmfox", tmp_path)
    assert share(profile.samples(), "work") > 50
    assert os.listdir(tmp_path / "tmp") == []
    return profile


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1"])
def test_a_handler_runs(python, tmp_path, name):
    child = start(python, tmp_path, PROGRAM + COUNT)
    child.send_signal(getattr(signal, name))
    out, err = child.communicate(timeout=support.PATIENCE)
    assert (child.returncode, out, err) == (5, name.encode() + b"\n", b"")
    assert check_capture(tmp_path).facts()["Ended"] == "exit code 5"


def test_an_interrupt_without_a_handler(python, tmp_path):
    child = start(python, tmp_path, PROGRAM + "work()\nwait()\n")
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=support.PATIENCE)
    assert (child.returncode, out) == (130, b"")
    assert err.startswith(b"Traceback") and err.endswith(b"KeyboardInterrupt\n")
    assert b"vmfox" not in err
    check_capture(tmp_path)


def test_a_termination_without_a_handler(python, tmp_path):
    child = start(python, tmp_path, PROGRAM + "work()\nwait()\n")
    child.send_signal(signal.SIGTERM)
    out, err = child.communicate(timeout=support.PATIENCE)
    assert (child.returncode, out, err) == (143, b"", b"")
    assert check_capture(tmp_path).facts()["Ended"] == "killed by signal 15"


@pytest.mark.parametrize("number, code", [(9, 137), (11, 139), (6, 134)])
def test_a_killed_program_has_names(python, tmp_path, number, code):
    script = tmp_path / "dies.py"
    script.write_text(PROGRAM + "work()\nos.kill(os.getpid(), %d)\n" % number)
    done = support.record(python, script, cwd=tmp_path, crashes=True)
    assert (done.code, done.out, done.err) == (code, "", "")
    assert check_capture(tmp_path).facts()["Ended"] == "killed by signal %d" % number


def read_until(terminal, mark):
    text, deadline = b"", time.monotonic() + support.PATIENCE
    while mark not in text:
        assert time.monotonic() < deadline, text
        if select.select([terminal], [], [], 1)[0]:
            try:
                text += os.read(terminal, 4096)
            except OSError:  # the other end is closed
                break
    return text


def test_ctrl_c_at_a_terminal_comes_once(python, tmp_path):
    script = tmp_path / "waits.py"
    script.write_text(PROGRAM + COUNT)
    (tmp_path / "tmp").mkdir()
    words = [str(support.VMFOX), "record", "-q", "-o", "x.vmfox", python, str(script)]
    pid, terminal = pty.fork()
    if pid == 0:
        try:
            os.chdir(tmp_path)
            os.execve(words[0], words, support.environment(tmp_path / "tmp"))
        finally:
            os._exit(99)
    read_until(terminal, b"ready")
    os.write(terminal, b"\x03")
    text = read_until(terminal, b"SIGINT\r\n")
    assert text.replace(b"^C", b"").split() == [b"SIGINT"]
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 5
    os.close(terminal)
    check_capture(tmp_path)


def test_a_program_that_ignores_signals_goes_on(python, tmp_path):
    child = start(python, tmp_path, PROGRAM + "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
                  "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
                  "signal.signal(signal.SIGALRM, lambda *a: sys.exit(6))\n"
                  "signal.setitimer(signal.ITIMER_REAL, 1)\nwork()\nwait()\n")
    child.send_signal(signal.SIGTERM)
    child.send_signal(signal.SIGINT)
    child.communicate(timeout=support.PATIENCE)
    assert child.returncode == 6
    check_capture(tmp_path)


def test_a_closed_standard_output_is_the_programs_affair(python, tmp_path):
    script = tmp_path / "prints.py"
    script.write_text(PROGRAM + "work()\nwhile True: print('x' * 100)\n")
    (tmp_path / "tmp").mkdir()
    child = subprocess.Popen([support.VMFOX, "record", "-q", "-o", "x.vmfox", python, script],
                             cwd=tmp_path, env=support.environment(tmp_path / "tmp"),
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    child.stdout.read(100)
    child.stdout.close()
    assert b"BrokenPipeError" in child.stderr.read()
    assert child.wait(support.PATIENCE) in (1, 120)
    check_capture(tmp_path)
