"""Surprises: each path is a behaviour, breaks its belief in its last step, and is shortest."""

from __future__ import annotations

import json

import pytest

from mesos_spec.__main__ import main
from mesos_spec.kernel import EachStep, Surprise
from mesos_spec.mesos import ALWAYS, EACH_STEP
from mesos_spec.state import State
from mesos_spec.surprises import SURPRISES
from mesos_spec.tools.report import stories
from mesos_spec.tools.search.checker import check

EACH = pytest.mark.parametrize("surprise", SURPRISES, ids=lambda one: one.name)


def broken_after(surprise: Surprise[State]) -> list[int]:
    """After which steps of its path a belief is broken; 0 is the first state."""
    found = stories.behaviour_of(surprise)
    spec, belief = stories.model_of(surprise).spec, surprise.believed
    states = [found.first]
    for step in found.steps:
        states.append(spec.action(step.action)(states[-1], **step.bound))
    if isinstance(belief, EachStep):
        pairs = enumerate(zip(states, states[1:], found.steps), 1)
        return [
            at
            for at, (before, after, step) in pairs
            if {name for name, _ in step.changed} & belief.watches
            and belief.broken(before, after) is not None
        ]
    return [at for at, s in enumerate(states) if belief.broken(s) is not None]


@EACH
def test_a_belief_is_broken_by_the_last_step_and_not_before(surprise: Surprise[State]) -> None:
    assert broken_after(surprise) == [len(surprise.path)]


@EACH
def test_there_is_no_shorter_way(surprise: Surprise[State]) -> None:
    result = check(stories.model_of(surprise))
    assert result.broken is not None, "the belief is true in its model: no surprise"
    assert result.broken.claim == surprise.name
    assert len(result.broken.steps) == len(surprise.path)


@EACH
def test_a_surprise_says_why_and_what_to_do(surprise: Surprise[State]) -> None:
    assert surprise.believed.cites, "no rule is cited"
    assert any(cite in surprise.because for cite in surprise.believed.cites), "which rule is it?"
    assert surprise.instead.endswith(".")
    told = stories.as_text(surprise)
    assert surprise.because in told
    assert all(step in told for step, _ in surprise.path)


def test_there_are_enough_of_them_and_none_is_claimed() -> None:
    assert len(SURPRISES) >= 15
    assert len({one.name for one in SURPRISES}) == len(SURPRISES)
    claimed = {claim.name for claim in (*ALWAYS, *EACH_STEP)}
    assert not claimed & {one.name for one in SURPRISES}


def test_the_command_lists_them_and_tells_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["surprises"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(SURPRISES)
    assert main(["surprises", "lost_is_final"]) == 0
    told = capsys.readouterr().out
    assert "TaskUpdate TASK_RUNNING f1/t1 REASON_AGENT_REREGISTERED → s1" in told
    assert main(["surprises", "lost_is_final", "--mermaid"]) == 0
    assert capsys.readouterr().out.startswith("sequenceDiagram\n    participant p0 as master 1")
    assert main(["surprises", "lost_is_final", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert [step["action"] for step in found["steps"]][-1] == "admit"
    assert main(["surprises", "lost_is_finale"]) == 5
    assert "did you mean lost_is_final" in capsys.readouterr().err
