"""What others can read: the state graph, ITF, TLA+; each read back by a reader that is not ours."""

from __future__ import annotations

import io
import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import networkx
import pytest

from mesos_spec.__main__ import main
from mesos_spec.examples import die_hard, post_office, two_phase_commit
from mesos_spec.examples.post_office import Ask, Stamp
from mesos_spec.kernel import Bag, Fifo, Model, Table
from mesos_spec.tools.cli.export import behaviours
from mesos_spec.tools.report import tla
from mesos_spec.tools.report.graphs import dot, graphml, node_link
from mesos_spec.tools.report.itf import as_itf
from mesos_spec.tools.report.values import itf
from mesos_spec.tools.search.checker import check
from mesos_spec.tools.search.graph import Graph

MODELS: dict[str, Model[Any]] = {
    "die_hard": die_hard.MODEL,
    "two_phase_commit": two_phase_commit.MODEL,
    "post_office": post_office.MODEL,
}
EACH = pytest.mark.parametrize("name", MODELS)


def explored(name: str) -> Graph[Any]:
    """The whole graph of an example."""
    graph: Graph[Any] = Graph(MODELS[name])
    assert graph.explore() == ""
    return graph


# ---- state graphs --------------------------------------------------------------------------
@EACH
def test_networkx_reads_the_same_graph_from_graphml_and_json(name: str) -> None:
    graph = explored(name)
    read: Any = networkx.read_graphml(io.StringIO(graphml(graph, True)), force_multigraph=True)
    linked: Any = networkx.node_link_graph(json.loads(node_link(graph, True)), edges="links")
    for found in (read, linked):
        assert found.number_of_nodes() == len(graph.nodes)
        assert found.number_of_edges() == len(graph.source)
        labels = sorted(told["label"] for _, _, told in found.edges(data=True))
        steps = sorted(told["label"] for _, _, told in linked.edges(data=True))
        assert labels == steps
    depths = networkx.single_source_shortest_path_length(linked, 0)
    assert depths == {n: told["depth"] for n, told in linked.nodes(data=True)}
    assert [n for n, told in linked.nodes(data=True) if told["initial"]] == [0]


@pytest.mark.parametrize("name", ["two_phase_commit", "post_office"])
def test_the_graph_has_what_a_search_counts(name: str) -> None:
    result, graph = check(MODELS[name]), explored(name)
    assert (result.states, result.steps) == (len(graph.nodes), len(graph.source))
    assert result.depth == max(graph.depth)


@EACH
def test_dot_names_each_state_and_each_step_once(name: str) -> None:
    graph = explored(name)
    text = dot(graph, True)
    quoted = r'"(?:[^"\\]|\\.)*"'
    assert re.fullmatch(
        rf"digraph {quoted} \{{\n  node \[shape=box\];\n"
        rf"(  \d+ \[label={quoted}(, style=\w+)?\];\n)+(  \d+ -> \d+ \[label={quoted}\];\n)*\}}\n",
        text,
    )
    assert text.count(" -> ") == len(graph.source)
    assert text.count("style=bold") == 1


