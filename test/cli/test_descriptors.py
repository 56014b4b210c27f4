"""Descriptors are the program's: what it closes and opens is its own business, whatever is recorded."""
import resource
import shutil
import subprocess
import time

import pytest

import support


def test_files_under_the_numbers_of_what_was_closed(python, tmp_path):
    """Native frames are taken all the while, of deep stacks and shallow ones."""
    shutil.copy(support.PROGRAMS / "keeps_files.py", tmp_path)
    done = support.record(python, "keeps_files.py", ".", cwd=tmp_path)
    assert done.code == 0
    assert done.out.split()[:2] == ["intact", "0"], done.out
    profile = support.convert(tmp_path / "x.vmfox", tmp_path)
    libs = {frame.lib for sample in profile.samples() for frame in sample.stack}
    assert {lib for lib in libs if lib and ("pypy" in lib or "python" in lib)}


@pytest.fixture
def noexec(tmp_path):
    """A temporary folder that nothing may be run from."""
    folder = tmp_path / "noexec"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "noexec,size=64m", "tmpfs", str(folder)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("nothing may be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_libraries_from_memory(python, tmp_path, noexec):
    """libunwind's own descriptors are a danger to the program, so it is never used instead."""
    (tmp_path / "maps.py").write_text(
        "import os, time\n"
        "end = time.process_time() + 0.3\n"
        "while time.process_time() < end: sum(range(500))\n"
        "print('libunwind.so.8' in open('/proc/self/maps').read())\n")
    done = support.vmfox("record", "-o", "x.vmfox", python, "maps.py", cwd=tmp_path,
                         env=support.environment(tmp_path, TMPDIR=str(noexec)))
    assert (done.code, done.out.strip()) == (0, "False")
    assert "no native frames" not in done.err
    profile = support.convert(tmp_path / "x.vmfox", tmp_path)
    assert profile.samples() and not list(noexec.iterdir())
    libs = {frame.lib for sample in profile.samples() for frame in sample.stack}
    assert {lib for lib in libs if lib and (".so" in lib or lib.startswith("python"))}


# All but the .pth file itself, which the interpreter is reading.
CLOSES_ALL = r"""
import os
def is_path_file(fd):
    try:
        return os.readlink("/proc/self/fd/%%d" %% fd).endswith(".pth")
    except OSError:
        return False
free = [fd for fd in range(3, 1024) if not is_path_file(fd)]
for fd in free:
    os.closerange(fd, fd + 1)
theirs = [os.open(os.path.join(%r, "%%d.dat" %% i), os.O_RDWR | os.O_CREAT, 0o600) for i in range(12)]
for i, fd in enumerate(free):
    if fd not in theirs:
        os.dup2(theirs[i %% 12], fd)
[os.write(fd, b"mine") for fd in theirs]
"""
LOOKS = """
import os, time
end = time.process_time() + 0.3
while time.process_time() < end: sum(range(500))
files = [os.path.join(%r, "%%d.dat" %% i) for i in range(12)]
print([open(file, "rb").read() for file in files] == [b"mine"] * 12,
      [os.lseek(fd, 0, os.SEEK_CUR) for fd in range(20, 1024)] == [4] * 1004)
"""


@pytest.mark.parametrize("folder", ["exec", "noexec"])
def test_a_path_file_that_closes_all_before_us(python, tmp_path, folder, request):
    """Not a byte goes to what it has opened since, nothing of it is closed, read or loaded."""
    place = request.getfixturevalue("noexec") if folder == "noexec" else tmp_path
    interpreter = support.with_path_file(
        python, tmp_path, "import os; exec(%r, {})" % (CLOSES_ALL % str(tmp_path)))
    (tmp_path / "p.py").write_text(LOOKS % str(tmp_path))
    done = support.vmfox("record", "-o", "x.vmfox", interpreter, "p.py", cwd=tmp_path,
                         env=support.environment(tmp_path, TMPDIR=str(place)))
    assert done.out == "True True\n" and done.code == 1
    assert "nothing was recorded" in done.err


@pytest.mark.parametrize("words", [["view", "x.vmfox"], ["run", "--no-keep"]])
def test_a_browser_has_the_limit_of_the_shell(python, tmp_path, words):
    """vmfox raises its own, for threads and libraries."""
    (tmp_path / "p.py").write_text("sum(range(10 ** 7))\n")
    support.record(python, "p.py", cwd=tmp_path)
    browser = tmp_path / "browser"
    browser.write_text("#!/bin/sh\nulimit -n >%s/limit.new\nmv %s/limit.new %s/limit\n"
                       % ((tmp_path,) * 3))
    browser.chmod(0o755)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    child = subprocess.Popen(
        [support.VMFOX, *words, *([python, "p.py"] if words[0] == "run" else [])], cwd=tmp_path,
        env=support.environment(tmp_path, BROWSER=str(browser)), stdout=subprocess.DEVNULL,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (300, hard)))
    end = time.monotonic() + support.PATIENCE
    while not (tmp_path / "limit").exists() and time.monotonic() < end:
        time.sleep(0.02)
    child.terminate()
    child.wait()
    assert (tmp_path / "limit").read_text() == "300\n"
