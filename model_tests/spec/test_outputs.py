"""What `mesos-spec check` writes for machines: SARIF, JUnit, GitHub, coverage, saved behaviours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from mesos_spec.__main__ import main
from mesos_spec.examples import die_hard, post_office, two_phase_commit
from mesos_spec.tools.report.coverage import coverage
from mesos_spec.tools.search.checker import check
from model_tests.spec.sarif_rules import faults

ROOT = Path(__file__).parents[2]
DIE_HARD = "mesos_spec.examples.die_hard:MODEL"
COMMIT = "mesos_spec.examples.two_phase_commit:MODEL"
POST = "mesos_spec.examples.post_office:MODEL"
SOURCE = "spec/mesos_spec/examples/die_hard.py"

#: A specification that fails in a state two steps away.
FAILS = '''
from mesos_spec.kernel import Cells, Model, Specification, action, always, require

class State(Cells):
    n: int = 0

@action(changes="n")
def up(s: State) -> None:
    """One more."""
    require(s.n < 3, "there are less than three")
    s.n += 1

@always()
def fine(s: State) -> bool:
    """It is."""
    return [True, True][s.n]

SPEC = Specification(name="fails", init=lambda b: State(), actions=(up,), always=(fine,))
MODEL = Model(name="fails", title="It fails.", spec=SPEC, bounds=None)
'''


def line_of(text: str, path: str = SOURCE) -> int:
    """The line of a file that begins with `text`."""
    lines = (ROOT / path).read_text().splitlines()
    return next(n for n, line in enumerate(lines, 1) if line.startswith(text))


@pytest.fixture
def fails(tmp_path: Path) -> str:
    """How a specification that fails is found."""
    path = tmp_path / "fails.py"
    path.write_text(FAILS)
    return f"{path}:MODEL"


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths are named from the repository's root, and no workflow is running."""
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)


# ---- SARIF ---------------------------------------------------------------------------------
@pytest.mark.usefixtures("here")
def test_sarif_shows_a_broken_property_at_its_line(tmp_path: Path, fails: str) -> None:
    file = tmp_path / "found.sarif"
    assert main(["check", DIE_HARD, fails, COMMIT, "--sarif", str(file)]) == 5
    log = json.loads(file.read_text())
    assert faults(log) == []
    assert (log["version"], len(log["runs"])) == ("2.1.0", 1)
    run = log["runs"][0]
    rules = run["tool"]["driver"]["rules"]
    broken, wrong = run["results"]
    assert broken["ruleId"] == rules[broken["ruleIndex"]]["id"] == "the_goal_is_not_reached"
    assert broken["level"] == "error"
    assert broken["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": SOURCE, "uriBaseId": "ROOT"},
        "region": {"startLine": line_of("def the_goal_is_not_reached")},
    }
    assert "after 6 steps" in broken["message"]["text"]
    assert "big: 5 → 4" in broken["message"]["text"]
    flow = broken["codeFlows"][0]["threadFlows"][0]["locations"]
    assert flow[0]["location"]["message"]["text"] == "fill_big()"
    first = flow[0]["location"]["physicalLocation"]["region"]["startLine"]
    assert first == line_of("def fill_big")
    assert wrong["ruleId"] == "the_specification_can_be_run"
    place = wrong["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == (tmp_path / "fails.py").as_uri()
    assert (
        place["region"]["startLine"] == FAILS.splitlines().index("    return [True, True][s.n]") + 1
    )
    assert run["invocations"] == [{"executionSuccessful": False}]
    assert len({rule["id"] for rule in rules}) == len(rules)
    assert "nobody_disagrees" in {rule["id"] for rule in rules}


@pytest.mark.usefixtures("here")
def test_what_is_not_finished_is_a_warning(tmp_path: Path) -> None:
    file = tmp_path / "found.sarif"
    assert main(["check", COMMIT, "--max-states", "50", "--sarif", str(file)]) == 2
    log = json.loads(file.read_text())
    assert faults(log) == []
    results = log["runs"][0]["results"]
    assert {(one["ruleId"], one["level"]) for one in results} == {
        ("all_commit", "warning"),
        ("the_search_is_finished", "warning"),
    }


def test_a_file_with_a_space_in_its_name_has_a_uri(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my specs").mkdir()
    (tmp_path / "my specs" / "fails 100%.py").write_text(FAILS)
    assert main(["check", "my specs/fails 100%.py:MODEL", "--sarif", "found.sarif"]) == 5
    log = json.loads(Path("found.sarif").read_text())
    assert faults(log) == []
    [found] = log["runs"][0]["results"]
    place = found["locations"][0]["physicalLocation"]["artifactLocation"]
    assert place == {"uri": "my%20specs/fails%20100%25.py", "uriBaseId": "ROOT"}


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("version", "2.0.0", "another version"),
        ("runs/0/columnKind", "bytes", "none of"),
        ("runs/0/tool/driver", {}, "lacks name"),
        ("runs/0/results/0/ruleIndex", 0, "rule 0 is not"),
        ("runs/0/results/0/ruleIndex", "0", "no int"),
        ("runs/0/results/0/level", "fatal", "none of"),
        ("runs/0/results/0/line", 1, "no property of a result"),
        ("runs/0/results/0/codeFlows/0/threadFlows", [], "is empty"),
        ("runs/0/results/0/locations/0/physicalLocation/region/startLine", 0, "begin with 1"),
        ("runs/0/originalUriBaseIds", {}, "nobody says where ROOT is"),
    ],
)
@pytest.mark.usefixtures("here")
def test_a_log_that_breaks_the_standard_is_told(
    tmp_path: Path, path: str, value: object, says: str
) -> None:
    file = tmp_path / "found.sarif"
    main(["check", COMMIT, DIE_HARD, "--sarif", str(file)])
    log = json.loads(file.read_text())
    *inner, last = path.split("/")
    at = log
    for name in inner:
        at = at[int(name) if name.isdigit() else name]
    at[last] = value
    assert any(says in fault for fault in faults(log)), faults(log)