def test_a_graph_that_is_too_large_is_left_unfinished(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = "mesos_spec.examples.two_phase_commit:MODEL"
    out = tmp_path / "x.json"
    few = ["--max-states", "100", "--format", "json", "--out", str(out)]
    assert main(["graph", model, *few]) == 2
    assert "it has more than 100 states" in capsys.readouterr().err
    data = json.loads(out.read_text())
    assert not data["graph"]["finished"]
    left = {node["id"] for node in data["nodes"] if node["open"]}
    assert left
    assert not left & {link["source"] for link in data["links"]}
    assert main(["export", model, "--tla", str(tmp_path), "--max-states", "100"]) == 2
    assert not list(tmp_path.glob("*.tla"))
    assert main(["graph", "mesos_spec.examples.die_hard:MODEL"]) == 0
    assert capsys.readouterr().out.startswith('digraph "die_hard" {')
    assert main(["export", model]) == 5


# ---- ITF -----------------------------------------------------------------------------------
def unread(value: Any) -> Any:
    """An ITF value as Python has it: written from the format's own description (ADR-015)."""
    if isinstance(value, list):
        return [unread(v) for v in value]
    if not isinstance(value, dict):
        assert isinstance(value, bool | str)
        return value
    match list(value):
        case ["#bigint"]:
            return int(value["#bigint"])
        case ["#tup"]:
            return tuple(map(unread, value["#tup"]))
        case ["#set"]:
            return {json.dumps(v, sort_keys=True): unread(v) for v in value["#set"]}
        case ["#map"]:
            pairs = [(json.dumps(k, sort_keys=True), unread(v)) for k, v in value["#map"]]
            assert len(dict(pairs)) == len(pairs), "a key twice"
            return dict(pairs)
        case keys:
            assert not [key for key in keys if key.startswith("#")], keys
            return {key: unread(v) for key, v in value.items()}


@EACH
def test_behaviours_are_itf_and_lead_where_they_say(name: str) -> None:
    graph = explored(name)
    found = {what: behaviour for what, _, behaviour in behaviours(graph)}
    spec = graph.model.spec
    assert set(found) >= {action.name for action in spec.actions}
    assert set(found) >= {claim.name for claim in spec.sometimes}
    for what, behaviour in found.items():
        document = json.loads(as_itf(graph.model, behaviour, why=what))
        assert document["#meta"]["format"] == "ITF"
        assert len(document["states"]) == len(behaviour.steps) + 1
        for at, state in enumerate(document["states"]):
            assert state["#meta"]["index"] == at
            assert [key for key in state if key != "#meta"] == document["vars"]
            for variable in document["vars"]:
                unread(state[variable])
        if what in {action.name for action in spec.actions}:
            assert document["states"][-1]["mbt::actionTaken"] == what


def test_a_lasso_says_where_it_goes_on() -> None:
    behaviour = next(b for what, _, b in behaviours(explored("die_hard")) if what == "empty_big")
    assert json.loads(as_itf(die_hard.MODEL, behaviour, loop=0))["loop"] == 0


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (2, {"#bigint": "2"}),
        (True, True),
        ("x", "x"),
        (None, {"tag": "Nothing", "value": {}}),
        ((1, "a"), {"#tup": [{"#bigint": "1"}, "a"]}),
        (frozenset({"b", "a"}), {"#set": ["a", "b"]}),
        (Table({"k": True}), {"#map": [["k", True]]}),
        (Fifo([Ask()]), [{"tag": "Ask", "value": {}}]),
        (
            Bag([Stamp(1), Stamp(1)]),
            {"#map": [[{"tag": "Stamp", "value": {"value": {"#bigint": "1"}}}, {"#bigint": "2"}]]},
        ),
    ],
)
def test_values_are_written_as_itf_has_them(value: Any, written: Any) -> None:
    assert itf(value) == written


def test_small_integers_are_numbers_where_a_file_is_for_us() -> None:
    assert itf(2**53 - 1, big=False) == 2**53 - 1
    assert itf(2**53, big=False) == {"#bigint": str(2**53)}


# ---- TLA+ ----------------------------------------------------------------------------------
TOKEN = re.compile(
    r'\s+|\(\*.*?\*\)|"(?:[^"\\]|\\.)*"|\\[A-Za-z]+|<<|>>|\|->|:>|@@|/\\|\\/|={4,}|==|[A-Za-z]\w*|\d+'
    r"|-{4,}|[{}\[\]()_,:='-]",
    re.DOTALL,
)
KNOWN = {"MODULE", "EXTENDS", "VARIABLES", "Integers", "Sequences", "TLC"}
PAIRS = {"}": "{", "]": "[", ")": "(", ">>": "<<"}


