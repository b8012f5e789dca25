"""What makes hunts cheap, and their results last: surveys of the clean code, and ledgers."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from mesos_chaos.__main__ import main
from mesos_chaos.mutants import Mutant, shipped_mutants
from mesos_chaos.mutants.hunter import Hunter
from mesos_chaos.mutants.ledger import Ledger
from mesos_chaos.mutants.survey import COUNTS, Seen, Survey, counting, edited_lines, read_survey
from mesos_chaos.mutants.tries import Try, surveyed, tries
from mesos_chaos.plan import Plan
from mesos_chaos.search.breaking import Catch, what_broke
from mesos_chaos.search.exhaustive import SMALL
from mesos_ref.master import tasks
from mesos_spec.tools.judging.trace import TraceError

MUTANTS = shipped_mutants()
#: A mutant of one line.
HERE = MUTANTS["kill_of_unknown_is_dropped"].model_copy(
    update={"module": tasks.__name__, "old": "    task.killed = True\n", "new": ""}
)
SOURCE = '''"""Text."""

from __future__ import annotations

def f(a, b):
    """Not counted apart."""
    if a:
        return 1
    elif b:
        x = 2
    for i in range(3):
        x = i
    return x
'''


SMALL_ONES = [Try("small", "command", 0), Try("small", "custom", 0)]


def test_statements_count_themselves() -> None:
    names: dict[str, object] = {}
    exec(compile(counting("toy", SOURCE), "toy.py", "exec"), names)
    f = names["f"]
    assert callable(f)
    assert (f(1, 0), f(0, 1)) == (1, 2)
    assert COUNTS.pop("toy") == {6: 2, 7: 2, 8: 1, 9: 1, 10: 1, 11: 1, 12: 3, 13: 1}


def test_a_mutant_is_where_its_statements_begin() -> None:
    [line] = edited_lines(HERE)
    source = Path(tasks.__file__).read_text().splitlines()
    assert source[line - 1] == HERE.old.strip("\n")


def seen(name: str, cpu_s: float, **lines: int) -> Seen:
    """A plan of a survey that reaches lines of a module."""
    [line] = edited_lines(HERE)
    at = {"here": f"{HERE.module}:{line}", "elsewhere": f"{HERE.module}:1"}
    return Seen(Try("brief", name, 0), cpu_s, {at[where]: n for where, n in lines.items()})


def test_plans_that_reach_a_mutant_often_and_cheaply_come_first() -> None:
    plans = [
        seen("never", 0.1, elsewhere=9),
        seen("dear", 9.0, here=4),
        seen("seldom", 0.1, here=1),
        seen("often", 0.1, here=4),
    ]
    found = Survey("", plans).reaching(HERE)
    assert [one.one.name for one in found] == ["often", "seldom", "dear"]


def test_scenarios_and_single_faults_take_turns_with_other_plans() -> None:
    tiny = [replace(seen("", 0.1, here=1), one=Try("single", "custom", n)) for n in range(3)]
    named = [replace(seen("", 0.1, here=1), one=Try("scenario", "old_news", n)) for n in range(2)]
    others = [seen(name, 0.1, here=1) for name in ("a", "b")]
    found = Survey("", others + tiny + named).reaching(HERE)
    assert [one.one.strategy for one in found] == 2 * ["brief", "scenario", "single"] + ["single"]


def test_ways_of_drawing_take_turns() -> None:
    ways = ("brief", "brief", "strangers", "losses", "losses")
    plans = [replace(seen("", 0.1, here=9 - n), one=Try(way, way, n)) for n, way in enumerate(ways)]
    found = Survey("", plans).reaching(HERE)
    assert [one.one.seed for one in found] == [0, 2, 3, 1, 4]


def test_each_plan_is_tried_once_and_those_of_the_corpus_only_as_hints() -> None:
    mutant = MUTANTS["kill_of_unknown_is_dropped"]
    first = [Try("corpus", "executor_is_free", 1), Try("brief", "brief", 10_000), *SMALL_ONES]
    hinted = list(tries(mutant, seeds=1, first=first))
    free = list(tries(mutant, hints=False, seeds=1, first=first))
    assert len(set(hinted)) == len(hinted)
    assert first[0] in hinted
    assert free[:3] == [*SMALL_ONES, first[1]]
    ways = {"small", "strangers", "losses", "brief", "scenario"}
    assert {one.strategy for one in free} == ways


def test_a_survey_is_kept_until_the_cores_change(tmp_path: Path) -> None:
    path = tmp_path / "survey.json"
    with Hunter() as hunter:
        assert hunter.survey(path, 3) == []
        before = path.stat().st_mtime_ns
        assert hunter.survey(path, 3) == []
    assert path.stat().st_mtime_ns == before
    made = read_survey(path)
    assert made is not None
    assert [one.one for one in made.seen] == surveyed(3)
    assert {one.one for one in made.reaching(MUTANTS["end_frees_nothing"])} >= {*SMALL_ONES}
    path.write_text(json.dumps({**json.loads(path.read_text()), "digest": "of other sources"}))
    assert read_survey(path) is None


def test_a_ledger_holds_for_the_mutant_to_the_letter(tmp_path: Path) -> None:
    path = tmp_path / "new" / "ledger.jsonl"
    mutant = MUTANTS["kill_of_unknown_is_dropped"]
    Ledger(path).add(mutant, {"id": mutant.id, "caught": True, "plan": "long"})
    Ledger(path).add(mutant, {"id": mutant.id, "caught": False})
    row = Ledger(path).row(mutant)
    assert row is not None
    assert (row["caught"], "plan" in row) == (False, False)
    assert Ledger(path).row(mutant.model_copy(update={"story": "Told in quite other words."}))
    assert Ledger(path).row(mutant.model_copy(update={"new": "other"})) is None
    assert Ledger(None).row(mutant) is None
    assert Ledger(path, 1.0).row(mutant) is None


def test_what_is_in_the_ledger_is_not_hunted_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "ledger.jsonl"
    mutant: Mutant = MUTANTS["end_frees_nothing"]
    Ledger(path, 60.0).add(mutant, {"id": mutant.id, "caught": False, "cpu_s": 1234.0})
    assert main(["mutants", "--only", mutant.id, "--into", str(path), "--json"]) == 1
    [row] = json.loads(capsys.readouterr().out)["mutants"]
    assert row["cpu_s"] == 1234.0


def test_what_is_no_record_breaks_the_run_and_not_the_harness(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def writes_null(plan: Plan, listener: object = None) -> None:
        raise TraceError("m1.1: not a record: Expected `str`, got `null`")

    monkeypatch.setattr("mesos_chaos.sim.run.simulate", writes_null)
    broken = what_broke(SMALL)
    assert broken is not None
    assert (broken.kind, broken.exit_code) == (Catch.GARBLED, 4)
    assert broken.says == "garbled: not a record: Expected `str`, got `null`"
