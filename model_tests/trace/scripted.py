"""Traces of what an example says, without a core: `Scripted` says it in the core's place."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mesos_ref.step import (
    Did,
    Effect,
    Step,
)
from mesos_ref.trace import RecordedIds, TraceWriter, header
from model_tests.core.scheduler_world import CountedIds

GOLDENS = Path(__file__).parent / "goldens"


class Line(NamedTuple):
    """What a record is made of. `drew`: how many uuids the core drew."""

    event: Any
    effects: Sequence[Effect] = ()
    did: Sequence[Did] = ()
    changes: dict[str, Any] = {}  # noqa: RUF012 - never changed
    drew: int = 0


class Scripted:
    """In a core's place: its view is what the lines so far have said."""

    def __init__(self) -> None:
        self.watched = False
        self.kept: dict[str, Any] = {}
        self.changes: dict[str, Any] = {}

    def follow(self, changes: dict[str, Any]) -> None:
        """Let the view change."""
        assert self.watched
        self.changes.update(changes)
        self.kept.update(changes)
        self.kept = {key: value for key, value in self.kept.items() if value is not None}

    def view(self) -> dict[str, Any]:
        """All that was said and not taken back."""
        return self.kept

    def take_changes(self) -> dict[str, Any]:
        """What was said since the last time."""
        changes, self.changes = self.changes, {}
        return changes


def written(role: str, lines: Sequence[Line]) -> bytes:
    """The trace of these lines, a batch of one record each."""
    said: list[bytes] = []
    core, ids = Scripted(), RecordedIds(CountedIds())
    config = {"agent_ping_timeout_us": 15_000_000}
    top = header(role=role, node=f"{role}-1", incarnation="i-1", wall_us=1_500_000, config=config)
    writer = TraceWriter(said.append, top, core, ids)
    for number, line in enumerate(lines):
        for _ in range(line.drew):
            ids.uuid()
        core.follow(line.changes)
        writer.record(
            line.event, 1_000 * number, Step(tuple(line.effects), tuple(line.did)), number
        )
        writer.write()
    writer.close(1_000 * len(lines))
    return b"".join(said)
