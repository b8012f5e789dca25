"""What a judged run exercised: counted by a listener, which changes nothing of the judging."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from mesos_chaos.plan import load_scenario
from mesos_chaos.sim.run import simulate
from mesos_chaos.sim.traces import written_by
from mesos_spec.__main__ import main
from mesos_spec.bounds import Bounds
from mesos_spec.mesos import ACTIONS
from mesos_spec.tools.judging.judge import Judge, judge
from mesos_spec.tools.judging.overheard import Overheard, listen
from mesos_spec.tools.judging.trace import read_traces
from mesos_spec.tools.judging.vacuity import VACUOUS, marked
from mesos_spec.tools.judging.whole import WHOLE


# --- answers that say nothing ------------------------------------------------------------------
def early(xs: list[int]) -> bool:
    if not xs:
        return True
    return xs[0] > 0


def premise(xs: list[int]) -> bool:
    return not xs or (xs[0] > 0 and len(xs) < 3)


def nested(xs: list[int]) -> bool:
    return not xs or all(x > 0 for x in xs if x != 7)


def every(xs: list[int]) -> bool:
    return all(x > 0 for x in xs)


def none(xs: list[int]) -> bool:
    return not any(x < 1 for x in xs)


def loop(xs: list[int]) -> bool:
    for x in xs:
        if x == 7:
            continue
        if x < 1:
            return False
    return True


def plain(xs: list[int]) -> bool:
    return sum(xs) >= 0 or len(xs) > 9


@pytest.mark.parametrize("holds", [early, premise, nested, every, none, loop])
def test_an_answer_from_a_premise_is_vacuous(holds: Callable[..., bool]) -> None:
    assert marked(holds)([]) is VACUOUS
    assert marked(holds)([1, 2]) is True
    assert marked(holds)([-1]) is False
    assert bool(VACUOUS) is holds([])


@pytest.mark.parametrize("holds", [nested, loop])
def test_what_is_passed_over_was_not_looked_at(holds: Callable[..., bool]) -> None:
    assert marked(holds)([7]) is VACUOUS
    assert marked(holds)([7, 1]) is True


def test_what_does_not_look_like_a_premise_counts() -> None:
    assert marked(plain)([]) is True
    inside = [0]

    def closed(xs: list[int]) -> bool:
        if not inside[0] and not xs:
            return True
        return bool(xs)

    assert marked(closed) is closed  # it sees more than its module


@pytest.mark.parametrize("prop", [*WHOLE.always, *WHOLE.each_step], ids=lambda p: p.name)
def test_every_property_can_be_marked(prop: Any) -> None:
    assert marked(prop.holds) is not prop.holds


# --- listening ---------------------------------------------------------------------------------
SCENARIO = "agent_killed"


@cache
def _lines() -> dict[str, bytes]:
    return written_by(load_scenario(SCENARIO)[1])


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A folder with the traces of a run."""
    for name, data in _lines().items():
        (tmp_path / f"{name}.ndjson").write_bytes(data)
    return tmp_path


def _watched(watch: Callable[[Judge], object]) -> Any:
    return simulate(load_scenario(SCENARIO)[1], watch=watch)[0]


def test_a_listener_changes_nothing(run: Path) -> None:
    alone = judge(read_traces([run]), WHOLE, Bounds())
    heard: list[Overheard] = []
    assert _watched(lambda one: heard.append(listen(one))).verdict.taken == alone.taken
    assert heard[0].taken.items() >= alone.taken.items()
    assert heard[0].taken["crash_agent"] > 0  # which no process claims
    assert heard[0].taken["executor_hears"] > 0  # nor this, and no process writes it down
    assert {ACTIONS[name].by for name in heard[0].taken - alone.taken} == {"environment"}


def test_a_marked_property_answers_as_it_did() -> None:
    asked = []

    def both(one: Judge) -> None:
        for claim in one._asking._claims:
            claim.holds = compared(claim.holds)

    def compared(holds: Callable[..., bool]) -> Callable[..., bool]:
        again = marked(holds)

        def answer(*about: Any) -> bool:
            asked.append(bool(again(*about)))
            assert asked[-1] is bool(holds(*about))
            return asked[-1]

        return answer

    assert _watched(both).exit_code == 0
    assert len(asked) > 1000


def test_a_broken_property_is_told_through_a_listener() -> None:
    """And one that is asked counts, whatever it answers."""
    one = Judge(WHOLE, Bounds())
    before = one._asking.broken_anywhere(one.s)
    for claim in one._asking._claims:
        if claim.prop.name == "nothing_is_sent_to_nobody":
            claim.holds = never
    overheard = listen(one)
    assert before is None
    assert "nothing_is_sent_to_nobody() is broken" in str(one._asking.broken_anywhere(one.s))
    assert overheard.tested["nothing_is_sent_to_nobody"] == 1


#: What is promised to who calls on a line: of a call that its master heard in its own reign.
PROMISES = (
    *("an_answer_ends_its_offers", "what_is_declined_is_refused", "good_offers_are_honoured"),
    *("an_acknowledgement_is_passed_on", "offers_are_used_as_one", "what_is_not_used_is_refused"),
)


def test_promises_to_schedulers_are_put_to_the_test() -> None:
    """A line of a scheduler with a trace is of the reign it turned to, or all of these are of
    nobody."""
    heard: list[Overheard] = []
    _watched(lambda one: heard.append(listen(one)))
    assert [name for name in PROMISES if not heard[0].tested[name]] == []


def never(s: object) -> bool:
    return s is None


# --- the command -------------------------------------------------------------------------------
def test_the_command_lists_what_was_never_reached(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["trace", str(run)]) == 0
    without = capsys.readouterr().out
    assert main(["trace", str(run), "--coverage"]) == 0
    said = capsys.readouterr().out
    assert said.startswith(without)
    first, *rest = said[len(without) :].splitlines()
    assert first.startswith("coverage: ")
    assert f" of {len(ACTIONS)} actions were taken" in first
    listed = " ".join(rest)
    assert "tear_down_by_operator" in listed
    assert "hear_offers" not in listed
    assert "guards that never refused" not in listed


def test_the_blind_judge_hears_guards_refuse(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", str(run), "--coverage", "--blind", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["coverage"]
    guards = found["actions"]["accept"]["guards"]
    assert found["actions"]["accept"]["taken"] > 0
    assert any(guard["held"] and guard["refused"] for guard in guards)
    assert {"action": "accept", "guard": guards[0]["says"], "answer": "held"} not in found["never"]
    counts = found["properties"]
    assert set(found["never_asked"]) == {name for name, n in counts.items() if not n["asked"]}
    assert set(found["never_asked"]) < set(found["never_tested"])
    assert counts["nothing_is_promised_twice"]["tested"] > 0


def test_of_claims_that_hold_no_guard_refuses(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["trace", str(run), "--coverage", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["coverage"]
    asked = [guard for one in found["actions"].values() for guard in one["guards"]]
    assert sum(guard["held"] for guard in asked) > 1000
    assert sum(guard["refused"] for guard in asked) == 0
