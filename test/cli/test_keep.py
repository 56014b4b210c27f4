"""Nothing that was recorded is lost: where the output can't be written when the program has ended,
where what follows the program fails, and what `run` keeps."""
import os
import re
import shutil
import signal
import socket
import subprocess
import time

import pytest

import support
from support import PROGRAMS, convert, share, vmfox, vmfox_apart

BUSY = PROGRAMS / "busy.py"
GO_ON = re.compile(r"go on with: vmfox view '?([^'\n]+)'?$", re.MULTILINE)


@pytest.fixture
def small(tmp_path):
    """A folder on a disk of its own that is almost full."""
    folder = tmp_path / "small"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8k,mode=700", "none", folder],
                      capture_output=True).returncode != 0:
        pytest.skip("nothing can be mounted here")
    yield folder
    subprocess.run(["umount", folder], check=True)


def check_samples(path, cwd):
    profile = convert(path, cwd)
    assert share(profile.samples(), "busy") > 30
    return profile


def elsewhere(done, cwd):
    """The recording that was kept in another place than the one that was asked for."""
    assert len(re.findall("can't be written", done.err)) == 1, done.err
    path, = GO_ON.findall(done.err)
    if os.path.dirname(path) != str(cwd):
        assert os.stat(path).st_mode & 0o777 == 0o600
    check_samples(path, cwd)
    return path


# ---- where the output can't be written ----------------------------------------------------------


@pytest.mark.parametrize("code", [0, 3])
def test_output_disk_full(python, tmp_path, small, code):
    done = vmfox("record", "-q", "-o", "small/x.vmfox", python, BUSY, "0.6", str(code), cwd=tmp_path)
    assert done.out == "finished\n" and done.code == (code or 1)
    assert elsewhere(done, tmp_path).startswith(str(tmp_path / "tmp") + "/x-")
    assert os.listdir(small) == []


def test_output_and_temporary_folder_full(python, tmp_path, small):
    """Where not even the beginning has room, it begins in another folder."""
    home = tmp_path / "home"
    home.mkdir()
    env = support.environment(small, HOME=str(home))
    done = vmfox("record", "-o", "small/x.vmfox", python, BUSY, "0.6", "3", cwd=tmp_path, env=env)
    assert (done.code, done.out) == (3, "finished\n")
    assert "no room in %s for a recording; it begins in /var/tmp" % small in done.err
    path = elsewhere(done, tmp_path)
    assert os.path.dirname(path) == "/var/tmp" and os.listdir(small) == []
    os.unlink(path)


def mount(folder, options):
    folder.mkdir(exist_ok=True)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", options + ",mode=700", "none", folder],
                      capture_output=True).returncode != 0:
        pytest.skip("nothing can be mounted here")


@pytest.mark.parametrize("inodes", [2, 6])
def test_no_room_for_one_file_more(python, tmp_path, inodes):
    """The beginning, or half of it, finds that out."""
    folder = tmp_path / "small"
    mount(folder, "size=10m,nr_inodes=%d" % inodes)
    try:
        env = support.environment(folder, HOME=str(tmp_path / "home"))
        done = vmfox("record", "-o", "x.vmfox", python, BUSY, "0.4", "3", cwd=tmp_path, env=env)
        left = os.listdir(folder)
    finally:
        subprocess.run(["umount", folder], check=True)
    assert (done.code, done.out, left) == (3, "finished\n", [])
    assert "can't begin in %s (No space left on device); it begins in /var/tmp" % folder in done.err
    check_samples("x.vmfox", tmp_path)


def test_no_room_anywhere_is_not_the_shells_limit(python, tmp_path):
    """Then the program is not run, whatever limits there are."""
    folder = tmp_path / "small"
    mount(folder, "size=10m,nr_inodes=2")
    try:
        script = "ulimit -f 1000000; mount --bind small /var/tmp && exec \"$@\""
        done = support.run(["unshare", "-m", "bash", "-c", script, "sh", support.VMFOX, "record",
                            "-o", "x.vmfox", python, "-c", "print('ran')"], tmp_path,
                           env=support.environment(folder))
    finally:
        subprocess.run(["umount", folder], check=True)
    err = done.err.decode()
    assert (done.code, done.out) == (1, b"") and "No space left" in err and "limit" not in err


