"""Replay: a fresh core hears what a trace says was heard, and must do what the trace says was done.

If it does, the bug that was found in a run on real machines can be looked at in one process, as
often as one likes. If it does not, the core depends on something that is not an event.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from itertools import zip_longest
from typing import Any

import msgspec

from mesos_ref.trace import Heard, Numbers, Tracing, tracing_of
from mesos_ref.wire import json


class Difference(msgspec.Struct, frozen=True):
    """Where a replay left the trace: in record `seq`, `what` was `recorded`, and is `replayed`."""

    seq: int
    what: str
    recorded: Any
    replayed: Any

    def __str__(self) -> str:
        return (
            f"record {self.seq}: {self.what}: {self.recorded!r} was recorded, not {self.replayed!r}"
        )


class ReplayedIds:
    """Gives out the ids that a trace says were drawn, in their order."""

    def __init__(self, drawn: Iterable[str]) -> None:
        self._drawn = deque(drawn)

    def uuid(self) -> str:
        """Raises `LookupError` if the trace has no further one."""
        return self._take(is_bytes=False)

    def uuid_bytes(self) -> bytes:
        """Raises `LookupError` if the trace has no further one."""
        return bytes.fromhex(self._take(is_bytes=True).removeprefix("hex:"))

    def _take(self, is_bytes: bool) -> str:
        if not self._drawn or self._drawn[0].startswith("hex:") != is_bytes:
            wanted = "16 bytes" if is_bytes else "a uuid"
            raise LookupError(f"the core draws {wanted}, and the trace did not")
        return self._drawn.popleft()


def replay(lines: Iterable[bytes]) -> list[Difference]:
    """Replay a whole trace, header first. Returns the differences of the first bad record.

    Only the first: whatever follows is a consequence. Raises `ValueError` for what is no trace.
    """
    header, *records = [msgspec.json.decode(line) for line in lines]
    if header.get("trace") != "mesos-ref" or header.get("version") != 1:
        raise ValueError(f"no trace of version 1: {header}")
    tracing = tracing_of(header["role"])
    core = tracing.core_of(header, ReplayedIds(id for r in records for id in r.get("drew", ())))
    core.watched = True
    numbers = Numbers()
    for record in records:
        if record["heard"] != {"local": "closed"}:
            try:
                replayed = _replay_one(core, tracing, record, numbers)
            except LookupError as error:
                return [Difference(record["seq"], "drew", record.get("drew", []), str(error))]
        else:
            replayed = {"sent": [], "did": [], "whole": _plain(core.view())}
        differences = list(_compare(record, replayed))
        if differences:
            return differences
    return []


def _replay_one(
    core: Any, tracing: Tracing, record: Mapping[str, Any], numbers: Numbers
) -> dict[str, Any]:
    """What the core says to this record's event, as a record would hold it."""
    heard: Heard = record["heard"]
    step = core.handle(tracing.event_of(heard), record["now"])
    sent = [s for e in step.effects if (s := tracing.sent_of(e, numbers)) is not None]
    if heard.get("local") == "ended":
        numbers.forget(heard.get("link") or heard.get("stream") or "")
    changes = core.take_changes()
    seen = {"whole": core.view()} if "whole" in record else {"view": changes}
    plain: dict[str, Any] = _plain({"sent": sent, "did": step.did, **seen})
    return plain


def _plain(data: Any) -> Any:
    return msgspec.json.decode(json.dump(data))


def _compare(record: Mapping[str, Any], replayed: Mapping[str, Any]) -> Iterable[Difference]:
    seq = record["seq"]
    for what in ("sent", "did"):
        for old, new in zip_longest(record[what], replayed[what]):
            if old != new:
                yield Difference(seq, what, old, new)
    for what in ("view", "whole"):
        old, new = record.get(what, {}), replayed.get(what, {})
        for key in sorted(old.keys() | new.keys()):
            if old.get(key) != new.get(key):
                yield Difference(seq, f"{what} of {key}", old.get(key), new.get(key))
