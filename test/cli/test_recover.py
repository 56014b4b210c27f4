"""What a killed recorder left: recovered, listed, removed, and refused where it must be."""
import fcntl
import json
import os
import random
import re
import shutil
import struct
import subprocess
import time
import zipfile

import pytest

import support
import viewing
from support import DATA, PROGRAMS, convert, share, vmfox, vmfox_apart

LEFT_AT_THE_END = {"bytecode.txt", "symbols.json", "code.bin", "capture.json"}
OF_THE_END = {"sources", "modules", "end_realtime_ns", "end_monotonic_ns", "exit_code", "exit_signal",
              "sources_left_out"}


def make_remains(capture, folder, without=()):
    """The folder that a recorder would have left that was killed just before its end."""
    folder.mkdir(mode=0o700, parents=True)
    with zipfile.ZipFile(capture) as bundle:
        for name in bundle.namelist():
            if name not in LEFT_AT_THE_END and not name.startswith("sources/") and \
                    name not in without:
                (folder / name).write_bytes(bundle.read(name))
        info = json.loads(bundle.read("capture.json"))
    prof = folder / "profile.prof"
    if prof.exists():
        prof.write_bytes(prof.read_bytes()[:-25])  # its trailer
    if "session.json" not in without:
        known = {key: value for key, value in info.items() if key not in OF_THE_END}
        (folder / "session.json").write_text(json.dumps(known))
    (folder / "lock").touch()
    for path in folder.iterdir():
        path.chmod(0o600)
    return folder


@pytest.fixture
def remains(tmp_path):
    (tmp_path / "tmp").mkdir()
    return make_remains(DATA / "pypy.vmfox", tmp_path / "tmp" / "vmfox-AbC123")


def of_samples(profile):
    return [(sample.time, tuple(frame.name for frame in sample.stack)) for sample in profile.samples()]


def test_what_was_recorded_is_recovered(remains, tmp_path):
    done = vmfox_apart("recover", cwd=tmp_path)
    assert (done.code, done.out) == (0, "")
    made, = tmp_path.glob("*.vmfox")
    assert made.name.startswith("demo-20") and "wrote %s" % made.name in done.err
    assert not remains.exists()
    info, before = support.capture_info(made), support.capture_info(DATA / "pypy.vmfox")
    assert info["recovered"] == 1 and info["version"] == 2
    for name in ("command", "start_monotonic_ns", "pid", "threads", "interpreter"):
        assert info[name] == before[name]
    assert of_samples(convert(made, tmp_path)) == \
        of_samples(convert(DATA / "pypy.vmfox", tmp_path))
    assert "profile.jitlog" in support.members(made)


def test_a_named_folder_goes_where_it_is_told(remains, tmp_path):
    done = vmfox("recover", "-q", "-o", "mine.vmfox", "tmp/vmfox-AbC123/", cwd=tmp_path)
    assert (done.code, done.err) == (0, "")
    assert len(convert(tmp_path / "mine.vmfox", tmp_path).samples()) > 10
    assert not remains.exists()


def test_nothing_is_overwritten(remains, tmp_path):
    vmfox_apart("recover", "-q", cwd=tmp_path)
    first, = tmp_path.glob("*.vmfox")
    before = first.read_bytes()
    make_remains(DATA / "pypy.vmfox", remains)
    assert vmfox_apart("recover", "-q", cwd=tmp_path).code == 0
    assert len(list(tmp_path.glob("*.vmfox"))) == 2 and first.read_bytes() == before


def test_it_can_be_listed(remains, tmp_path):
    done = vmfox_apart("recover", "-n", cwd=tmp_path)
    assert done.code == 0 and "/tmp/vmfox-AbC123  demo, started 20" in done.out
    assert remains.exists() and not list(tmp_path.glob("*.vmfox"))
    again = vmfox_apart("clean", "-n", cwd=tmp_path)
    assert "/tmp/vmfox-AbC123" in again.out and remains.exists()