def fill(folder, but=0):
    """Lines of a program that fill the disk of the folder but for so many bytes."""
    return ("import os, time\n"
            "time.sleep(1)\n"
            "f = os.open(%r, os.O_WRONLY | os.O_CREAT)\n"
            "try:\n    while True: os.write(f, b'x' * 4096)\n"
            "except OSError: pass\n"
            "os.ftruncate(f, os.fstat(f).st_size - %d)\n" % (str(folder / "full"), but))


def test_addresses_that_are_given_up_are_said(cpython, tmp_path):
    if not support.pc_thread():
        pytest.skip("no --pc-thread")
    folder = tmp_path / "small"
    mount(folder, "size=2m")
    try:
        (tmp_path / "p.py").write_text(fill(folder) + "import sys\nsys.argv[1:] = ['1', '3']\n" +
                                       BUSY.read_text())
        done = vmfox("record", "--pc-thread", "-o", "x.vmfox", cpython, "p.py", cwd=tmp_path,
                     env=support.environment(folder))
    finally:
        subprocess.run(["umount", folder], check=True)
    if "no thread of instruction addresses" in done.err:
        pytest.skip("the kernel gives none")
    assert (done.code, done.out) == (3, "finished\n")
    assert "warning: instruction addresses are left out: files in %s" % folder in done.err
    assert "without --pc-thread" in done.err and "PyPy" not in done.err
    check_samples("x.vmfox", tmp_path)


def test_what_a_recording_had_no_room_for_is_kept(cpython, tmp_path):
    """It is written without its sources, and the folder of which all can be made stays."""
    folder = tmp_path / "small"
    mount(folder, "size=4m")
    try:
        script = tmp_path / "p.py"
        comment = "# %s\n" % os.urandom(300000).hex()
        script.write_text("import sys\nsys.argv[1:] = ['0.6', '0']\n" + BUSY.read_text().replace(
            "    print(", "    exec(%r)\n    print(" % fill(folder, 200000)) + comment)
        words = ["unshare", "-m", "sh", "-c",
                 'mount --bind small /var/tmp && mount --bind small /mnt && exec "$@"', "sh",
                 support.VMFOX, "record", "-q", "-o", "small/x.vmfox", cpython, script]
        done = support.run(words, tmp_path, env=support.environment(folder, HOME="/mnt"))
        err = done.err.decode()
        assert (done.code, done.out) == (0, b"finished\n"), err
        assert "sources/00000.py" not in support.members(folder / "x.vmfox")
        check_samples(folder / "x.vmfox", tmp_path)
        kept = re.fullmatch(r"vmfox: all that was recorded is kept; make room and go on with: "
                            r"vmfox recover (\S+)\n", err)[1]
        (folder / "full").unlink()
        again = vmfox("recover", "-q", "-o", "y.vmfox", kept, cwd=tmp_path)
        assert (again.code, again.err) == (0, "")
        assert "sources/00000.py" in support.members(tmp_path / "y.vmfox")
        assert os.listdir(folder) == ["x.vmfox"]
    finally:
        subprocess.run(["umount", folder], check=True)


def test_temporary_folder_full_in_the_middle(pypy, tmp_path):
    """PyPy's logs are given up, then samples; what came before is there."""
    folder = tmp_path / "small"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1300k,mode=700", "none", folder],
                      capture_output=True).returncode != 0:
        pytest.skip("nothing can be mounted here")
    try:
        env = support.environment(folder)
        done = vmfox("record", "-o", "x.vmfox", pypy, BUSY, "3", "3", cwd=tmp_path, env=env)
        left = os.listdir(folder)
    finally:
        subprocess.run(["umount", folder], check=True)
    assert (done.code, done.out, left) == (3, "finished\n", [])
    assert "PyPy's logs are left out: files in %s can't be written: No space" % folder in done.err
    check_samples("x.vmfox", tmp_path)
    assert "profile.jitlog" not in support.members(tmp_path / "x.vmfox")


