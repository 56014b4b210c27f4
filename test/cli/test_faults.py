"""Faults made on purpose, each once: what scripts/trials makes again and again (docs/reliability.md).
The programs and what is looked at are in test/trials."""
import os
import sys

import pytest

import support

sys.path.insert(0, str(support.ROOT / "test"))
from trials import places, registry, runner  # noqa: E402

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
