"""The documentation tells the truth: what is generated is fresh, and what is promised is run.

In README, the second tutorial and the pages that that test lists a box fenced as `shellsession`
is typed as it stands, in one folder, and prints what stands under each command; `…` is whatever it
is this time, and a line of nothing else is any number of lines.  `background` boxes are started and
left running; one without a command goes on with what the last of them prints.  A box whose fence
names a file is that file.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

import pytest

import benchmarks.__main__ as benchmarks
from docs import generate
from docs.pages import chaos, coverage, diagrams, hunted, measured, reading, requirements
from docs.pages.reading import concrete
from docs.pages.specification import KINDS, ROADS, claims
from mesos_chaos.__main__ import parser as chaos_parser
from mesos_chaos.mutants import shipped_mutants
from mesos_spec.framework import CLAUSES
from mesos_spec.kernel import Always, EachStep, Eventually
from mesos_spec.mesos import ACTIONS, SUBJECTS
from mesos_spec.models import MODELS
from mesos_spec.tools.mutating.clauses import hunt_clauses
from mesos_spec.tools.mutating.hunt import claimed
from mesos_spec.tools.mutating.sites import sites
from mesos_spec.tools.mutating.weakening import weakened

ROOT = Path(__file__).parent.parent
PAGES = sorted((ROOT / "docs").rglob("*.md"))


# --- what is generated -------------------------------------------------------------------------


@pytest.mark.parametrize("path", generate.PAGES)
def test_generated_pages_are_fresh(path: str) -> None:
    assert (ROOT / path).read_text() == generate.PAGES[path](), "stale: run `make docs`"


def test_state_diagrams_have_the_arrows_of_small_models() -> None:
    drawn = (ROOT / "docs/reference/state-diagrams.md").read_text()
    found = diagrams.seen_in(diagrams.REDRAWN)
    arrows = {f"{old} --> {new}: " for theirs in found.values() for old, new in theirs}
    assert len(arrows) >= 20
    assert not {arrow for arrow in arrows if arrow not in drawn}, "run `make docs`"


@pytest.mark.nightly
@pytest.mark.parametrize("path", generate.SEARCHED)
def test_pages_that_are_searched_for_are_fresh(path: str) -> None:
    assert (ROOT / path).read_text() == generate.SEARCHED[path](), "stale: run `make docs`"


def test_a_stale_page_is_found_and_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(generate, "ROOT", tmp_path)
    monkeypatch.setattr(generate, "PAGES", {"page.md": lambda: "new\n"})
    (tmp_path / "page.md").write_text("old\n")
    assert generate.main(["--check"]) == 1
    assert (tmp_path / "page.md").read_text() == "old\n"
    assert generate.main([]) == 0
    assert (tmp_path / "page.md").read_text() == "new\n"
    assert generate.main(["--check"]) == 0
    assert capsys.readouterr().out == "stale: page.md\nwritten: page.md\n"


def test_every_key_of_a_plan_is_explained() -> None:
    tables = {name for _, kind in chaos.TABLES for name in kind.model_fields}
    assert tables - {"cluster", "workload", "fault", "expect"} == chaos.MEANING.keys()


def test_guards_and_messages_are_read_off_the_actions() -> None:
    accept = ACTIONS["accept"]
    assert reading.guards(accept)[:2] == [
        "the next message is Accept",
        "the call launches something",
    ]
    assert {kind.__name__ for kind in reading.sends(accept)} == {"RunTask", "TaskUpdate"}
    assert [kind.__name__ for kind in reading.hears(ACTIONS["decline"])] == ["Accept", "Decline"]
    without = _without_guards()
    assert [name for name, one in ACTIONS.items() if not reading.guards(one)] == [
        name for name in ACTIONS if "### " + name in without
    ]


def _without_guards() -> str:
    """The sections of the actions page that list no guard."""
    sections = re.split(r"^(?=### )", generate.PAGES["docs/reference/actions.md"](), flags=re.M)
    return "".join(part for part in sections if not re.search(r"^1\. ", part, re.M))


# --- requirements ------------------------------------------------------------------------------


def listed() -> set[str]:
    """The ids that have a row, or are said to be out."""
    return {rule.id for family in requirements.catalogue().values() for rule in family}


def test_every_requirement_that_anybody_cites_is_in_the_table() -> None:
    cited = {id for one in ACTIONS.values() for id in one.cites}
    cited |= {id for kind, _ in KINDS.values() for one in claims(kind) for id in one.cites}
    cited |= {id for one in shipped_mutants().values() for id in requirements.ids_in(one.breaks)}
    assert cited - listed() == set()


def test_every_requirement_that_a_test_names_is_in_the_table() -> None:
    """Those of families that the table has: others are of other documents."""
    families = {id.rstrip("0123456789") for id in listed()}
    named = {id for id in requirements.mentioned() if id.rstrip("0123456789") in families}
    assert named - listed() == set()


def test_each_requirement_is_listed_once() -> None:
    ids = [rule.id for family in requirements.catalogue().values() for rule in family]
    assert len(ids) == len(set(ids))


def test_every_requirement_has_a_clause_or_a_reason() -> None:
    rules = [r.id for family in requirements.catalogue().values() for r in family if not r.is_out]
    found = {id: requirements.where(id) for id in rules}
    said = {id for id, at in found.items() if at.is_said}
    assert set(rules) - said <= requirements.reasons().keys() <= set(rules)


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("OFR-9, 12…14: all", ["OFR-9", "OFR-12", "OFR-13", "OFR-14"]),
        ("(ALC-15 to ALC-17).", ["ALC-15", "ALC-16", "ALC-17"]),
        ("S8; S19, MESOS-1418 and R1.", ["S8", "S19", "R1"]),
        ("REC-2 (no answer), REC-10.", ["REC-2", "REC-10"]),
        ("version 1.12.0, UTF-8.5, F16x", []),
    ],
)
def test_ids_are_found_in_prose(text: str, ids: list[str]) -> None:
    assert [id for id in requirements.ids_in(text) if not id.startswith(("UTF", "MESOS"))] == ids


# --- links -------------------------------------------------------------------------------------


def anchors(page: Path) -> set[str]:
    """What a link into a page may name: its headings, as GitHub spells them, and its anchors."""
    text = page.read_text()
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    spelled = {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}
    return spelled | set(re.findall(r'<a id="([^"]+)">', text))


@pytest.mark.parametrize("page", [ROOT / "README.md", *PAGES], ids=lambda page: page.name)
def test_links_lead_to_what_they_name(page: Path) -> None:
    """That their files exist is tested with the house; here, that the place in the file does."""
    wrong = []
    for target, place in re.findall(r"\]\((?!https?:)([^)#\s]*)#([^)\s]+)\)", page.read_text()):
        there = page.parent / target if target else page
        if there.suffix == ".md" and place not in anchors(there):
            wrong.append(f"{target}#{place}")
    assert wrong == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_page_can_be_found(page: Path) -> None:
    """From the index, or from a page that another links to."""
    others = [path for path in [ROOT / "README.md", *PAGES] if path != page]
    links = {
        (path.parent / link).resolve()
        for path in others
        for link in re.findall(r"\]\((?!https?:)([^)#\s]+)", path.read_text())
    }
    assert page.name == "index.md" or page in links


# --- the guide to the specification -------------------------------------------------------------
GUIDE = (ROOT / "spec" / "README.md").read_text()
PARTY = {"up": "master", "down": "agent", "calls": "master", "events": "scheduler"}


def test_the_guide_says_of_each_message_which_action_hears_it() -> None:
    """Each message of each channel stands in it, with exactly the actions that take it."""
    for channel, hearer in PARTY.items():
        [row] = re.findall(rf"\(`{channel}`\) \| (.*) \|", GUIDE)
        said: dict[str, set[str]] = {}
        for part in row.split(" · "):
            named, _, heard_by = part.partition(" → ")
            names, actions = named.split(", "), re.findall(r"`(\w+)`", heard_by)
            apart = len(names) == len(actions)  # one for each
            said |= {n: {a} if apart else {*actions} for n, a in zip(names, actions)}
            said |= {n: {*actions} for n in names if not apart}
        really: dict[str, set[str]] = {}
        for name, one in ACTIONS.items():
            for kind in reading.hears(one) if one.by == hearer else ():
                really.setdefault(kind.__name__, set()).add(name)
        rest = said.pop("anything else", set())
        [union] = [road[2] for road in ROADS if road[1] == channel]
        kinds = {kind.__name__ for kind in concrete(union)}
        assert kinds & really.keys() <= said.keys() <= kinds
        assert said == {name: really[name] - rest for name in said}


def test_the_guide_names_a_claim_for_each_s_and_l_or_says_that_it_is_out() -> None:
    cites = {one.name: one.cites for kind in (Always, EachStep, Eventually) for one in claims(kind)}
    rows = dict(re.findall(r"^\| ([SL]\d+(?:, [SL]\d+)*) \| (.*) \|$", GUIDE, re.MULTILINE))
    said = {id: text for ids, text in rows.items() for id in ids.split(", ")}
    assert list(said) == [*(f"S{n}" for n in range(1, 21)), *(f"L{n}" for n in range(1, 8))]
    for id, text in said.items():
        named = re.findall(r"`(\w+)`", text)
        assert bool(named) != text.startswith("out: ")
        assert [name for name in named if id not in cites[name]] == []


# --- mutants of the specification ---------------------------------------------------------------
def test_the_table_of_mutants_is_of_the_specification_as_it_is() -> None:
    there = Counter(site.kind for site in sites(SUBJECTS))
    there["claim"] = sum(len([*weakened(claim)]) for claim in claimed(MODELS))
    there["clause"] = len(hunt_clauses([], CLAUSES).fates)
    said = {kind: sum(row.values()) for kind, row in hunted.rows()["fates"].items()}
    there["promise"] = said["promise"]  # of those that have a part in a model
    assert said["promise"] >= 50
    assert said == there, "stale: run `make mutants`"
    assert set(hunted.rows()["noticed"]) >= {"charges_add_up", "every_head_is_consumed"}


# --- coverage ----------------------------------------------------------------------------------


def test_every_clause_has_a_row_in_the_table_of_coverage() -> None:
    assert list(coverage.rows("actions")) == list(ACTIONS), "stale: run `make coverage`"
    assert list(coverage.rows("properties")) == list(coverage.PROPERTIES), "run `make coverage`"


def test_the_table_of_coverage_names_runs_there_are() -> None:
    """And of those that no trace is asked for, none."""
    known = {f"{name}/{seed}" for name in coverage.scenarios() for seed in coverage.SEEDS}
    known.add("/".join(coverage.IN_VIRTUAL_TIME))
    for title in ("actions", "properties"):
        for name, row in coverage.rows(title).items():
            assert set(row.first) <= known, name
            assert len(row.first) <= row.runs <= len(known), name
            assert bool(row.first) == bool(row.runs), name
    asked = coverage.rows("properties")
    assert [name for name in asked if name not in coverage.ASKED and asked[name].runs] == []


def test_what_no_run_exercised_has_a_reason() -> None:
    actions, asked = coverage.rows("actions"), coverage.rows("properties")
    never = [name for name, row in actions.items() if not row.runs]
    never += [name for name, row in asked.items() if not row.runs and name in coverage.ASKED]
    assert sorted(never) == sorted(coverage.WHY)


def test_the_page_of_coverage_lists_each_clause_once() -> None:
    """Among what was exercised, or among what was not yet run."""
    text = coverage.coverage_page()
    for title in ("actions", "properties"):
        listed = re.findall(rf"\]\({title}\.md#(\w+)\)", text)
        assert sorted(listed) == sorted(coverage.rows(title))


@pytest.mark.parametrize("scenario", ["agent_too_old", "executor_dies_meanwhile"])
def test_a_run_exercises_what_the_table_says_of_it(scenario: str) -> None:
    found = coverage.run(scenario, 0)
    said = {
        title: {name for name, row in coverage.rows(title).items() if f"{scenario}/0" in row.first}
        for title in ("actions", "properties")
    }
    assert said["actions"] == found.actions, "stale: run `make coverage`"
    assert said["properties"] == found.properties, "stale: run `make coverage`"


# --- boxes -------------------------------------------------------------------------------------

FENCE = re.compile(r"^```(\w+)(?: ([^\n]+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Box(NamedTuple):
    """A box of a document: a file to write, or commands with what they print."""

    file: str | None
    is_background: bool
    #: (command, what it prints); the command is empty for what goes on.
    said: list[tuple[str, str]]
    text: str


def boxes(text: str) -> Iterator[Box]:
    """The boxes that are to be done, in order."""
    for language, word, body in FENCE.findall(text):
        if language == "shellsession":
            before, *parts = re.split(r"^\$ ", body, flags=re.MULTILINE)
            said = [("", before)] if before.strip() else []
            for part in parts:
                command, _, printed = part.partition("\n")
                said.append((command, printed))
            yield Box(None, word == "background", said, body)
        elif "." in word:
            yield Box(word, False, [], body)


def pattern(printed: str) -> str:
    """A regular expression for what is printed: `…` is anything, alone on a line any lines."""
    lines = []
    for line in printed.strip("\n").splitlines():
        if line.strip() == "…":
            lines.append(r"(?:.*\n)*?")
        else:
            lines.append(".*".join(re.escape(part.rstrip()) for part in line.split("…")) + r" *\n")
    return "".join(lines)


class Reader:
    """Someone who types what stands there, in a folder of its own."""

    def __init__(self, folder: Path, port: int) -> None:
        self._folder = folder
        self._port = port
        self._running: list[subprocess.Popen[str]] = []
        path = f"{Path(sys.executable).parent}:{os.defpath}"
        self._variables = {**os.environ, "PATH": path, "PYTHONUNBUFFERED": "1"}

    def do(self, box: Box) -> None:
        """Do what a box says; fails where something else is printed."""
        if box.file is not None:
            file = self._folder / box.file
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(box.text.replace("5050", str(self._port)))
        for command, printed in box.said:
            if box.is_background:
                if command:
                    self._start(command)
                self._wait_for(printed)
            else:
                self._type(command, printed)

    def _type(self, command: str, printed: str) -> None:
        done = subprocess.run(
            ["bash", "-c", self._here(command)],
            cwd=self._folder,
            env=self._variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        found = re.sub(r"^\s+% Total.*", "", done.stdout)
        found = found if found.endswith("\n") or not found else found + "\n"
        assert re.fullmatch(pattern(printed), found), f"$ {command}\n{found}"

    def _here(self, text: str) -> str:
        return text.replace("5050", str(self._port))

    def _start(self, command: str) -> None:
        self._running.append(
            subprocess.Popen(
                ["bash", "-c", "exec " + self._here(command)],
                cwd=self._folder,
                env=self._variables,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )

    def _wait_for(self, printed: str) -> None:
        """Read what is running until all of `printed` has been seen, from where it was left.

        What ends with any lines is read no further than the line before.
        """
        pipe: IO[str] | None = self._running[-1].stdout
        assert pipe is not None
        wanted = re.sub(r"\n…\n*\Z", "\n", printed)
        found = ""
        while not re.fullmatch(pattern(wanted), found):
            line = pipe.readline()
            assert line, f"it ended, and had printed\n{found}"
            found += line

    def leave(self) -> None:
        """End what still runs."""
        for process in self._running:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
            try:
                process.communicate(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                raise


@contextmanager
def reading_in(folder: Path) -> Iterator[Reader]:
    """A reader who ends what he has begun."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    reader = Reader(folder, port)
    try:
        yield reader
    finally:
        reader.leave()