# ---- JUnit ---------------------------------------------------------------------------------
@pytest.mark.usefixtures("here")
def test_junit_has_a_case_for_each_property(tmp_path: Path, fails: str) -> None:
    file = tmp_path / "junit.xml"
    assert main(["check", DIE_HARD, COMMIT, fails, "--junit", str(file)]) == 5
    root = ElementTree.parse(file).getroot()
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("8", "1", "1")
    goal, search = root.findall("testsuite[@name='die_hard']/testcase")
    assert goal.get("name") == "the_goal_is_not_reached"
    failure = goal.find("failure")
    assert failure is not None
    assert "6  big_to_small()" in (failure.text or "")
    assert search.find("error") is None
    names = [one.get("name") for one in root.findall("testsuite[@name='two_phase_commit']/*")]
    assert names == ["nobody_disagrees", "all_commit", "the_search_is_finished"]
    error = root.find("testsuite[@name='fails']/testcase/error")
    assert error is not None
    assert "IndexError" in error.get("message", "")


@pytest.mark.usefixtures("here")
def test_a_search_that_was_stopped_skips_what_it_does_not_know(tmp_path: Path) -> None:
    file = tmp_path / "junit.xml"
    assert main(["check", COMMIT, "--max-states", "50", "--junit", str(file)]) == 2
    suite = ElementTree.parse(file).getroot()[0]
    assert (suite.get("skipped"), suite.get("errors"), suite.get("failures")) == ("2", "1", "0")


# ---- GitHub --------------------------------------------------------------------------------
@pytest.mark.usefixtures("here")
def test_github_is_told_when_it_runs_the_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", DIE_HARD]) == 1
    assert "::error" not in capsys.readouterr().out
    page = tmp_path / "summary.md"
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(page))
    assert main(["check", DIE_HARD]) == 1
    [line] = [x for x in capsys.readouterr().out.splitlines() if x.startswith("::")]
    at = line_of("def the_goal_is_not_reached")
    head = f"::error file={SOURCE},line={at},title=die_hard%3A the_goal_is_not_reached::"
    assert line.startswith(head)
    assert "%0A   1  fill_big()%0A" in line
    assert "| die_hard | 14 | 38 | 6 | 0 |" in page.read_text()
    assert main(["check", DIE_HARD, "--json"]) == 1
    captured = capsys.readouterr()
    assert json.loads(captured.out)["exit_code"] == 1
    assert captured.err.startswith("::error")


# ---- coverage ------------------------------------------------------------------------------
@pytest.mark.usefixtures("here")
def test_coverage_names_what_was_never_reached(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", COMMIT, POST, "--coverage"]) == 0
    said = capsys.readouterr().out
    assert "never refused:  sell: there are stamps left" in said
    assert "10 of 10 actions were taken" in said
    assert "in no model" not in said
    assert main(["check", "offers", "--coverage"]) == 0
    said = capsys.readouterr().out
    assert "in no model:    register\n" in said
    assert "in no model:    accept\n" not in said


@pytest.mark.usefixtures("here")
def test_coverage_for_machines_counts_as_the_search_did(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["check", COMMIT, POST, "--coverage", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["coverage"]
    result = check(two_phase_commit.MODEL)
    for name, action in told["models"]["two_phase_commit"]["actions"].items():
        assert action["taken"] == result.taken[name] > 0
        for guard in action["guards"]:
            assert guard["held"] == result.guards[name, guard["says"], True]
            assert guard["refused"] == result.guards[name, guard["says"], False]
    assert set(told["all"]["actions"]) == {
        *told["models"]["two_phase_commit"]["actions"],
        *told["models"]["post_office"]["actions"],
    }


def test_a_guard_that_is_never_asked_is_never_answered() -> None:
    """An action that nothing leads to shows all its guards, as they are written."""
    found = coverage([check(post_office.MODEL, max_states=1)])
    assert found.never_taken == ["sell", "get"]
    assert ("get", "the message is in flight", "held") in found.never
    assert ("get", "the message is in flight", "refused") in found.never
    assert ("ask", "the customer wants another", "held") not in found.never


# ---- files ---------------------------------------------------------------------------------
@pytest.mark.usefixtures("here")
def test_what_is_saved_can_be_done_again(
    tmp_path: Path, fails: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "found"
    assert main(["check", DIE_HARD, POST, fails, "offers", "--save", str(folder)]) == 5
    assert f"written: {folder}/die_hard.the_goal_is_not_reached.ndjson" in capsys.readouterr().out
    files = sorted(str(path) for path in folder.iterdir())
    assert len(files) > 3
    assert main(["replay", *files]) == 0
    said = capsys.readouterr().out
    assert said.count("done again") == len(files)
    assert "fails, 2 steps, done again: " in said
    assert main(["check", DIE_HARD, "--save", f"{files[0]}/x"]) == 5
    assert die_hard.MODEL.name in files[0]


def test_json_tells_of_each_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", COMMIT, "--json"]) == 0
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    [model] = document["models"]
    assert (model["states"], model["steps"], model["depth"]) == (288, 1145, 10)
    assert model["properties"] == ["nobody_disagrees"]