@pytest.mark.parametrize("code", [0, 3])
def test_output_folder_removed(python, tmp_path, code):
    (tmp_path / "out").mkdir()
    done = vmfox("record", "-q", "-o", "out/x.vmfox", python, BUSY, "0.5", str(code), "remove", "out",
                 cwd=tmp_path)
    assert done.out == "finished\n" and done.code == (code or 1)
    assert elsewhere(done, tmp_path).startswith(str(tmp_path / "tmp"))


def test_output_folder_removed_and_made_anew(python, tmp_path):
    (tmp_path / "out").mkdir()
    done = vmfox("record", "-o", "out/x.vmfox", python, BUSY, "0.5", "0", "renew", "out",
                 cwd=tmp_path)
    assert done.code == 0 and "wrote out/x.vmfox" in done.err
    check_samples("out/x.vmfox", tmp_path)


def test_output_folder_renamed(python, tmp_path):
    (tmp_path / "out").mkdir()
    done = vmfox("record", "-o", "out/x.vmfox", python, BUSY, "0.5", "0", "rename", "out",
                 cwd=tmp_path)
    assert done.code == 0 and "wrote %s" % (tmp_path / "out-2" / "x.vmfox") in done.err
    assert os.listdir(tmp_path / "out-2") == ["x.vmfox"]
    check_samples("out-2/x.vmfox", tmp_path)


def test_output_folder_renamed_of_run(python, tmp_path):
    (tmp_path / "out").mkdir()
    done = vmfox("run", "--no-serve", "-o", "out/x.json", python, BUSY, "0.5", "0", "rename", "out",
                 cwd=tmp_path)
    assert done.code == 0, done.err
    assert os.listdir(tmp_path / "out-2") == ["x.json"]


def test_current_folder_removed(python, tmp_path):
    here = tmp_path / "here"
    here.mkdir()
    (tmp_path / "tmp").mkdir()
    env = support.environment(tmp_path / "tmp")
    done = subprocess.run([support.VMFOX, "record", "-q", python, BUSY, "0.5", "4", "leave"],
                          cwd=here, env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (4, "finished\n")
    elsewhere(support.Result(done.returncode, done.stdout, done.stderr), tmp_path)


def test_a_folder_in_the_way(python, tmp_path):
    """Beside the output is tried first."""
    done = vmfox("record", "-q", "-o", "x.vmfox", python, BUSY, "0.5", "0", "folder", "x.vmfox",
                 cwd=tmp_path)
    assert done.code == 1
    assert os.path.dirname(elsewhere(done, tmp_path)) == str(tmp_path)
    assert os.listdir(tmp_path / "x.vmfox") == []


def test_output_folder_made_read_only(cpython, tmp_path):
    """Root may write all the same, so somebody else does it."""
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else")
    out = tmp_path / "out"
    out.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "none", out], capture_output=True).returncode != 0:
        pytest.skip("nothing can be mounted here")
    try:
        script = tmp_path / "ro.py"
        script.write_text("import subprocess, sys\nsys.argv[1:] = ['0.5']\n%s\n" %
                          BUSY.read_text().replace('sys.exit(code)', 'subprocess.run(["mount", "-o",'
                                                   ' "remount,ro", %r], check=True)' % str(out)))
        done = vmfox("record", "-q", "-o", "out/x.vmfox", cpython, script, cwd=tmp_path)
        assert (done.code, done.out) == (1, "finished\n") and "Read-only" in done.err
        elsewhere(done, tmp_path)
    finally:
        subprocess.run(["umount", out], check=True)