def test_clean_removes_it(remains, tmp_path):
    (remains / "__pycache__").mkdir()
    (remains / "__pycache__" / "x.pyc").touch()
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").touch()
    os.symlink(outside, remains / "link")
    done = vmfox_apart("clean", cwd=tmp_path)
    assert done.code == 0 and "1 recorder," in done.out
    assert not remains.exists() and (outside / "file").exists()


def test_convert_and_view_read_it_and_leave_it(remains, tmp_path):
    profile = convert("tmp/vmfox-AbC123", tmp_path)
    assert of_samples(profile) == of_samples(convert(DATA / "pypy.vmfox", tmp_path))
    assert remains.exists() and os.listdir(tmp_path / "tmp") == ["vmfox-AbC123"]


def test_what_is_viewed_stays(remains, tmp_path):
    with viewing.View("tmp/vmfox-AbC123", tmp_path):
        assert of_samples(convert("tmp/vmfox-AbC123", tmp_path))
        refused = vmfox("recover", "tmp/vmfox-AbC123", cwd=tmp_path)
        assert refused.code == 1 and "another vmfox reads it" in refused.err
        assert "0 recorders" in vmfox_apart("clean", cwd=tmp_path).out
        assert (remains / "profile.prof").exists()
    assert "1 recorder," in vmfox_apart("clean", cwd=tmp_path).out and not remains.exists()


def test_view_serves_it_and_leaves_it(remains, tmp_path):
    before = {path.name: path.read_bytes() for path in remains.iterdir()}
    with viewing.View("tmp/vmfox-AbC123", tmp_path, "-q") as view:
        answer = view.ask("GET", view.path)
        served = support.Profile(support.profile_of(answer.partition(b"\r\n\r\n")[2]))
    assert viewing.status(answer) == 200
    assert of_samples(served) == of_samples(convert(DATA / "pypy.vmfox", tmp_path))
    assert {path.name: path.read_bytes() for path in remains.iterdir()} == before
    assert os.listdir(tmp_path / "tmp") == ["vmfox-AbC123"]


def test_jit_and_share_read_it_and_leave_it(remains, tmp_path):
    before = {path.name: path.read_bytes() for path in remains.iterdir()}
    table = vmfox("jit", "-q", "tmp/vmfox-AbC123", cwd=tmp_path)
    whole = vmfox("jit", "-q", DATA / "pypy.vmfox", cwd=tmp_path)
    assert (table.code, table.err) == (0, "") and re.search(r"loop \d+ \S+\.py:\d+", table.out)
    assert table.out == whole.out
    shared = vmfox("share", "-q", "-o", "x.json", "tmp/vmfox-AbC123", cwd=tmp_path)
    assert (shared.code, shared.err) == (0, "")
    assert support.load_profile(tmp_path / "x.json").samples()
    assert {path.name: path.read_bytes() for path in remains.iterdir()} == before


@pytest.mark.parametrize("command", ["view", "convert", "jit", "share"])
def test_the_commands_that_read_it_say_so(tmp_path, command):
    told = vmfox("help", command, cwd=tmp_path).out
    assert "folder vmfox-XXXXXX of a recorder that was killed" in " ".join(told.split())


