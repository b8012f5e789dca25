"""Counterexamples in files: written, done again, asked, walked on from, shown in every way."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from mesos_spec.__main__ import main
from mesos_spec.examples import die_hard, post_office, two_phase_commit
from mesos_spec.examples.post_office import Post, ask, customers
from mesos_spec.kernel import Model, action, always, eventually, require
from mesos_spec.tools.report.behaviours import as_ndjson, read_behaviour, witness
from mesos_spec.tools.report.replay import Differs, judged, replay
from mesos_spec.tools.search.checker import Counterexample, Taken, check
from model_tests.trace import schema

HERE = Path(__file__).parent
SCHEMA = HERE.parents[1] / "docs" / "reference" / "behaviour.schema.json"
GOLDEN = HERE / "goldens" / "die_hard.the_goal_is_not_reached.ndjson"
DIE_HARD = "mesos_spec.examples.die_hard:MODEL"


@action(changes="got", customer=customers)
def steal(s: Post, customer: str) -> None:
    """A stamp out of nowhere."""
    require(s.sold == 1, "one is sold")
    s.got[customer] += 2


@action(changes="got", customer=customers)
def stumble(s: Post, customer: str) -> None:
    """A body that fails."""
    require(s.sold == 1, "one is sold")
    s.got[customer] = [0, 1][5]


@always()
def less_is_sold(s: Post) -> bool:
    """It cannot be said of every state."""
    return [True, True][s.sold]


def post(*more: Any, without: str = "", **parts: Any) -> Model[Post]:
    """The post office with some things changed."""
    spec = post_office.SPEC
    actions = (*(a for a in spec.actions if a.name != without), *more)
    return replace(post_office.MODEL, spec=replace(spec, actions=actions, **parts))


#: What can be broken, each in its own way.
BROKEN: dict[str, Model[Any]] = {
    "always": die_hard.MODEL,
    "always, with names": post(steal),
    "a message nobody takes": post(without="get", sometimes=()),
    "nothing is possible": replace(post(without="get", channels=(), sometimes=())),
    "a body that fails": post(stumble),
    "a property that raises": post(always=(less_is_sold,)),
}


@pytest.mark.parametrize("model", BROKEN.values(), ids=list(BROKEN))
def test_what_is_broken_is_written_and_done_again(model: Model[Any], tmp_path: Path) -> None:
    broken = check(model).broken
    assert broken is not None
    path = tmp_path / "x.ndjson"
    path.write_text(as_ndjson("unused", model.name, broken))
    written = read_behaviour(path)
    done = replay(model, written)
    assert done.steps == broken.steps
    assert judged(model, written, done)


def test_a_mended_model_is_no_longer_broken(tmp_path: Path) -> None:
    """Each kind of file tells its own difference."""
    path = tmp_path / "x.ndjson"
    told = {}
    for name, model, now in (
        ("claim", BROKEN["always"], replace(die_hard.MODEL, spec=_harmless())),
        ("letter", BROKEN["a message nobody takes"], post()),
        ("end", BROKEN["nothing is possible"], post()),
        ("body", BROKEN["a body that fails"], post()),
        ("action", post(steal), post()),
    ):
        broken = check(model).broken
        assert broken is not None
        path.write_text(as_ndjson("unused", model.name, broken))
        written = read_behaviour(path)
        with pytest.raises(Differs) as differs:
            judged(now, written, replay(now, written))
        told[name] = str(differs.value)
    assert "the_goal_is_not_reached no longer is broken at its end" in told["claim"]
    assert "every_head_is_consumed no longer is broken" in told["letter"]
    assert "something_is_possible no longer is broken" in told["end"]
    assert "nothing fails any more (stumble)" in told["body"]
    assert told["action"].startswith("step 3: post has no action steal")


def _harmless() -> Any:
    @always()
    def the_goal_is_not_reached(s: die_hard.State) -> bool:
        """True."""
        return s.big != 9

    return replace(die_hard.SPEC, always=(the_goal_is_not_reached,))


def test_a_witness_is_done_again(tmp_path: Path) -> None:
    result = check(two_phase_commit.MODEL)
    path = tmp_path / "x.ndjson"
    path.write_text(witness("m", "n", "all_commit", result.witnesses["all_commit"]))
    written = read_behaviour(path)
    done = replay(two_phase_commit.MODEL, written)
    assert judged(two_phase_commit.MODEL, written, done) == "all_commit is satisfied at its end"
    shorter = replace(written, records=written.records[:-1])
    with pytest.raises(Differs, match="no longer is satisfied"):
        judged(two_phase_commit.MODEL, shorter, replay(two_phase_commit.MODEL, shorter))


# ---- lassos --------------------------------------------------------------------------------
@dataclass(frozen=True)
class Lasso(Counterexample[die_hard.State]):
    """A behaviour that goes on for ever."""

    cycle: tuple[Taken, ...]


def lasso(claim: str, big: int) -> tuple[Model[Any], Lasso]:
    """The big jug is filled and emptied for ever; the claim is that it holds `big` at last."""
    fair: dict[str, Any] = {"fair": ""}

    @eventually(**fair)
    def it_is_reached(s: die_hard.State) -> bool:
        """At last."""
        return s.big == big

    spec = replace(die_hard.SPEC, always=(), eventually=(it_is_reached,))
    fill = Taken("fill_big", {}, {("big", None): (0, 5)})
    empty = Taken("empty_big", {}, {("big", None): (5, 0)})
    first = die_hard.SPEC.start(4)
    found = Lasso(first, (fill,), claim, {}, f"{claim} is never kept", cycle=(empty, fill))
    return replace(die_hard.MODEL, spec=spec), found


def test_a_lasso_is_written_with_its_loop_and_goes_round_again(tmp_path: Path) -> None:
    model, found = lasso("it_is_reached", 4)
    path = tmp_path / "x.ndjson"
    path.write_text(as_ndjson("m", "die_hard", found))
    written = read_behaviour(path)
    assert (written.header.loop, len(written.steps)) == (1, 3)
    done = replay(model, written)
    assert judged(model, written, done) == "it can go on like that for ever, without it_is_reached"
    kept, _ = lasso("it_is_reached", 5)
    with pytest.raises(Differs, match="it_is_reached is kept on its way"):
        judged(kept, written, replay(kept, written))
    path.write_text(path.read_text().replace('"loop":1', '"loop":0'))
    with pytest.raises(Differs, match="does not lead back to the state after 0"):
        replay(model, read_behaviour(path))


@pytest.mark.parametrize(
    ("line", "old", "new", "says"),
    [
        (1, '"small":0', '"small":1', "the model begins otherwise: small is 0, and the file says"),
        (2, "fill_big", "fill_bag", "step 1: die_hard has no action fill_bag"),
        (2, "fill_big", "empty_big", "DOES NOT  there is water in the big jug"),
        (2, "{}]]", '{"jug":1}]]', "step 1: fill_big cannot be done with jug=1 here"),
        (3, '"big":2', '"big":3', "step 2: big_to_small() changes something else: big is 2"),
        (4, '"small":null', '"small":null,"big":9', "step 3: empty_small() changes something"),
    ],
)
def test_a_file_that_was_tampered_with_is_told(
    line: int, old: str, new: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = GOLDEN.read_text().splitlines()
    assert old in lines[line]
    lines[line] = lines[line].replace(old, new)
    path = tmp_path / "x.ndjson"
    path.write_text("\n".join(lines) + "\n")
    assert main(["replay", str(path)]) == 4
    assert says in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "cut short"),
        ('{"trace":"mesos-spec"}\n{}\n', ":1: "),
        ('{"trace":"mesos-ref","version":1,"role":"model","node":"n","model":"m"}\n{}\n', ":1: "),
        ('{"trace":"mesos-spec","version":2,"role":"model","node":"n","model":"m"}\n{}\n', "`vers"),
        ('{"trace":"mesos-spec","version":1,"role":"model","node":"n","model":"m"}\n{}\n', ":2: "),
        (
            '{"trace":"mesos-spec","version":1,"role":"model","node":"n","model":"m"}\n'
            '{"seq":0,"whole":{}}\n{"seq":2}\n',
            ":3: `seq` is 2, where 1 follows",
        ),
        (
            '{"trace":"mesos-spec","version":1,"role":"model","node":"n","model":"m"}\n'
            '{"seq":0,"whole":{}}\n{"seq":1}\n',
            ":3: a step has one action",
        ),
        (
            '{"trace":"mesos-spec","version":1,"role":"model","node":"n","model":"m","loop":1}\n'
            '{"seq":0,"whole":{}}\n',
            "`loop` is 1",
        ),
        (
            '{"trace":"mesos-spec","version":1,"role":"model","node":"n","model":"none"}\n'
            '{"seq":0,"whole":{}}\n',
            "no model is called 'none'",
        ),
    ],
)
def test_what_is_no_behaviour_is_refused_with_its_line(
    text: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.ndjson"
    path.write_text(text)
    assert main(["replay", str(path)]) == 5
    assert says in capsys.readouterr().err


def test_the_golden_file_is_what_is_written_and_fits_the_schema() -> None:
    broken = check(die_hard.MODEL).broken
    assert broken is not None
    assert GOLDEN.read_text() == as_ndjson(DIE_HARD, "die_hard", broken)
    found = json.loads(SCHEMA.read_text())
    good = [json.loads(line) for line in GOLDEN.read_text().splitlines()]
    letters = check(BROKEN["a message nobody takes"]).broken
    assert letters is not None
    good += map(json.loads, as_ndjson("m", "post", letters).splitlines())
    for line in good:
        assert list(schema.faults(line, found, found)) == []
    for bad in ({"seq": 1}, {**good[0], "version": 2}, {"seq": -1, "did": [], "whole": {}}):
        assert list(schema.faults(bad, found, found)) != []


# ---- the commands --------------------------------------------------------------------------
def test_why_shows_each_guard_with_what_it_read(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["why", f"{GOLDEN}:4"]) == 0
    assert capsys.readouterr().out == (
        "die_hard, step 4 of 6 (the_goal_is_not_reached does not hold)\n"
        "big_to_small() can happen\n"
        "    holds     there is water in the big jug   big = 2\n"
        "    holds     there is room in the small jug  small = 0\n"
        "    changes   big: 2 → 0\n"
        "    changes   small: 0 → 2\n"
    )
    assert main(["why", f"{GOLDEN}:4", "empty_small"]) == 0
    assert "DOES NOT  there is water in the small jug  small = 0" in capsys.readouterr().out
    assert main(["why", f"{GOLDEN}:7"]) == 0
    assert "-  fill_small: not: the small jug is not full" in capsys.readouterr().out
    assert main(["why", f"{GOLDEN}:8"]) == 5
    assert "has the steps 1 to 6, and 7 for its end" in capsys.readouterr().err
    assert main(["why", f"{GOLDEN}:4", "emty_small"]) == 5
    assert "did you mean empty_small" in capsys.readouterr().err


def test_names_can_be_given(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "post.ndjson"
    way = check(post_office.MODEL).witnesses["somebody_has_two"]
    path.write_text(witness("mesos_spec.examples.post_office:MODEL", "post", "s", way))
    assert main(["why", f"{path}:3", "sell", "customer=b"]) == 0
    said = capsys.readouterr().out
    assert "sell(customer=b) cannot happen" in said
    assert "DOES NOT  the next message is Ask  queue[b] = ⟨⟩" in said
    for words, says in (("customer=c", "it ranges over a, b"), ("agent=a", "it has customer")):
        assert main(["why", f"{path}:3", "sell", words]) == 5
        assert says in capsys.readouterr().err


def test_a_walk_goes_on_from_a_loaded_state(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = tmp_path / "walk.ndjson"
    commands = f"state\n2\nundo\n1\nsave {saved}\nload {GOLDEN}:2\npath\nload {GOLDEN}:9\n"
    monkeypatch.setattr("sys.stdin", io.StringIO(commands + "load none\nwhy fill_big x\n"))
    assert main(["step", f"{GOLDEN}:3"]) == 0
    said = capsys.readouterr().out
    assert "  big = 2\n" in said
    assert "took  fill_big()" in said
    assert "undid fill_big()" in said
    assert f"4 steps are in {saved}" in said
    assert "   1  fill_big()\n   2  big_to_small()\n" in said
    assert "has the states 0 to 6" in said
    assert "none: cannot be read" in said
    assert "'x' names nothing" in said
    assert main(["replay", str(saved)]) == 0
    assert "4 steps, done again: it is a behaviour of the model" in capsys.readouterr().out


def test_one_can_stand_before_a_record_of_a_trace(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    trace = tmp_path / "master.ndjson"
    golden = HERE.parent / "trace" / "goldens" / "master.ndjson"
    trace.write_text("\n".join(golden.read_text().splitlines()[:3]) + "\n")
    commands = "state reign\nstate nope\nwhy admit\nwhy admit x=1\nwhy nope\nwhat\nnext\n"
    monkeypatch.setattr("sys.stdin", io.StringIO(commands))
    assert main(["step", f"{trace}:3"]) == 0
    said = capsys.readouterr().out
    assert "record 1 of master master-1" in said
    assert "  reign[1] = <Reign.LEADING: 'leading'>\n" in said
    assert "there is no field nope" in said
    assert "admit(epoch=1, link=a1/link-1) can happen here" in said
    assert "admit has no name 'x'; it has epoch, link" in said
    assert "the specification has no action nope" in said
    assert "next, why ACTION" in said
    assert "it is a step of the specification\nthat was the last record of the file\n" in said
    assert main(["step", f"{trace}:9"]) == 5
    assert "records are in lines 2 to 3" in capsys.readouterr().err


def test_a_behaviour_is_shown_in_four_ways(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", str(GOLDEN)]) == 0
    assert "   6  big_to_small()\n          big: 5 → 4\n" in capsys.readouterr().out
    assert main(["show", str(GOLDEN), "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["steps"]) == 6
    assert main(["show", str(GOLDEN), "--mermaid"]) == 0
    assert "Note over p0: fill_big()" in capsys.readouterr().out
    assert main(["show", str(GOLDEN), "--itf"]) == 0
    itf = json.loads(capsys.readouterr().out)
    assert [state["big"]["#bigint"] for state in itf["states"]] == list("0522054")
    assert main(["show", str(GOLDEN), str(GOLDEN)]) == 5


def test_arrows_end_at_who_hears(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "post.ndjson"
    way = check(post_office.MODEL).witnesses["somebody_has_two"]
    path.write_text(witness("mesos_spec.examples.post_office:MODEL", "post", "s", way))
    assert main(["show", str(path), "--mermaid"]) == 0
    said = capsys.readouterr().out
    assert "participant p0 as a\n    participant p1 as office\n" in said
    assert said.count("p0->>p1: Ask()") == 2
    assert "p1->>p0: Stamp(value=1)" in said
    assert "queue" not in said
    assert ask.by == "customer"