@pytest.mark.live
@pytest.mark.slow
@pytest.mark.needs("linux", "curl")
@pytest.mark.parametrize(
    "document",
    [
        "README.md",
        "docs/tutorial/02-break-it.md",
        "docs/explanation/chaos.md",
        "docs/how-to/check-in-ci.md",
        "docs/how-to/test-your-framework.md",
        "docs/how-to/your-own-specification.md",
        "docs/how-to/add-a-mutant.md",
    ],
)
def test_what_the_boxes_say_is_so(document: str, tmp_path: Path) -> None:
    found = list(boxes((ROOT / document).read_text()))
    assert len(found) > 1
    with reading_in(tmp_path) as reader:
        for box in found:
            reader.do(box)


def test_the_workflow_to_copy_uses_commands_there_are() -> None:
    """It runs elsewhere, where no test of ours sees it fail; the commands are read here."""
    text = (ROOT / "docs/how-to/check-in-ci.md").read_text()
    (workflow,) = [box.text for box in boxes(text) if box.file and box.file.endswith(".yml")]
    commands = [shlex.split(line) for line in re.findall(r"- run: (.*)", workflow)]
    ours = [words[1:] for words in commands if words[0] == "mesos-chaos"]
    assert [chaos_parser().parse_args(words).tier for words in ours] == [1, 3]
    assert len(commands) == 4