def test_a_living_recorder_keeps_its_folder(remains, tmp_path):
    with open(remains / "lock", "rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = vmfox("recover", "tmp/vmfox-AbC123", cwd=tmp_path)
        assert done.code == 1 and "still at work" in done.err
        assert "nothing to recover" in vmfox_apart("recover", cwd=tmp_path).err
        assert "0 recorders" in vmfox_apart("clean", cwd=tmp_path).out
    assert (remains / "profile.prof").exists()


def test_a_living_recorder_whose_lock_was_removed_keeps_its_folder(remains, tmp_path):
    """Who empties the temporary folder by the age of files may take that one alone."""
    (remains / "lock").unlink()
    folder = os.open(remains, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    done = vmfox("recover", "tmp/vmfox-AbC123", cwd=tmp_path)
    assert done.code == 1 and "still at work" in done.err
    assert "0 recorders" in vmfox_apart("clean", cwd=tmp_path).out
    os.close(folder)
    assert (remains / "profile.prof").exists()


def test_a_recorders_folder_without_its_lock_is_recovered(remains, tmp_path):
    (remains / "lock").unlink()
    done = vmfox_apart("recover", "-q", "-o", "x.vmfox", cwd=tmp_path)
    assert (done.code, done.err) == (0, "") and not remains.exists()
    assert len(convert(tmp_path / "x.vmfox", tmp_path).samples()) > 10


def test_what_lies_in_the_home_folder_is_found(tmp_path):
    """A recording begins there where the temporary folders have no room."""
    made = make_remains(DATA / "pypy.vmfox", tmp_path / "tmp" / "home" / "vmfox-AbC123")
    listed = vmfox_apart("recover", "-n", cwd=tmp_path, HOME="/tmp/home")
    assert listed.code == 0 and "/tmp/home/vmfox-AbC123  demo" in listed.out
    cleaned = vmfox_apart("clean", cwd=tmp_path, HOME="/tmp/home")
    assert "1 recorder," in cleaned.out and not made.exists()


def test_folders_of_others_are_refused(remains, tmp_path):
    remains.chmod(0o755)
    assert "open to other users" in vmfox("recover", str(remains), cwd=tmp_path).err
    remains.chmod(0o700)
    os.symlink(remains, tmp_path / "vmfox-link12")
    assert "is a link" in vmfox("recover", "vmfox-link12", cwd=tmp_path).err
    (tmp_path / "vmfox-o").mkdir(mode=0o700)
    assert "vmfox-XXXXXX" in vmfox("recover", "vmfox-o", cwd=tmp_path).err
    (tmp_path / "vmfox-other1").mkdir(mode=0o700)
    assert "no lock" in vmfox("recover", "vmfox-other1", cwd=tmp_path).err
    remains.rename(tmp_path / "else")
    assert "not the folder of a recorder" in vmfox("recover", "else", cwd=tmp_path).err
    assert not list(tmp_path.glob("*.vmfox"))


def test_a_folder_of_another_user_is_refused(remains, tmp_path):
    if os.geteuid() != 0:
        pytest.skip("only root can give a folder away")
    os.chown(remains, 12345, 12345)
    assert "another user" in vmfox("recover", str(remains), cwd=tmp_path).err
    assert remains.exists()


def test_links_in_it_are_not_followed(remains, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("secret\n")
    (remains / "maps.txt").unlink()
    os.symlink(secret, remains / "maps.txt")
    (remains / "profile.jitlog").unlink()
    os.symlink(secret, remains / "profile.jitlog")
    assert vmfox_apart("recover", "-o", "x.vmfox", cwd=tmp_path).code == 0
    assert not {"maps.txt", "profile.jitlog"} & set(support.members(tmp_path / "x.vmfox"))
    assert secret.read_text() == "secret\n"


def test_it_stays_where_nothing_can_be_written(remains, tmp_path):
    done = vmfox_apart("recover", "-o", "nowhere/x.vmfox", cwd=tmp_path)
    assert done.code == 1 and "nowhere" in done.err
    assert (remains / "profile.prof").exists()


def test_only_a_regular_file_is_replaced(remains, tmp_path):
    """As root it would be /dev/null."""
    os.mkfifo(tmp_path / "pipe.vmfox")
    shutil.copy(DATA / "pypy.vmfox", tmp_path)
    for words in (["recover", "-o", "pipe.vmfox", "tmp/vmfox-AbC123"], ["recover", "-o", "-"],
                  ["record", "-o", "pipe.vmfox", "python3", "-c", "print('ran')"],
                  ["symbolicate", "pypy.vmfox", "-o", "pipe.vmfox"]):
        done = vmfox_apart(*words, cwd=tmp_path)
        assert done.code == 1 and done.out == "" and "regular file" in done.err, done.err
    assert (tmp_path / "pipe.vmfox").is_fifo() and (remains / "profile.prof").exists()


@pytest.mark.parametrize("missing", ["session.json", "stamps.i64", "maps.txt", "cpu.i64",
                                     "profile.jitlog", "clock.i64"])
def test_members_may_be_missing(tmp_path, missing):
    make_remains(DATA / "pypy.vmfox", tmp_path / "tmp" / "vmfox-AbC123", without=(missing,))
    done = vmfox_apart("recover", "-o", "x.vmfox", cwd=tmp_path)
    assert done.code == 0 and ("warning" in done.err) == (missing == "session.json")
    done = vmfox("convert", "x.vmfox", "-o", "x.json", cwd=tmp_path)
    profile = support.load_profile(tmp_path / "x.json")
    assert len(profile.all_samples()) >= len(convert(DATA / "pypy.vmfox", tmp_path).samples())


def test_without_samples_it_says_so(tmp_path):
    made = make_remains(DATA / "pypy.vmfox", tmp_path / "tmp" / "vmfox-AbC123",
                        without=("profile.prof",))
    done = vmfox_apart("recover", cwd=tmp_path)
    assert done.code == 1 and "nothing to recover" in done.err and not made.exists()


def cut_points(size):
    return sorted({0, 1, 40, size // 2, size - 1})


@pytest.mark.parametrize("name", ["profile.prof", "session.json", "stamps.i64", "cpu.i64", "maps.txt",
                                  "profile.jitlog", "profile.pypylog"])
def test_every_file_may_end_anywhere(tmp_path, name):
    (tmp_path / "tmp").mkdir()
    folder = tmp_path / "tmp" / "vmfox-AbC123"
    make_remains(DATA / "pypy.vmfox", folder)
    whole = (folder / name).read_bytes()
    shutil.copytree(folder, tmp_path / "model")
    for size in cut_points(len(whole)):
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(tmp_path / "model", folder)
        folder.chmod(0o700)
        (folder / name).write_bytes(whole[:size])
        done = vmfox_apart("recover", "-o", "x.vmfox", cwd=tmp_path)
        if name == "profile.prof" and done.code == 1:
            assert size <= 40 and folder.exists() == (size > 0)
            assert ("profile.prof" if size else "nothing to recover") in done.err
            continue
        assert done.code == 0 and not folder.exists(), done.err
        assert vmfox("convert", "x.vmfox", "-o", "x.json", cwd=tmp_path).code in (
            (0, 1) if name == "profile.prof" and size < 1000 else (0,))


def test_it_stays_where_a_recording_has_not_all_of_it(remains, tmp_path):
    """Disks that are almost full take the samples and no logs."""
    small = tmp_path / "small"
    small.mkdir()
    before = {path.name: path.read_bytes() for path in remains.iterdir()}
    script = ('mount -t tmpfs -o size=24k none small && mount --bind small /var/tmp && '
              'mount --bind small /mnt && vmfox=$1 && shift && "$vmfox" recover "$@"; code=$?; '
              'cp small/x.vmfox made.vmfox; exit $code')
    words = ["unshare", "-m", "sh", "-c", script, "sh", support.VMFOX, "-q", "-o", "small/x.vmfox",
             "tmp/vmfox-AbC123"]
    if subprocess.run(words[:2] + ["mount", "-t", "tmpfs", "none", small],
                      capture_output=True).returncode != 0:
        pytest.skip("nothing can be mounted here")
    done = support.run(words, tmp_path, env=support.environment("/mnt", TMPDIR="/mnt"))
    assert done.code == 1
    assert done.err.decode() == ("vmfox: the folder stays, for not all that is in it had room in the "
                                 "recording; make room and go on with: vmfox recover "
                                 "tmp/vmfox-AbC123\n")
    assert "profile.jitlog" not in support.members(tmp_path / "made.vmfox")
    assert {path.name: path.read_bytes() for path in remains.iterdir()} == before
    again = vmfox("recover", "-q", "-o", "x.vmfox", "tmp/vmfox-AbC123", cwd=tmp_path)
    assert (again.code, again.err) == (0, "") and not remains.exists()
    assert "profile.jitlog" in support.members(tmp_path / "x.vmfox")


def test_bytecode_that_a_recorder_left_is_taken(remains, tmp_path):
    with zipfile.ZipFile(DATA / "pypy.vmfox") as bundle:
        (remains / "bytecode.txt").write_bytes(bundle.read("bytecode.txt"))
    assert vmfox("recover", "-q", "-o", "x.vmfox", "tmp/vmfox-AbC123", cwd=tmp_path).code == 0
    assert support.member(tmp_path / "x.vmfox", "bytecode.txt") == \
        support.member(DATA / "pypy.vmfox", "bytecode.txt")


def test_a_newer_vmfox_is_said(remains, tmp_path):
    (remains / "session.json").write_text('{"version": 3}')
    done = vmfox_apart("recover", cwd=tmp_path)
    assert done.code == 1 and "version 3" in done.err and remains.exists()


def test_sources_and_names_come_as_at_the_end(cpython, tmp_path):
    """The recording names a script that is still there: its source is taken along."""
    script = tmp_path / "spin.py"
    script.write_text("import time\ndef hot():\n    end = time.process_time() + 0.3\n"
                      "    while time.process_time() < end: pass\nhot()\n")
    assert support.record(cpython, script, cwd=tmp_path).code == 0
    for file in (tmp_path / "tmp").iterdir():
        raise AssertionError(file)
    make_remains(tmp_path / "x.vmfox", tmp_path / "tmp" / "vmfox-AbC123")
    assert vmfox("recover", "-q", "-o", "y.vmfox", "tmp/vmfox-AbC123", cwd=tmp_path).code == 0
    names = support.members(tmp_path / "y.vmfox")
    assert "symbols.json" in names and "sources/00000.py" in names
    profile = convert(tmp_path / "y.vmfox", tmp_path)
    assert share(profile.samples(), "hot") > 50
    assert of_samples(profile) == of_samples(convert(tmp_path / "x.vmfox", tmp_path))


def test_what_a_folder_names_is_not_run(remains, tmp_path):
    """Nor is a file read that its session.json makes a source by name."""
    trap = tmp_path / "trap"
    trap.write_text("#!/bin/sh\ntouch %s\n" % (tmp_path / "ran"))
    trap.chmod(0o755)
    known = json.loads((remains / "session.json").read_text())
    known.update(interpreter_path=str(trap), command=str(trap), program="..\x1b[31m/-evil\n")
    (remains / "session.json").write_text(json.dumps(known))
    listed = vmfox_apart("recover", "-n", cwd=tmp_path)
    assert listed.code == 0 and "\x1b" not in listed.out and listed.out.count("\n") == 1
    assert vmfox_apart("recover", "-q", cwd=tmp_path).code == 0
    made, = tmp_path.glob("*.vmfox")
    assert made.name.startswith("_evil_-") and not (tmp_path / "ran").exists()


# ---- a recorder that is killed ------------------------------------------------------------------


def start(python, tmp_path, *words):
    (tmp_path / "tmp").mkdir(exist_ok=True)
    child = subprocess.Popen([support.VMFOX, "record", "-q", "-o", "x.vmfox", python,
                              PROGRAMS / "busy.py", *words], cwd=tmp_path, text=True,
                             env=support.environment(tmp_path / "tmp"), stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE)
    return child


def wait_for_samples(tmp_path, child):
    deadline = time.monotonic() + support.PATIENCE
    while time.monotonic() < deadline and child.poll() is None:
        for folder in (tmp_path / "tmp").glob("vmfox-*"):
            rows = folder / "interrupted.i64"
            if (folder / "session.json").exists() and rows.exists() and \
                    rows.stat().st_size > 60 * 16:
                return folder
        time.sleep(0.02)
    raise AssertionError("no samples came")


def test_the_program_goes_on_and_the_recording_is_recovered(python, tmp_path):
    child = start(python, tmp_path, "2", "3")
    folder = wait_for_samples(tmp_path, child)
    refused = vmfox("recover", str(folder), cwd=tmp_path)
    assert refused.code == 1 and "still at work" in refused.err
    child.kill()
    out, _ = child.communicate(timeout=support.PATIENCE)  # until the program has ended, too
    assert out == "finished\n"
    assert not (tmp_path / "x.vmfox").exists()
    done = vmfox("recover", "-q", "-o", "y.vmfox", str(folder), cwd=tmp_path)
    assert (done.code, done.err) == (0, "") and not folder.exists()
    assert os.listdir(tmp_path / "tmp") == []
    profile = convert(tmp_path / "y.vmfox", tmp_path)
    assert share(profile.samples(), "busy") > 50
    assert "Recovered" in profile.facts() and "Ended" not in profile.facts()
    assert {"capture.json", "profile.prof", "stamps.i64", "interrupted.i64", "sources/00000.py"} <= \
        set(support.members(tmp_path / "y.vmfox"))


def test_at_most_a_second_is_lost(python, tmp_path):
    """Of a program that is always at work, whenever vmfox is killed."""
    child = start(python, tmp_path, "6", "0")
    folder = wait_for_samples(tmp_path, child)
    time.sleep(1.5 + random.random())
    assert child.poll() is None
    killed_ns = time.monotonic_ns()
    child.kill()
    child.communicate(timeout=support.PATIENCE)
    done = vmfox("recover", "-q", "-o", "y.vmfox", str(folder), cwd=tmp_path)
    assert (done.code, done.err) == (0, "")
    stamps = [stamp for stamp, in struct.iter_unpack("<q", support.member(tmp_path / "y.vmfox",
                                                                          "stamps.i64"))]
    assert len(stamps) > 100 and 0 < killed_ns - stamps[-1] < 1e9
    profile = convert(tmp_path / "y.vmfox", tmp_path)
    start_ns = support.capture_info(tmp_path / "y.vmfox")["start_monotonic_ns"]
    assert abs(profile.samples()[-1].time - (stamps[-1] - start_ns) / 1e6) < 50


def test_where_no_folder_takes_a_recording_it_is_recovered_later(cpython, tmp_path):
    """Not even the shortest recording has room in the folders there are; then room is made.  However
    long the output's name is, the folder's is there."""
    deep = "/".join(["d" * 200] * 3)
    small = tmp_path / "tmp"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m,mode=700", "none", small],
                      capture_output=True).returncode != 0:
        pytest.skip("nothing can be mounted here")
    try:
        (small / deep).mkdir(parents=True)
        fill = tmp_path / "fill.py"
        fill.write_text("import os, sys\nsys.argv[1:] = ['0.6', '0']\nexec(%r)\n" %
                        (PROGRAMS / "busy.py").read_text().replace(
                            "    print(", "    import time; time.sleep(1)\n"
                            "    f = os.open(%r, os.O_WRONLY | os.O_CREAT)\n"
                            "    try:\n        while True: os.write(f, b'x' * 4096)\n"
                            "    except OSError: pass\n    print(" % str(small / "full")))
        script = ('mount --bind tmp /var/tmp && mount --bind tmp /mnt && exec "$@"')
        done = support.run(["unshare", "-m", "sh", "-c", script, "sh", support.VMFOX, "record", "-q",
                            "-o", "tmp/%s/x.vmfox" % deep, cpython, fill], tmp_path,
                           env=support.environment(small, HOME="/mnt"))
        err = done.err.decode()
        assert done.code == 1 and done.out == b"finished\n", err
        assert "No space left on device, and no other folder takes it: tmp/ddd" in err
        folder = re.search(r"^vmfox: (?:all that|what) was recorded is kept.*; make room and go on "
                           r"with: vmfox recover (\S+)$", err, re.MULTILINE)[1]
        (small / "full").unlink()
        again = vmfox("recover", "-o", "y.vmfox", folder, cwd=tmp_path)
        assert again.code == 0, again.err
        assert share(convert(tmp_path / "y.vmfox", tmp_path).samples(), "busy") > 30
        assert os.listdir(small) == ["d" * 200]
    finally:
        subprocess.run(["umount", small], check=True)
