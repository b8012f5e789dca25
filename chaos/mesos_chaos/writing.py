"""Scenarios written down: TOML as a person would write it, which `plan.parse_scenario` reads."""

from __future__ import annotations

import json
from typing import Any

from mesos_chaos.plan import Scenario, Strict

#: The tables that TOML lists under a header of their own, one or many.
ONE = ("cluster", "expect")
MANY = ("workload", "fault")


def scenario_text(scenario: Scenario) -> str:
    """The scenario as TOML; what is as usual is left out.  `parse_scenario` reads it back."""
    said = given(scenario)
    lines = [f"{key} = {_toml(value)}" for key, value in said.items() if key not in ONE + MANY]
    for name in ONE:
        if said.get(name):
            lines += ["", f"[{name}]", *(f"{k} = {_toml(v)}" for k, v in said[name].items())]
    for name in MANY:
        for each in said.get(name, ()):
            lines += ["", f"[[{name}]]", *(f"{k} = {_toml(v)}" for k, v in each.items())]
    return "\n".join(lines) + "\n"


def given(model: Strict) -> dict[str, Any]:
    """What is not as usual, as plain data."""
    return model.model_dump(mode="json", exclude_defaults=True)


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{k} = {_toml(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False)  # strings, numbers, booleans: as TOML has them
