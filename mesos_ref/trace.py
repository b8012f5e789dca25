"""Traces: what a process heard, did and sent, a line of JSON for each call of its core's `handle`.

The format is docs/reference/trace.md; whoever judges a run reads nothing else. A shell that traces
has one `TraceWriter`. It tells it every event with the step that answered it, and calls `write`
before it performs the effects of that batch: a message that left is in the trace of its sender.
(`mesos_ref.runtime.Owner` does, if the writer is its recorder.)

How a node's events and effects look in a trace is said beside its core, in `tracing.py`. What they
need for it is here, too: the wire form of a message without a detour, and numbers for what is sent.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Final, Protocol, TypeAlias

import msgspec

from mesos_ref import link
from mesos_ref.step import Did, IdSource, Step
from mesos_ref.wire import json
from mesos_ref.wire.secrets import without_secrets
from mesos_ref.wire.shape import Message

FORMAT: Final = "mesos-ref"
VERSION: Final = 1

#: The first record carries the whole view, computed afresh, and then one of so many does; where the
#: view has more keys than this, one of as many as it has, so that the cost per record is constant.
WHOLE_EVERY: Final = 256

Heard: TypeAlias = dict[str, Any]
Sent: TypeAlias = dict[str, Any]


class Watched(Protocol):
    """What the writer needs of a core."""

    #: Set by the writer: changes of the view are to be kept for `take_changes`.
    watched: bool

    def view(self) -> dict[str, Any]:
        """The whole view."""
        ...

    def take_changes(self) -> dict[str, Any]:
        """Keys that may have changed since the last call, with their values; None: gone."""
        ...


class Tracing(Protocol):
    """A node package's `tracing` module."""

    def heard_of(self, event: Any) -> Heard:
        """The ``heard`` of a record."""
        ...

    def sent_of(self, effect: Any, numbers: Numbers) -> Sent | None:
        """An entry of ``sent``; None if the effect does not show."""
        ...

    def leaves_record(self, event: Any, step: Step) -> bool:
        """Whether this event is worth a record: it sent, did or changed anything at all."""
        ...

    def event_of(self, heard: Heard) -> Any:
        """The event that `heard_of` has made this of."""
        ...

    def core_of(self, header: Mapping[str, Any], ids: IdSource) -> Any:
        """A core as it was when this header was written."""
        ...


def tracing_of(role: str) -> Tracing:
    """The tracing module for a role: master, agent, scheduler or executor."""
    module: Any = import_module(f"mesos_ref.{role}.tracing")
    return module  # type: ignore[no-any-return]


# What tracing modules are made of -----------------------------------------------------------------


class Numbers:
    """Counts what is sent on each connection, from 0."""

    def __init__(self) -> None:
        self._next: dict[str, int] = {}

    def take(self, connection: str) -> int:
        """The number of the message that is sent now."""
        number = self._next.get(connection, 0)
        self._next[connection] = number + 1
        return number

    def forget(self, connection: str) -> None:
        """Nothing will be sent there any more."""
        self._next.pop(connection, None)


def message(of: Message, *, is_sent: bool = False) -> msgspec.Raw:
    """A wire message as a trace shows it: its JSON, secrets redacted.

    `is_sent`: it goes over the wire next.
    """
    return _raw(json.encode_twice(of) if is_sent else json.encode(of))


def frame(of: link.Frame, *, is_sent: bool = False) -> msgspec.Raw:
    """A frame of the agent link as a trace shows it: its JSON with its kind, secrets redacted."""
    encoded = json.encode_twice(of) if is_sent else json.encode(of)
    return _raw(b'{"kind":"%s",' % type(of).__name__.encode() + encoded[1:])


def text_of(data: bytes) -> str:
    """Bytes as JSON holds them."""
    return base64.b64encode(data).decode()


def _raw(encoded: bytes) -> msgspec.Raw:
    if b'"secret"' in encoded or b'"SECRET"' in encoded:
        encoded = json.dump(without_secrets(msgspec.json.decode(encoded)))
    return msgspec.Raw(encoded)


class RecordedIds:
    """An id source that remembers what was drawn, so that a replay draws the same."""

    def __init__(self, ids: IdSource) -> None:
        self._ids = ids
        self.drawn: list[str] = []

    def uuid(self) -> str:
        """As the source beneath."""
        value = self._ids.uuid()
        self.drawn.append(value)
        return value

    def uuid_bytes(self) -> bytes:
        """As the source beneath."""
        value = self._ids.uuid_bytes()
        self.drawn.append("hex:" + value.hex())
        return value


# The writer ---------------------------------------------------------------------------------------


