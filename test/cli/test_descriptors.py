"""Descriptors are the program's: what it closes and opens is its own business, whatever is recorded."""
import shutil
import subprocess

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