def test_the_mode_of_a_recording(python, tmp_path):
    """New ones are as umask says; of one that is replaced it stays, and a link stays a link."""
    old_mask = os.umask(0o027)
    try:
        assert support.record(python, "-c", "pass", cwd=tmp_path).code == 0
    finally:
        os.umask(old_mask)
    assert (tmp_path / "x.vmfox").stat().st_mode & 0o777 == 0o640
    (tmp_path / "x.vmfox").chmod(0o604)
    os.symlink("x.vmfox", tmp_path / "link.vmfox")
    assert support.record(python, "-c", "pass", cwd=tmp_path, out="link.vmfox").code == 0
    assert (tmp_path / "link.vmfox").is_symlink()
    assert (tmp_path / "x.vmfox").stat().st_mode & 0o777 == 0o604
    assert sorted(os.listdir(tmp_path)) == ["link.vmfox", "tmp", "x.vmfox"]


def test_room_is_watched(python, tmp_path, small):
    done = vmfox("record", "-o", "small/x.vmfox", python, BUSY, "0.3", "0", cwd=tmp_path)
    assert done.err.count(" MB left") == 1
    assert done.err.startswith("vmfox: warning: small has 0.0 MB left")
    quiet = vmfox("record", "-o", "x.vmfox", python, "-c", "pass", cwd=tmp_path)
    assert " MB left" not in quiet.err


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the call's number is that of x86-64")
def test_a_source_that_is_cut_while_the_recording_is_written(cpython, tmp_path):
    """As an editor does it.  It is long, so that packing it takes a while, and seen to be packed by
    the name of the part that is written."""
    script = tmp_path / "long.py"
    text = BUSY.read_text() + "".join("# %d\n" % (i * i) for i in range(2000000))
    script.write_text(text)
    out = tmp_path / "out"
    out.mkdir()
    child = subprocess.Popen([support.VMFOX, "record", "-q", "-o", "out/x.vmfox", cpython, script, "0.3",
                              "3"], cwd=tmp_path, env=support.environment(tmp_path),
                             stdout=subprocess.DEVNULL, preexec_fn=support.without_unnamed_files)
    deadline = time.monotonic() + support.PATIENCE
    while not os.listdir(out) and time.monotonic() < deadline:
        time.sleep(0.001)
    script.write_text("")
    assert child.wait(support.PATIENCE) == 3
    assert os.listdir(out) == ["x.vmfox"]
    member, = [source["member"] for source in support.capture_info(out / "x.vmfox")["sources"]
               if source["path"] == str(script)]
    # Where so long texts differ, pytest would look for the places for an hour.
    assert len(support.member(out / "x.vmfox", member)) == len(text)


# ---- what follows the program -------------------------------------------------------------------


@pytest.mark.parametrize("options, why", [(("--thread", "nobody"), "nobody"),
                                          (("--from", "1000"), "1000")])
@pytest.mark.parametrize("code", [0, 5])
def test_run_with_an_error_after_the_program(python, tmp_path, options, why, code):
    done = vmfox("run", "--no-serve", *options, python, BUSY, "0.3", str(code), cwd=tmp_path)
    assert done.out == "finished\n" and done.code == (code or 1) and why in done.err
    path, = GO_ON.findall(done.err)
    check_samples(path, tmp_path)


def test_without_keeping_it_is_kept_where_something_goes_wrong(python, tmp_path):
    done = vmfox("run", "--no-serve", "--no-keep", "--thread", "nobody", python, BUSY, "0.3",
                 cwd=tmp_path)
    assert done.code == 1
    path, = GO_ON.findall(done.err)
    assert os.path.dirname(path) == str(tmp_path / "tmp")
    check_samples(path, tmp_path)


