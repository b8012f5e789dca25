"""Write a model for other tools, so that they can check it, or test against it, on their own.

--tla DIR writes a TLA+ module with the whole next-state relation, and what TLC is to check: it must
find as many distinct states, and the same properties broken.  --itf DIR writes behaviours in the
Informal Trace Format, as Apalache and Quint do: for each action a shortest behaviour that ends with
it, for each SOMETIMES one that shows it, for each broken ALWAYS one that breaks it.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mesos_spec.tools.cli.common import ExitCode, Misused, say_unfinished
from mesos_spec.tools.search.checker import Behaviour
from mesos_spec.tools.search.graph import Graph

EXAMPLE = """\
for example:
  mesos-spec export mesos_spec.examples.two_phase_commit:MODEL --tla out
  java -cp tla2tools.jar tlc2.TLC -deadlock out/two_phase_commit.tla    (-deadlock: allow ends)
  mesos-spec export offers --itf out
"""


def add(parser: argparse.ArgumentParser) -> None:
    """The arguments of `mesos-spec export`."""
    parser.add_argument("model", metavar="MODEL", help="a model, or FILE.py:MODEL")
    parser.add_argument("--tla", metavar="DIR", type=Path, help="a TLA+ module, into that folder")
    parser.add_argument("--itf", metavar="DIR", type=Path, help="ITF behaviours, into that folder")
    parser.add_argument(
        "--max-states", metavar="N", type=int, default=5000, help="refuse a model with more"
    )


def run(args: argparse.Namespace) -> int:
    """Explore the model, and write what was asked for."""
    if args.tla is None and args.itf is None:
        raise Misused("say what to write: --tla DIR, --itf DIR, or both")
    graph, stopped = explored(args.model, args.max_states)
    if stopped:
        return say_unfinished(f"{stopped}; what is not whole is not exported (--max-states)")
    if args.tla is not None:
        from mesos_spec.tools.report import tla

        name = tla.module_name(graph.model.name)
        put(args.tla / f"{name}.tla", tla.module(graph))
        put(args.tla / f"{name}.cfg", tla.config(graph))
    if args.itf is not None:
        from mesos_spec.tools.report.itf import as_itf

        for name, why, behaviour in behaviours(graph):
            file = re.sub(r"[^\w.-]", "_", f"{graph.model.name}.{name}") + ".itf.json"
            put(args.itf / file, as_itf(graph.model, behaviour, why=why) + "\n")
    return ExitCode.OK


def explored(name: str, max_states: int) -> tuple[Graph[Any], str]:
    """The graph of a model, and why it is not whole; empty if it is."""
    from mesos_spec.tools.cli.find import find

    graph: Graph[Any] = Graph(find(name))

    def stop(states: int) -> str:
        return f"it has more than {max_states} states" if states > max_states else ""

    return graph, graph.explore(stop)


def behaviours(graph: Graph[Any]) -> Iterator[tuple[str, str, Behaviour[Any]]]:
    """What is worth a file: its name, what it shows, and the behaviour."""
    spec = graph.model.spec
    ends: dict[str, int] = {}
    for step, label in enumerate(graph.label):
        ends.setdefault(graph.labels[label][0], step)
    for action in spec.actions:
        if action.name in ends:
            step = ends[action.name]
            way = [*graph.way_to(graph.source[step]), step]
            yield action.name, f"{action.name} is taken", _behaviour(graph, way)
    for number in range(len(graph.nodes)):
        s = graph.state(number)
        for some in spec.sometimes:
            if some.name not in ends and some.seen(s):
                ends[some.name] = number
                yield some.name, f"{some.name} is seen", _behaviour(graph, graph.way_to(number))
        for claim in spec.always:
            if claim.name not in ends and claim.broken(s) is not None:
                ends[claim.name] = number
                yield claim.name, f"{claim.name} is broken", _behaviour(graph, graph.way_to(number))


def _behaviour(graph: Graph[Any], way: list[int]) -> Behaviour[Any]:
    return Behaviour(graph.state(0), tuple(map(graph.taken, way)))


def put(path: Path, text: str) -> None:
    """Write a file, and its folder if need be, and say so.  Raises `Misused` if that fails."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Misused(f"{path} cannot be written: {error.strerror}") from None
    print(f"written: {path}")
