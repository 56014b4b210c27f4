"""What vmfox writes must not depend on the compiler: in which order two calls that are arguments of
one are made, how a sum of fractions is rounded.  VMFOX_OTHER is vmfox as another compiler made it."""
import os
from pathlib import Path

import pytest

import support

OTHER = os.environ.get("VMFOX_OTHER")
DATA = sorted((support.ROOT / "test/data").glob("*.vmfox"))


def both(*words, cwd, out=None):
    """What each of the two writes, by the same words: output, or the file `out`."""
    written = []
    for program in (support.VMFOX, OTHER):
        done = support.run([program, *words], cwd)
        assert done.code == 0, done.err
        written.append((Path(cwd) / out).read_bytes() if out else done.out)
    return written


@pytest.fixture(scope="module", params=[*DATA, "pypy", "cpython"], ids=lambda name: Path(name).name)
def recording(request, tmp_path_factory):
    """One that is kept here, or one made now, with the machine code of native functions."""
    if not OTHER:
        pytest.skip("VMFOX_OTHER names no other build of vmfox")
    if isinstance(request.param, Path):
        return request.param
    python = request.getfixturevalue(request.param)
    folder = tmp_path_factory.mktemp("recorded")
    made = support.record("--share", python, support.PROGRAMS / "shares.py", cwd=folder)
    assert made.code == 0, made.err
    return folder / "x.vmfox"


@pytest.mark.parametrize("name", ["x.jslb.gz", "x.json"])
def test_the_same_profile(recording, name, tmp_path):
    ours, theirs = both("convert", "-q", "-o", name, recording, cwd=tmp_path, out=name)
    assert ours == theirs and len(ours) > 1000


def test_the_same_profile_to_share(recording, tmp_path):
    ours, theirs = both("share", "-q", "-o", "x.json.gz", recording, cwd=tmp_path, out="x.json.gz")
    assert ours == theirs and len(ours) > 1000


def test_the_same_of_the_jit(recording, tmp_path):
    """Of recordings without a log both say that there is none."""
    said = [support.run([program, "jit", recording], tmp_path) for program in (support.VMFOX, OTHER)]
    assert said[0] == said[1]