def test_a_taken_port_is_said_before_the_program_runs(python, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = vmfox("run", "--port", port, python, "-c", "print('ran')", cwd=tmp_path)
    assert (done.code, done.out) == (1, "") and "port %s is taken" % port in done.err


def test_a_port_taken_meanwhile(python, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    code = ("import socket, time\nend = time.process_time() + 0.3\ndef busy():\n"
            "    while time.process_time() < end: pass\nbusy()\n"
            "import os\nr = os.fork()\n"
            "s = socket.create_server(('127.0.0.1', %s)) if r == 0 else None\n"
            "if r == 0:\n    os.closerange(0, 3)\n    time.sleep(15)\n    os._exit(0)\n"
            "time.sleep(1)\n" % port)
    (tmp_path / "taker.py").write_text(code)
    done = vmfox("run", "-q", "--no-open", "--port", port, python, "taker.py", cwd=tmp_path)
    assert done.code == 1 and "port %s is taken" % port in done.err
    path, = GO_ON.findall(done.err)
    check_samples(path, tmp_path)


# ---- what run keeps -----------------------------------------------------------------------------


def kept(cache):
    folder = cache / "vmfox" / "recordings"
    return sorted(name for name in os.listdir(folder) if name.endswith(".vmfox"))


def run(python, tmp_path, *options, **environment):
    env = support.environment(tmp_path / "tmp", XDG_CACHE_HOME=str(tmp_path / "cache"))
    env.update(environment)
    (tmp_path / "tmp").mkdir(exist_ok=True)
    return vmfox("run", "--no-serve", "-o", "x.json", *options, python, BUSY, "0.2", cwd=tmp_path,
                 env=env)


def test_a_recording_is_kept_and_that_is_said_once(python, tmp_path):
    first, second = run(python, tmp_path), run(python, tmp_path)
    assert (first.code, second.code) == (0, 0)
    folder = tmp_path / "cache" / "vmfox" / "recordings"
    assert str(folder) in first.err and "vmfox clean" in first.err and str(folder) not in second.err
    assert len(kept(tmp_path / "cache")) == 2
    for path in (folder, folder.parent):
        assert path.stat().st_mode & 0o777 == 0o700
    for path in folder.iterdir():
        assert path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path / "tmp") == []


def test_it_is_said_after_a_quiet_one_too(cpython, tmp_path):
    assert run(cpython, tmp_path, "-q").err == ""
    assert "recordings of run are kept" in run(cpython, tmp_path).err


def test_no_keep_keeps_nothing(python, tmp_path):
    done = run(python, tmp_path, "--no-keep")
    assert done.code == 0 and not (tmp_path / "cache").exists()
    assert os.listdir(tmp_path / "tmp") == []


def test_ten_are_kept(cpython, tmp_path):
    run(cpython, tmp_path)
    folder = tmp_path / "cache" / "vmfox" / "recordings"
    model, = kept(tmp_path / "cache")
    for i in range(12):
        shutil.copy(folder / model, folder / ("%02d.vmfox" % i))
        os.utime(folder / ("%02d.vmfox" % i), (1000 + i, 1000 + i))
    run(cpython, tmp_path)
    left = kept(tmp_path / "cache")
    assert len(left) == 10 and model in left
    assert [name for name in left if len(name) == 8] == ["%02d.vmfox" % i for i in range(4, 12)]


def test_what_is_large_goes_first(cpython, tmp_path):
    run(cpython, tmp_path)
    folder = tmp_path / "cache" / "vmfox" / "recordings"
    for i in range(3):
        with open(folder / ("%d.vmfox" % i), "wb") as file:
            file.truncate(1 << 30)
        os.utime(folder / ("%d.vmfox" % i), (1000 + i, 1000 + i))
    run(cpython, tmp_path)
    assert [name for name in kept(tmp_path / "cache") if len(name) == 7] == ["2.vmfox"]


@pytest.mark.parametrize("what", ["link", "other", "writable", "file"])
def test_a_folder_that_is_not_the_users_own_is_not_used(cpython, tmp_path, what):
    cache, trap = tmp_path / "cache", tmp_path / "trap"
    cache.mkdir()
    trap.mkdir()
    if what == "link":
        os.symlink(trap, cache / "vmfox")
    elif what == "file":
        (cache / "vmfox").touch()
    else:
        (cache / "vmfox").mkdir()
        if what == "writable":
            (cache / "vmfox").chmod(0o777)
        elif os.geteuid() != 0:
            pytest.skip("only root can give a folder away")
        else:
            os.chown(cache / "vmfox", 12345, 12345)
    done = run(cpython, tmp_path)
    assert done.code == 0 and "the recording is not kept: %s/vmfox " % cache in done.err
    assert os.listdir(trap) == [] and os.listdir(tmp_path / "tmp") == []
    assert not (cache / "vmfox" / "recordings").exists()


def start_serving(python, tmp_path, *words):
    env = support.environment(tmp_path / "tmp", XDG_CACHE_HOME=str(tmp_path / "cache"))
    (tmp_path / "tmp").mkdir(exist_ok=True)
    child = subprocess.Popen([support.VMFOX, *words], cwd=tmp_path, env=env, text=True,
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT)
    for line in child.stdout:
        if "from-url" in line:
            return child
    raise AssertionError("it did not serve")


def test_ctrl_c_while_serving_loses_nothing(python, tmp_path):
    child = start_serving(python, tmp_path, "run", "--no-open", python, BUSY, "0.2", "3")
    child.send_signal(signal.SIGINT)
    child.communicate(timeout=support.PATIENCE)
    assert child.returncode == 3
    child = start_serving(python, tmp_path, "view", "--no-open", "--last")
    child.send_signal(signal.SIGINT)
    child.communicate(timeout=support.PATIENCE)
    assert child.returncode == 0
    name, = kept(tmp_path / "cache")
    check_samples(tmp_path / "cache" / "vmfox" / "recordings" / name, tmp_path)
    assert os.listdir(tmp_path / "tmp") == []


def test_view_last_without_one(tmp_path):
    env = support.environment(tmp_path, XDG_CACHE_HOME=str(tmp_path / "cache"))
    done = vmfox("view", "--last", cwd=tmp_path, env=env)
    assert done.code == 1 and "no recording is kept" in done.err and not (tmp_path / "cache").exists()
    assert vmfox("view", "--last", "x.vmfox", cwd=tmp_path, env=env).code == 2


def test_clean_removes_what_is_kept(cpython, tmp_path):
    folder = tmp_path / "tmp" / "cache" / "vmfox" / "recordings"
    for path in (folder.parent.parent.parent, folder.parent.parent, folder.parent, folder):
        path.mkdir(mode=0o700)
    for name in ("a.vmfox", "b.vmfox", ".draft-123456.vmfox"):
        (folder / name).write_bytes(b"x" * 1000)
    listed = vmfox_apart("clean", "-n", cwd=tmp_path)
    assert listed.code == 0 and "there are 3 recordings" in listed.out
    assert len(os.listdir(folder)) == 3
    done = vmfox_apart("clean", cwd=tmp_path)
    assert done.code == 0 and "removed 3 recordings" in done.out and "/b.vmfox" in done.out
    assert os.listdir(folder) == []
    assert "removed 0 recordings" in vmfox_apart("clean", cwd=tmp_path).out


def test_clean_says_why_something_stays(tmp_path):
    """What is mounted somewhere can't be removed."""
    folder = tmp_path / "tmp" / "cache" / "vmfox" / "recordings"
    for path in (folder.parent.parent.parent, folder.parent.parent, folder.parent, folder):
        path.mkdir(mode=0o700)
    for name in ("a.vmfox", "b.vmfox"):
        (folder / name).write_bytes(b"x" * 1000)
    if subprocess.run(["mount", "--bind", folder / "b.vmfox", folder / "a.vmfox"],
                      capture_output=True).returncode != 0:
        pytest.skip("nothing can be mounted here")
    try:
        done = vmfox_apart("clean", cwd=tmp_path)
    finally:
        subprocess.run(["umount", folder / "a.vmfox"], check=True)
    assert done.code == 1 and "removed 1 recording " in done.out and "in use" not in done.out
    assert "a.vmfox can't be removed: Device or resource busy" in done.err
    assert os.listdir(folder) == ["a.vmfox"]


def test_what_is_viewed_is_not_removed(cpython, tmp_path):
    """Neither by who cleans up nor by who makes room for another one.  Two may view it."""
    assert run(cpython, tmp_path).code == 0
    folder = tmp_path / "cache" / "vmfox" / "recordings"
    name, = kept(tmp_path / "cache")
    views = [start_serving(cpython, tmp_path, "view", "--no-open", "--last") for _ in range(2)]
    env = support.environment(tmp_path / "tmp", XDG_CACHE_HOME=str(tmp_path / "cache"))
    for view in views:
        try:
            listed = vmfox("clean", "-n", cwd=tmp_path, env=env)
            assert "%s  " % name in listed.out and "in use, stays" in listed.out
            os.utime(folder / name, (5, 5))
            for i in range(12):
                shutil.copy(folder / name, folder / ("%02d.vmfox" % i))
            run(cpython, tmp_path)
            assert name in kept(tmp_path / "cache")
        finally:
            view.send_signal(signal.SIGINT)
            view.communicate(timeout=support.PATIENCE)
        assert view.returncode == 0
    run(cpython, tmp_path)
    assert name not in kept(tmp_path / "cache")


def test_what_another_vmfox_shows_is_not_removed(cpython, tmp_path):
    child = start_serving(cpython, tmp_path, "run", "--no-open", cpython, BUSY, "0.2")
    try:
        name, = kept(tmp_path / "cache")
        env = support.environment(tmp_path / "tmp", XDG_CACHE_HOME=str(tmp_path / "cache"))
        done = vmfox("clean", "-n", cwd=tmp_path, env=env)
        assert "in use, stays" in done.out and name in done.out
        folder = tmp_path / "cache" / "vmfox" / "recordings"
        os.utime(folder / name, (5, 5))
        for i in range(12):
            shutil.copy(folder / name, folder / ("%02d.vmfox" % i))
        run(cpython, tmp_path)
        assert name in kept(tmp_path / "cache")
    finally:
        child.send_signal(signal.SIGINT)
        child.communicate(timeout=support.PATIENCE)


# ---- stopped early ------------------------------------------------------------------------------


def test_a_program_that_is_killed_before_python_has_started(python, tmp_path):
    early = tmp_path / "python3-early"
    early.write_text("#!/bin/sh\nkill -9 $$\n")
    early.chmod(0o755)
    done = support.record(str(early), "-c", "pass", cwd=tmp_path)
    assert done.code == 137
    assert "was ended by SIGKILL before Python had started; nothing was recorded" in done.err
    assert not (tmp_path / "x.vmfox").exists() and os.listdir(tmp_path / "tmp") == []


def test_a_program_that_is_killed_in_its_first_milliseconds(cpython, tmp_path):
    (tmp_path / "tmp").mkdir()
    child = subprocess.Popen([support.VMFOX, "record", "-q", "-o", "x.vmfox", cpython, "-c",
                              "import time; time.sleep(60)"], cwd=tmp_path, stderr=subprocess.PIPE,
                             env=support.environment(tmp_path / "tmp"), text=True)
    program = None
    deadline = time.monotonic() + support.PATIENCE
    while not program and time.monotonic() < deadline:
        with open("/proc/%d/task/%d/children" % (child.pid, child.pid)) as children:
            program = children.read().split()[1:]  # the first one only watches for signals
    os.kill(int(program[0]), signal.SIGKILL)
    err = child.communicate(timeout=support.PATIENCE)[1]
    assert child.returncode in (137, 1)
    assert "is it a Python 3 interpreter" not in err
    assert "SIGKILL" in err or (tmp_path / "x.vmfox").exists() or "can't run" in err
