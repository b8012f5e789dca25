"""A scheduler as the specification sees it: plain data, under the keys that traces use."""

from __future__ import annotations

from typing import Any

from mesos_ref.scheduler.state import State

SCHEDULER = "scheduler"
OFFERS = "offers/"


def whole(state: State) -> dict[str, Any]:
    """Every key and its value, computed afresh."""
    view: dict[str, Any] = {SCHEDULER: _scheduler(state)}
    for offer_id, agent_id in state.held.items():
        view[OFFERS + offer_id] = agent_id
    return view


def changed(state: State) -> dict[str, Any]:
    """The keys that may have changed since this was asked last; None: gone."""
    return {key: _value(state, key) for key in state.take_dirty()}


def _value(state: State, key: str) -> Any:
    if key == SCHEDULER:
        return _scheduler(state)
    return state.held.get(key.removeprefix(OFFERS))


def _scheduler(state: State) -> dict[str, Any]:
    return {
        "framework": state.framework_id,
        "stream": state.stream,
        "epoch": state.epoch,
        "standing": state.standing,
    }
