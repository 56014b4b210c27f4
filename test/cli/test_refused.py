"""A program that can't be led to vmfox: it runs as ever, nothing of it is recorded, and one line says
so."""
import shutil
import subprocess

import pytest

import support

# What the program's calls come to: REFUSED says which.
REFUSE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <stddef.h>
#include <string.h>

#ifdef LIBRARY
void *dlopen(const char *name, int flags)
{
    void *(*next)(const char *, int);
    *(void **)&next = dlsym(RTLD_NEXT, "dlopen");
    return next(name && strstr(name, "vmfox_inside") ? "/refused" : name, flags);
}
#endif
#ifdef SLOTS
int dl_iterate_phdr(int (*each)(struct dl_phdr_info *, size_t, void *), void *data)
{
    (void)each, (void)data;
    return 0;
}
#endif
"""
WHY = {"LIBRARY": "/refused", "SLOTS": "VMProf's calls can't be led to vmfox"}
PROGRAM = r"""
import os, signal, sys, threading, time
def look():
    sums.append(sum(range(1000)))
sums = []
thread = threading.Thread(target=look)
thread.start()
thread.join()
end = time.process_time() + 0.1
while time.process_time() < end:
    look()
names = [name for name in list(sys.modules) + list(os.environ) + sys.path
         if "vmfox" in name.lower() and name != "VMFOX_CHECK"]
used = len(os.listdir("/proc/self/fd")) - 1
with open("/proc/self/status") as status:
    caught = [line for line in status if line.startswith("SigCgt")]
child = os.fork()
if child == 0:
    kept = [[i] for i in range(300000)]
    os._exit(0)
os.waitpid(child, 0)
print(ascii(sys.argv[1:]), sys.path, sums[0], names, used, int(caught[0].split()[1], 16) >> 15 & 1, flush=True)
if sys.argv[1] == "kill":
    os.kill(os.getpid(), signal.SIGTERM)
sys.exit(int(sys.argv[1]))
"""


@pytest.fixture(params=WHY)
def refusing(request, python, tmp_path):
    """An interpreter to which something is refused, and what that is called."""
    if not shutil.which("cc"):
        pytest.skip("there is no C compiler")
    (tmp_path / "refuse.c").write_text(REFUSE)
    subprocess.run(["cc", "-shared", "-fPIC", "-D" + request.param, "-o", "refuse.so", "refuse.c",
                    "-ldl"], cwd=tmp_path, check=True)
    wrapper = tmp_path / "python3"
    wrapper.write_text("#!/bin/sh\nLD_PRELOAD=%s exec %s \"$@\"\n" % (tmp_path / "refuse.so", python))
    wrapper.chmod(0o755)
    (tmp_path / "p.py").write_text(PROGRAM)
    return wrapper, WHY[request.param]


def check(refusing, tmp_path, *words, code, **running):
    wrapper, why = refusing
    alone = support.run([wrapper, *words], tmp_path, **running)
    done = support.vmfox("record", "-o", "x.vmfox", wrapper, *words, cwd=tmp_path, **running)
    assert done.out == alone.out.decode() and " [] 3 0" in done.out
    assert done.code == code
    told = done.err[len(alone.err.decode()):]
    assert told.count("\n") == 1
    assert "the program ran as ever, but nothing was recorded" in told and why in told
    assert not (tmp_path / "x.vmfox").exists() and not list((tmp_path / "tmp").iterdir())


@pytest.mark.parametrize("given, code", [("0", 1), ("3", 3), ("kill", 128 + 15)])
def test_the_program_runs_as_ever_and_it_is_said(refusing, tmp_path, given, code):
    """Its children write no log of PyPy's either, and no descriptor is one too many."""
    check(refusing, tmp_path, "p.py", given, code=code)


@pytest.mark.parametrize("words", [("-E", "p.py", "3", "\u00e9 '"), ("-Ic", PROGRAM, "3"),
                                   ("-E", "-", "3"), ("-Em", "p", "3"), ("-m", "p", "3", "-c")])
def test_in_every_form_of_the_command_line(refusing, tmp_path, words):
    check(refusing, tmp_path, *words, code=3, stdin=PROGRAM.encode() if "-" in words else b"")


def test_an_interpreter_beside_the_program_runs_as_it_is(pypy, tmp_path):
    """A script starts two at once, of which the first is the program."""
    script = tmp_path / "two.sh"
    (tmp_path / "p.py").write_text(PROGRAM)
    (tmp_path / "first.py").write_text(
        "import os, time\nend = time.time() + 60\nopen('ready', 'w').close()\n"
        "while time.time() < end and not os.path.exists('done'): sum(range(1000))\n")
    script.write_text("#!/bin/sh\n%s first.py &\nwhile ! [ -e ready ]; do sleep 0.02; done\n"
                      "%s p.py 0\ntouch done\nwait\n" % (pypy, pypy))
    script.chmod(0o755)
    alone = support.run([script], tmp_path)
    for name in ("ready", "done"):
        (tmp_path / name).unlink()
    done = support.vmfox("record", "-o", "x.vmfox", "--python", script, "-c", "pass", cwd=tmp_path)
    assert (done.code, done.out) == (0, alone.out.decode()) and alone.code == 0
    assert "gc-" not in done.err and "jit-" not in done.err
    assert len(support.member(tmp_path / "x.vmfox", "stamps.i64")) >= 8 * 5
