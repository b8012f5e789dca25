"""Behaviours as ITF, the *Informal Trace Format* of Apalache and Quint (Apalache's ADR-015).

One JSON document: the variables are the fields of the state, a field with keys is a `#map` of the
cells that differ from their default.  The action that led to a state is a variable, under the name
that Quint's tools for model-based testing look for; with which names is told beside the state.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeVar

from mesos_spec.kernel import Cells, Model, redo
from mesos_spec.tools.report.values import itf, itf_names
from mesos_spec.tools.search.checker import Behaviour

S = TypeVar("S", bound=Cells)

ACTION = "mbt::actionTaken"


def as_itf(
    model: Model[S], behaviour: Behaviour[S], *, why: str = "", loop: int | None = None
) -> str:
    """The behaviour as one ITF document.  `loop`: the last state is that after so many steps."""
    s = behaviour.first.copy()
    states = [_state(0, s, "init", {})]
    for at, step in enumerate(behaviour.steps, 1):
        redo(s, step.changed)
        states.append(_state(at, s, step.action, step.bound))
    found: dict[str, Any] = {
        "#meta": {
            "format": "ITF",
            "format-description": "https://apalache-mc.org/docs/adr/015adr-trace.html",
            "source": model.name,
            "description": why or model.title,
        },
        "params": [],
        "vars": [*fields(s), ACTION],
        "states": states,
    }
    if loop is not None:
        found["loop"] = loop
    return json.dumps(found, ensure_ascii=True, indent=1)


def fields(s: Cells) -> list[str]:
    """The fields of the state, as they are declared."""
    return list(s._layout)


def record(s: Cells, big: bool = True) -> dict[str, Any]:
    """A state: every field with its value, or with the cells that differ from the default."""
    found: dict[str, Any] = {}
    for name, field in s._layout.items():
        cells = list(s.cells(name))
        if field.scalar:
            found[name] = itf(cells[0][1], big)
        else:
            found[name] = {"#map": [[itf(key, big), itf(held, big)] for (_, key), held in cells]}
    return found


def _state(at: int, s: Cells, action: str, bound: Mapping[str, Any]) -> dict[str, Any]:
    meta = {"index": at, "action": action, "names": itf_names(bound)}
    return {"#meta": meta, **record(s), ACTION: action}
