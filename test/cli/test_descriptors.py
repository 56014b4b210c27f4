"""Descriptors are the program's: what it closes and opens is its own business, whatever is recorded."""
import shutil

import support


def test_files_under_the_numbers_of_what_was_closed(python, tmp_path):
    """Native frames are taken all the while, of deep stacks and shallow ones."""
    shutil.copy(support.PROGRAMS / "keeps_files.py", tmp_path)
    done = support.record(python, "keeps_files.py", ".", cwd=tmp_path)
    assert done.code == 0
    assert done.out.split()[:2] == ["intact", "0"], done.out
    profile = support.convert(tmp_path / "x.vmfox", tmp_path)
    assert any(frame.lib for sample in profile.samples() for frame in sample.stack)