def test_boxes_are_read_as_they_are_meant() -> None:
    text = "```shellsession\n$ a\nx…y\n…\nz\n$ b\n```\n```toml f.toml\nk = 1\n```\n```sh\nno\n```\n"
    first, second = boxes(text)
    assert first.said == [("a", "x…y\n…\nz\n"), ("b", "")]
    assert (second.file, second.text) == ("f.toml", "k = 1\n")
    assert re.fullmatch(pattern(first.said[0][1]), "x1y\nq\nr\nz\n")
    assert not re.fullmatch(pattern(first.said[0][1]), "x1\nz\n")
    assert not re.fullmatch(pattern(""), "anything\n")


# --- figures -----------------------------------------------------------------------------------


def test_what_was_not_measured_is_a_dash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measured, "RESULTS", tmp_path / "results.json")
    assert "Not measured yet" in measured.measured()
    assert measured.measured().count("–") == 4 * len(measured.FIGURES)
    figure = {
        "value": 1234.5,
        "unit": "tasks/s",
        "runs": [1300.0, 99.44, 1234.5],
        "load": 0.25,
        "how": "so",
    }
    results = {
        "machine": {"cpu": "a small one", "cores": 2, "python": "3.11"},
        "figures": {"noop_tasks_per_s": figure},
    }
    (tmp_path / "results.json").write_text(json.dumps(results))
    assert "| 1,234 tasks/s | 99.4 … 1,300 | 0.2 | so |" in measured.measured()
    assert measured.measured().startswith("a small one, 2 cores, Python 3.11.")


def test_the_table_is_put_where_it_belongs() -> None:
    document = f"# before\n{measured.BEGIN}\nold\n{measured.END}\nafter\n"
    there = measured.put_in(document)
    assert there.startswith("# before\n")
    assert there.endswith("\nafter\n")
    assert measured.measured() in there
    assert "old" not in there
    with pytest.raises(ValueError, match="in the document"):
        measured.put_in("# nothing\n")


def test_every_figure_that_is_measured_has_a_row() -> None:
    assert measured.FIGURES.keys() == benchmarks.FIGURES.keys()
