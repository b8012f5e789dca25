r"""A small model as a TLA+ module, so that TLC can count and judge the same states on its own.

The next-state relation is explicit: `Steps[n]` has each step from state n, as `<<to, action,
names>>`, and `Cells[n]` what the state holds.  The variables are the number of the state and its
cells.  A property is the set of numbers (or of pairs of numbers) that break it, found by asking it;
so TLC checks the search, the graph and the counting, and not what the property means.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum
from typing import Any, TypeVar

from mesos_spec.kernel import Bag, Cells, Fifo, Table
from mesos_spec.tools.report.say import names
from mesos_spec.tools.search.graph import Graph

S = TypeVar("S", bound=Cells)


def module_name(model: str) -> str:
    """A model's name as TLA+ may have it; the file must be called so, too."""
    name = re.sub(r"\W", "_", model, flags=re.ASCII)
    return name if name[:1].isalpha() else f"Model_{name}"


def module(graph: Graph[S]) -> str:
    """The module of a whole graph."""
    model = graph.model
    head = f" MODULE {module_name(model.name)} "
    lines = [
        f"{head:-^78}",
        f"(* {_ascii(model.title)}",
        f"   {len(graph.nodes)} distinct states, {len(graph.source)} steps. *)",
        "EXTENDS Integers, Sequences, TLC",
        "",
        "VARIABLES State, Holds",
        "",
        *_table("Cells", (_record(graph.state(n)) for n in range(len(graph.nodes)))),
        *_table("Steps", _steps(graph)),
        "View == State",
        "",
        "Init == State = 1 /\\ Holds = Cells[1]",
        "",
    ]
    actions = [action.name for action in model.spec.actions]
    for name in actions:
        lines += [
            f"{name} ==",
            "  \\E step \\in Steps[State] :",
            f"    step[2] = \"{name}\" /\\ State' = step[1] /\\ Holds' = Cells[step[1]]",
        ]
    lines += ["", "Next ==", *(f"  \\/ {name}" for name in actions)]
    lines += ["", "Spec == Init /\\ [][Next]_<<State, Holds>>", ""]
    lines += [*_claims(graph), "=" * 78]
    return "\n".join(lines) + "\n"


def config(graph: Graph[S]) -> str:
    """What TLC is to check of the module."""
    spec = graph.model.spec
    lines = ["SPECIFICATION Spec", "VIEW View"]
    lines += [f"INVARIANT {claim.name}" for claim in spec.always]
    lines += [f"PROPERTY {claim.name}" for claim in spec.each_step]
    return "\n".join(lines) + "\n"


# ---- tables --------------------------------------------------------------------------------
def _table(name: str, rows: Iterator[str]) -> list[str]:
    """A sequence, a row a line, counted from 1."""
    listed = list(rows)
    ends = [","] * (len(listed) - 1) + [" >>"]
    starts = ["<< "] + ["   "] * (len(listed) - 1)
    marked = zip(starts, listed, ends)
    return [f"{name} ==", *(f"  {start}{row}{end}" for start, row, end in marked), ""]


def _steps(graph: Graph[S]) -> Iterator[str]:
    by_state: list[list[str]] = [[] for _ in graph.nodes]
    for source, target, label in zip(graph.source, graph.target, graph.label):
        action, bound = graph.labels[label]
        by_state[source].append(f'<<{target + 1}, "{action}", {tla(names(bound))}>>')
    return (f"{{{', '.join(steps)}}}" for steps in by_state)


def _record(s: Cells) -> str:
    """A state: a record of its fields; a field with keys is a function of its cells."""
    fields = []
    for name, field in s._layout.items():
        cells = list(s.cells(name))
        if field.scalar:
            fields.append(f"{name} |-> {tla(cells[0][1])}")
        else:
            fields.append(f"{name} |-> {_function([(key, held) for (_, key), held in cells])}")
    return f"[{', '.join(fields)}]"


# ---- properties ----------------------------------------------------------------------------
def _claims(graph: Graph[S]) -> Iterator[str]:
    spec = graph.model.spec
    states = [graph.state(n) for n in range(len(graph.nodes))]
    for claim in spec.always:
        bad = [n for n, s in enumerate(states, 1) if claim.broken(s) is not None]
        yield f"(* {_ascii(claim.doc.splitlines()[0])} *)"
        yield f"{claim.name} == State \\notin {_numbers(bad)}\n"
    for each in spec.each_step:
        pairs = dict.fromkeys(
            f"<<{source + 1}, {target + 1}>>"
            for step, (source, target) in enumerate(zip(graph.source, graph.target))
            if _writes(graph, step, each.watches)
            and each.broken(states[source], states[target]) is not None
        )
        yield f"(* {_ascii(each.doc.splitlines()[0])} *)"
        pair = "<<State, State'>>"
        yield f"{each.name} == [][{pair} \\notin {{{', '.join(pairs)}}}]_<<State, Holds>>\n"
    for some in spec.sometimes:
        good = [n for n, s in enumerate(states, 1) if some.seen(s)]
        yield f"(* {_ascii(some.doc.splitlines()[0])} (Some state: its negation is violated.) *)"
        yield f"{some.name} == State \\in {_numbers(good)}\n"


def _writes(graph: Graph[S], step: int, watches: frozenset[str]) -> bool:
    """Whether a step writes a field, be it the same value."""
    name, bound = graph.labels[graph.label[step]]
    effects = graph.model.spec.action(name).apply(graph.state(graph.source[step]), bound)
    return any(field in watches for field, _ in effects)


def _numbers(numbers: list[int]) -> str:
    return f"{{{', '.join(map(str, numbers))}}}"


# ---- values --------------------------------------------------------------------------------
def tla(value: Any) -> str:
    """A value as TLA+ writes it."""
    if value is None:
        return '"None"'
    if isinstance(value, Enum):
        return f'"{value.name}"'
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return '"' + _ascii(value).replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, Table):
        return _function(value.items())
    if isinstance(value, Bag):
        return _function([(message, value.mail.count(message)) for message in value])
    if isinstance(value, frozenset):
        return f"{{{', '.join(sorted(map(tla, value)))}}}"
    if isinstance(value, Fifo):
        return _sequence(value.mail)
    fields = getattr(value, "_fields", None) or getattr(value, "__dataclass_fields__", None)
    if fields is not None:
        parts = [("is", type(value).__name__), *((name, getattr(value, name)) for name in fields)]
        return f"[{', '.join(f'{name} |-> {tla(part)}' for name, part in parts)}]"
    if isinstance(value, tuple):
        return _sequence(value)
    if callable(getattr(value, "items", None)):
        return _function(value.items())
    return tla(str(value))


def _sequence(values: tuple[Any, ...]) -> str:
    return f"<<{', '.join(map(tla, values))}>>"


def _function(items: list[tuple[Any, Any]] | Any) -> str:
    """A function by its pairs; the one of nothing is the empty sequence."""
    pairs = [f"{tla(k)} :> {tla(v)}" for k, v in items]
    return f"({' @@ '.join(pairs)})" if pairs else "<<>>"


def _ascii(text: str) -> str:
    return text.encode("ascii", "replace").decode().replace("*)", "* )")
