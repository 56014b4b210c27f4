"""Fixtures: the interpreters, and the recordings that several tests look at."""
import collections
import json
import subprocess

import pytest

import native
import support

Recorded = collections.namedtuple("Recorded", "capture profile told folder script")


def pytest_configure(config):
    if not support.VMFOX.is_file():
        raise pytest.UsageError("there is no %s; build it, or name another one in VMFOX"
                                % support.VMFOX)


@pytest.fixture(scope="session")
def pypy():
    found = support.find_pypy()
    if not found:
        pytest.skip("no pypy3 in PATH")
    return found


@pytest.fixture(scope="session")
def cpython():
    python = support.CPYTHON
    if not python.exists() or subprocess.run([python, "-c", "import _vmprof"],
                                             capture_output=True).returncode != 0:
        pytest.skip("%s has no vmprof; VMFOX_TEST_CPYTHON names another one" % python)
    return str(python)


@pytest.fixture(scope="session", params=["pypy", "cpython"])
def python(request):
    """Each interpreter in turn."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def recorder(tmp_path_factory):
    """Records a program of test/cli/programs once for a session and set of options.  What the
    program prints is JSON: what it measured itself."""
    made = {}

    def make(python, program, *options, words=()):
        key = (python, program) + options + words
        if key in made:
            return made[key]
        folder = tmp_path_factory.mktemp("recorded")
        script = folder / program
        script.write_bytes((support.PROGRAMS / program).read_bytes())
        # All of the JIT's log, however busy the machine is.
        log = () if any("jitlog" in option for option in options) else ("--jitlog",)
        done = support.record(*log, *options, python, script, *words, cwd=folder)
        assert (done.code, done.err) == (0, "")
        capture = folder / "x.vmfox"
        made[key] = Recorded(capture, support.convert(capture, folder), json.loads(done.out),
                             folder, script)
        return made[key]

    return make


@pytest.fixture(scope="session")
def hot(cpython, tmp_path_factory):
    """An extension with debug info, recorded with its machine code.  Nobody changes its files."""
    library = native.build(tmp_path_factory.mktemp("hot"), "-g")
    return native.made_of(cpython, library, "--share", seconds=1)


@pytest.fixture(scope="session")
def hot_view(hot):
    with native.View(hot.capture, hot.folder) as running:
        yield running
