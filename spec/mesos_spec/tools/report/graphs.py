"""A state graph for others to read: DOT, GraphML, and JSON (networkx' node-link form).

Nodes are states by number, the initial one is 0; edges are steps.  A node tells its cells, how many
steps it is away, and whether it is beyond the model's bounds (`cut`) or was found and not looked
at, in a graph that was left unfinished (`open`): from both no edge leads on.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, TypeVar

import networkx

from mesos_spec.kernel import Cells, show
from mesos_spec.tools.report.explain import named
from mesos_spec.tools.search.graph import Graph

S = TypeVar("S", bound=Cells)


def cells(s: Cells) -> list[str]:
    """Each cell that does not hold its default, as a text."""
    return [f"{show(cell)} = {value!r}" for cell, value in s.cells() if value != s.default(cell)]


def open_states(graph: Graph[S], finished: bool) -> set[int]:
    """The states that were found and not expanded, where a graph was left unfinished."""
    if finished:
        return set()
    last = max([*graph.source, *graph.cut, 0])
    return set(range(last + 1, len(graph.nodes)))


def nodes(graph: Graph[S], finished: bool) -> Iterator[tuple[int, dict[str, Any]]]:
    """Each state with what is told of it."""
    waiting = open_states(graph, finished)
    for number in range(len(graph.nodes)):
        says = cells(graph.state(number))
        yield (
            number,
            {
                "label": "\n".join(says),
                "depth": int(graph.depth[number]),
                "initial": number == 0,
                "cut": number in graph.cut,
                "open": number in waiting,
            },
        )


def edges(graph: Graph[S]) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """Each step: from, to, and what happened."""
    for source, target, label in zip(graph.source, graph.target, graph.label):
        action, bound = graph.labels[label]
        yield int(source), int(target), {"action": action, "label": named(action, bound)}


def _as_networkx(graph: Graph[S], finished: bool) -> Any:
    made: Any = networkx.MultiDiGraph(name=graph.model.name)
    made.add_nodes_from(nodes(graph, finished))
    made.add_edges_from(edges(graph))
    return made


def graphml(graph: Graph[S], finished: bool) -> str:
    """The graph as GraphML, which Gephi, yEd and networkx read."""
    return "\n".join(networkx.generate_graphml(_as_networkx(graph, finished))) + "\n"


def node_link(graph: Graph[S], finished: bool) -> str:
    """The graph as JSON, which `networkx.node_link_graph(…, edges="links")` and d3 read."""
    data = {
        "directed": True,
        "multigraph": True,
        "graph": {"name": graph.model.name, "finished": finished},
        "nodes": [{"id": number, **told} for number, told in nodes(graph, finished)],
        "links": [
            {"source": source, "target": target, "key": key, **told}
            for key, (source, target, told) in enumerate(edges(graph))
        ],
    }
    return json.dumps(data, indent=1, ensure_ascii=True) + "\n"


def dot(graph: Graph[S], finished: bool) -> str:
    """The graph for Graphviz: the initial state bold, cut and open ones dashed and dotted."""
    lines = [f"digraph {_quoted(graph.model.name)} {{", "  node [shape=box];"]
    for number, told in nodes(graph, finished):
        style = "bold" * told["initial"] or "dashed" * told["cut"] or "dotted" * told["open"]
        more = f", style={style}" if style else ""
        lines.append(f"  {number} [label={_quoted(told['label'] or 'nothing')}{more}];")
    for source, target, told in edges(graph):
        lines.append(f"  {source} -> {target} [label={_quoted(told['label'])}];")
    return "\n".join([*lines, "}"]) + "\n"


def _quoted(text: str) -> str:
    marked = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{marked}"'


FORMATS = {"dot": dot, "graphml": graphml, "json": node_link}