def header(
    *,
    role: str,
    node: str,
    incarnation: str,
    wall_us: int,
    config: Mapping[str, Any],
    recovered: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The first line of a trace. `config` and `recovered` are what the core was made with.

    `recovered` is redacted as messages are.
    """
    line: dict[str, Any] = {
        "trace": FORMAT,
        "version": VERSION,
        "role": role,
        "node": node,
        "incarnation": incarnation,
        "wall": wall_us / 1_000_000,
        "config": dict(config),
    }
    if recovered:
        line["recovered"] = _raw(json.dump(recovered))
    return line


def file_name(role: str, node: str, incarnation: str) -> str:
    """The name of a trace in its folder; what a file name can't hold becomes ``_``."""
    name = f"{role}-{node}-{incarnation}"
    return "".join(c if c.isalnum() or c in "-." else "_" for c in name) + ".ndjson"


Target: TypeAlias = Path | Callable[[bytes], object]

Traces: TypeAlias = Path | Callable[[str], Callable[[bytes], object]]
"""Where traces go: a folder; or what says, of the name of each, whatever takes its bytes."""


def target_in(traces: Traces, role: str, node: str, incarnation: str) -> Target:
    """Where the trace of one process goes."""
    name = file_name(role, node, incarnation)
    return traces / name if isinstance(traces, Path) else traces(name)


class TraceFile:
    """A new file, for its owner's eyes only. Each piece written to it is one `write` call."""

    def __init__(self, path: Path) -> None:
        """Raises `OSError`, also if the file is there already."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        self._descriptor = os.open(path, flags, 0o600)
        self._path = path

    def __call__(self, data: bytes) -> None:
        """Hand `data` to the system: it outlives this process, killed or not. Raises `OSError`."""
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._descriptor, view) :]
        except OSError as error:
            error.filename = str(self._path)  # a descriptor has no name to tell
            raise

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)


class TraceWriter:
    """Writes one process' trace. Made right after its core, before the core hears anything.

    `target` is where the lines go: the path of a file that is not there yet, or whatever takes
    bytes. `ids` is given if the core draws its ids through it. Errors of the disk are raised: a run
    that was to be judged must not go on unseen.
    """

    def __init__(
        self,
        target: Target,
        header: Mapping[str, Any],
        core: Watched,
        ids: RecordedIds | None = None,
    ) -> None:
        self._tracing = tracing_of(header["role"])
        self._is_agent = header["role"] == "agent"
        self._core = core
        self._ids = ids
        self._file = TraceFile(target) if isinstance(target, Path) else None
        self._target = self._file or target
        self._numbers = Numbers()
        self._lines: list[bytes] = []
        self._seq = 0
        self._next_whole = 0
        self._batch = 0
        core.watched = True
        self._put(json.dump(header) + b"\n")

    def record(self, event: object, now_us: int, step: Step, batch: int) -> None:
        """Take down that the core heard `event` and answered with `step`, in this batch."""
        self._batch = batch
        if self._tracing.leaves_record(event, step):
            sent_of, numbers = self._tracing.sent_of, self._numbers
            sent = [s for e in step.effects if (s := sent_of(e, numbers)) is not None]
            heard = self._tracing.heard_of(event)
            self._take_down(heard, now_us, sent, step.did)
            if heard.get("local") == "ended":
                self._forget(heard)

    def _forget(self, ended: Heard) -> None:
        """Stop counting what goes where nobody hears it any more.

        Not the events on an executor's broken stream: its agent goes on making them (EXE-4).
        """
        connection = ended.get("link") or ("" if self._is_agent else ended.get("stream"))
        self._numbers.forget(connection or "")

    def write(self) -> None:
        """Write what was taken down, as one piece. Call it before the effects are performed."""
        if self._lines:
            lines, self._lines = self._lines, []
            self._put(b"".join(lines))

    def close(self, now_us: int) -> None:
        """An orderly end: a last record with the whole view."""
        self._batch += 1
        self._next_whole = self._seq
        self._take_down({"local": "closed"}, now_us, [], ())
        self.write()
        if self._file is not None:
            self._file.close()

    def _take_down(self, heard: Heard, now_us: int, sent: list[Sent], did: Sequence[Did]) -> None:
        record: dict[str, Any] = {
            "seq": self._seq,
            "now": now_us,
            "heard": heard,
            "sent": sent,
            "did": did,
            "view": self._core.take_changes(),
            "batch": self._batch,
        }
        if self._seq >= self._next_whole:
            del record["view"]
            record["whole"] = whole = self._core.view()
            self._next_whole = self._seq + max(WHOLE_EVERY, len(whole))
        if self._ids is not None and self._ids.drawn:
            record["drew"], self._ids.drawn = self._ids.drawn, []
        self._seq += 1
        self._lines.append(json.dump(record) + b"\n")

    def _put(self, data: bytes) -> None:
        assert callable(self._target)
        self._target(data)
