"""Faults made on purpose, each once: what scripts/trials makes again and again (docs/reliability.md).
The programs and what is looked at are in test/trials."""
import json
import os
import subprocess
import sys

import pytest

import support

sys.path.insert(0, str(support.ROOT / "test"))
from trials import places, registry, runner, trial  # noqa: E402

SEED = 1


def faults():
    return [pytest.param(fault, id=fault.name) for fault in registry.FAULTS.values()]


@pytest.fixture(scope="module")
def outcomes(request):
    """What came of all that was asked for: they are run two at a time, which takes half as long."""
    interpreters = {}
    for item in request.session.items:
        if item.path == request.path and "python" in item.fixturenames:
            name = item.callspec.params["python"]
            if name not in interpreters:
                interpreters[name] = interpreter(request, name)
    jobs = [runner.Job(item.callspec.params["fault"], interpreters[item.callspec.params["python"]],
                       0, SEED)
            for item in request.session.items
            if item.path == request.path and "outcomes" in item.fixturenames
            and interpreters[item.callspec.params["python"]]]
    return {(outcome.job.fault.name, outcome.job.python.path): outcome
            for outcome in runner.run_all(jobs)}


def interpreter(request, name):
    try:
        return places.Interpreter(request.getfixturevalue(name))
    except pytest.skip.Exception:
        return None


@pytest.mark.parametrize("fault", faults())
def test_the_program_and_its_recording_come_through(outcomes, python, fault):
    outcome = outcomes[fault.name, os.path.abspath(python)]
    if outcome.absent:
        pytest.skip("wants " + outcome.absent)
    assert not outcome.wrong, "%s\nagain: %s" % (
        "\n".join(runner.failures(outcome)), runner.how_to_repeat(outcome.job))
    assert outcome.checked


# ---- the machinery itself ------------------------------------------------------------------------


def outcome_of(python, run):
    fault = registry.Fault("made-up", "Made up", "made up", run)
    return next(runner.run_all([runner.Job(fault, places.Interpreter(python), 0, SEED)]))


def test_a_trial_sees_what_is_wrong(pypy):
    def other_output(trial):
        trial.same(trial.alone("ends.py", "_exit"), trial.alone("ends.py", "raises"))

    def not_there(trial):
        trial.opens()

    def left_behind(trial):
        (trial.tmp / "vmfox-abcdef").mkdir()
        subprocess.Popen(["sleep", "60"], env=trial.environment({}), start_new_session=True)
        trial.nothing_left()

    wrong = outcome_of(pypy, other_output).wrong["program"]
    assert [text.split()[0] for text in wrong] == ["exit", "stdout", "stderr"]
    assert outcome_of(pypy, not_there).wrong == {"recording": ["there is no recording"]}
    left = outcome_of(pypy, left_behind).wrong["left"]
    assert left == ["still running: sleep 60", "left in the temporary folder: vmfox-abcdef"]


def test_a_trial_looks_for_what_is_left_elsewhere(pypy, tmp_path, monkeypatch):
    """What vmfox has named is not left behind, and neither is what others are at work on."""
    monkeypatch.setattr(trial, "SPARE", tmp_path)

    def left_behind(made):
        (made.home / "x.vmfox").touch()
        for name, of in (("vmfox-aaaaaa", made.folder), ("vmfox-bbbbbb", "/elsewhere"),
                         ("vmfox-cccccc", made.folder)):
            (tmp_path / name).mkdir()
            (tmp_path / name / "session.json").write_text(json.dumps({"working_dir": str(of)}))
        made.own_lines = [b"vmfox: go on with: vmfox recover %s/vmfox-cccccc\n" % bytes(tmp_path)]
        made.nothing_left()

    assert outcome_of(pypy, left_behind).wrong["left"] == [
        "left at home: x.vmfox", "left in %s: vmfox-aaaaaa" % tmp_path]


def test_a_trial_that_fails_itself_has_not_held(pypy):
    def broken(_trial):
        raise ValueError("of its own")

    def absent(_trial):
        raise places.Absent("a machine of another kind")

    assert "of its own" in outcome_of(pypy, broken).wrong["program"][0]
    assert outcome_of(pypy, absent).absent == "a machine of another kind"


ASKS = """
import json, os, socket
def errno_of(call, *args):
    try:
        call(*args)
        return 0
    except OSError as error:
        return error.errno
one, two = socket.socketpair()
print(json.dumps([errno_of(os.memfd_create, "x"),
                  errno_of(one.setsockopt, socket.SOL_SOCKET, 35, 1),
                  errno_of(one.setsockopt, socket.SOL_SOCKET, 29, 1)]))
"""


@pytest.mark.parametrize("words, found", [
    ((), [0, 0, 0]), (("memfd_create",), [1, 0, 0]), (("memfd_create=ENOSYS",), [38, 0, 0]),
    (("SO_TIMESTAMPNS", "ptrace"), [0, 1, 0])])
def test_the_filter_refuses_what_it_is_told(words, found):
    """35 is SO_TIMESTAMPNS, 29 SO_TIMESTAMP."""
    done = subprocess.run([places.built("refuse.c"), *words, "--", "/usr/bin/python3", "-c", ASKS],
                          capture_output=True, check=True)
    assert json.loads(done.stdout) == found