def tokens(text: str) -> list[str]:
    """The words of a module, without space and comments; fails at what is none."""
    found, at = [], 0
    while at < len(text):
        match = TOKEN.match(text, at)
        assert match is not None, text[at : at + 40]
        at = match.end()
        if match[0].strip() and not match[0].startswith("(*"):
            found.append(match[0])
    return found


@EACH
def test_a_module_is_balanced_and_names_only_what_it_defines(name: str) -> None:
    words = tokens(tla.module(explored(name)))
    waiting: list[str] = []
    for word in words:
        if word in PAIRS.values():
            waiting.append(word)
        elif word in PAIRS:
            assert waiting.pop() == PAIRS[word]
    assert waiting == []
    defined = {word for word, after in pairwise(words) if after == "=="}
    assert len(defined) == sum(word == "==" for word in words), "something is defined twice"
    fields = {word for word, after in pairwise(words) if after == "|->"}
    used = {word for word in words if re.fullmatch(r"[A-Za-z]\w*", word)}
    bound = {"State", "Holds", "step", "TRUE", "FALSE", name}
    assert used - fields - bound - KNOWN <= defined


@EACH
def test_a_module_has_every_state_and_step_once(name: str) -> None:
    graph = explored(name)
    text = tla.module(graph)
    cells, steps = re.findall(r"^(?:Cells|Steps) ==\n(.*?>>)\n\n", text, re.MULTILINE | re.DOTALL)
    assert len(set(cells.splitlines())) == len(graph.nodes)
    rows = [re.findall(r'<<(\d+), "(\w+)", "([^"]*)">>', row) for row in steps.splitlines()]
    assert [len(row) for row in rows] == [len(set(row)) for row in rows]
    assert sum(map(len, rows)) == len(graph.source)
    told = {(at, int(to) - 1, action) for at, row in enumerate(rows) for to, action, _ in row}
    really = zip(graph.source, graph.target, (graph.labels[n][0] for n in graph.label))
    assert told == set(really)


def test_a_module_tells_where_a_property_is_broken() -> None:
    text = tla.module(explored("die_hard"))
    [numbers] = re.findall(r"the_goal_is_not_reached == State \\notin \{(.*)\}", text)
    cells = re.findall(r"\[small \|-> (\d), big \|-> (\d)\]", text)
    assert {cells[int(n) - 1][1] for n in numbers.split(", ")} == {"4"}
    assert {big for at, (_, big) in enumerate(cells, 1) if str(at) not in numbers.split(", ")} == {
        *"01235"
    }
    config = tla.config(explored("post_office"))
    assert "INVARIANT nothing_unasked_comes" in config
    assert "PROPERTY what_is_got_is_kept" in config


def test_names_and_values_are_as_tla_may_have_them() -> None:
    assert tla.module_name("late-answers") == "late_answers"
    assert tla.module_name("2pc") == "Model_2pc"
    assert tla.tla(Table({"a": (1, None), "b": ()})) == '("a" :> <<1, "None">> @@ "b" :> <<>>)'
    assert tla.tla('say "ü"') == '"say \\"?\\""'
    assert tla.tla(Fifo([Stamp(1)])) == '<<[is |-> "Stamp", value |-> 1]>>'
    assert tla.tla(frozenset({True})) == "{TRUE}"


def test_both_are_written_where_they_are_wanted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = "mesos_spec.examples.die_hard:MODEL"
    both = ["--tla", str(tmp_path / "t"), "--itf", str(tmp_path / "i")]
    assert main(["export", model, *both]) == 0
    assert sorted(path.name for path in (tmp_path / "t").iterdir()) == [
        "die_hard.cfg",
        "die_hard.tla",
    ]
    files = sorted(path.name for path in (tmp_path / "i").iterdir())
    assert "die_hard.the_goal_is_not_reached.itf.json" in files
    assert len(files) == 7
    assert capsys.readouterr().out.count("written: ") == 9
