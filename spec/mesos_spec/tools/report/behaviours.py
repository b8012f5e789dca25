"""Behaviours of models in files: written so that everything in them can be done again.

The file is a trace (`docs/reference/trace.md`) of a kind of its own: NDJSON, a header that names
the model and the claim, record 0 with the whole state, then a record for each step with the action,
its names and the cells it changed.  Values are written as ITF has them, and never read back: a step
is found again by trying the action with every binding until one is written the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from mesos_spec.kernel import Cells, Effects, show
from mesos_spec.tools.report.values import itf, itf_names
from mesos_spec.tools.search.checker import Behaviour, Counterexample, Taken

S = TypeVar("S", bound=Cells)

KIND, VERSION, ROLE = "mesos-spec", 1, "model"
_BEGINNING = b'{"trace":"mesos-spec",'


class BehaviourError(Exception):
    """A file that is no behaviour of a model, or not one that this reader understands."""


class Header(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The first line: of what model this is a behaviour, and what it shows."""

    trace: str
    version: int
    role: str
    node: str  #: the model's own name
    model: str  #: how `mesos-spec` finds it: a name, or FILE.py:VARIABLE
    claim: str = ""  #: the property it breaks, or shows to be satisfied; empty: none
    shows: str = ""  #: "broken", "seen", "wrong" (the specification fails there), or nothing
    bound: dict[str, Any] = {}
    why: str = ""
    loop: int | None = None  #: a lasso: the last step leads back to the state after so many


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """Record 0 has the whole state; every other one step, and what it changed."""

    seq: int
    did: list[tuple[str, dict[str, Any]]] = []
    whole: dict[str, Any] | None = None
    view: dict[str, Any] | None = None  #: cells that changed; null: as it was before any write


@dataclass(frozen=True)
class Written:
    """What a file says."""

    path: str
    header: Header
    records: tuple[Record, ...]

    @property
    def steps(self) -> tuple[Record, ...]:
        """The records that are steps."""
        return self.records[1:]


# ---- writing -------------------------------------------------------------------------------
def as_ndjson(model: str, node: str, behaviour: Behaviour[S], shows: str = "") -> str:
    """The file of a behaviour.  `model` is how the model is found, `node` what it calls itself."""
    cycle: tuple[Taken, ...] | None = getattr(behaviour, "cycle", None)
    header: dict[str, Any] = {"trace": KIND, "version": VERSION, "role": ROLE}
    header |= {"node": node, "model": model}
    if isinstance(behaviour, Counterexample):
        header |= {"claim": behaviour.claim, "shows": "wrong" if behaviour.wrong else "broken"}
        header |= {"bound": itf_names(behaviour.bound, big=False), "why": behaviour.why}
    if shows:
        header["shows"] = shows
    if cycle is not None:
        header["loop"] = len(behaviour.steps)
    lines = [header, {"seq": 0, "did": [], "whole": whole(behaviour.first)}]
    for seq, step in enumerate((*behaviour.steps, *(cycle or ())), 1):
        did = [[step.action, itf_names(step.bound, big=False)]]
        lines.append({"seq": seq, "did": did, "view": view(behaviour.first, step.changed)})
    return "".join(_line(line) for line in lines)


def witness(model: str, node: str, claim: str, behaviour: Behaviour[S]) -> str:
    """The file of a behaviour that shows a SOMETIMES property satisfied."""
    text = as_ndjson(model, node, behaviour, "seen")
    first, rest = text.split("\n", 1)
    return _line({**json.loads(first), "claim": claim}) + rest


def whole(s: Cells) -> dict[str, Any]:
    """Every cell that does not hold its default."""
    return {show(cell): itf(value, big=False) for cell, value in s.cells()}


def view(s: Cells, changed: Effects) -> dict[str, Any]:
    """What cells were changed to; null where a cell is as it was before any write."""
    return {
        show(cell): None if new == s.default(cell) else itf(new, big=False)
        for cell, (_, new) in changed.items()
    }


def _line(found: Any) -> str:
    return json.dumps(found, ensure_ascii=True, separators=(",", ":")) + "\n"


# ---- reading -------------------------------------------------------------------------------
_HEADER = msgspec.json.Decoder(Header)
_RECORD = msgspec.json.Decoder(Record)


def is_behaviour(path: Path) -> bool:
    """Whether a file begins like a behaviour of a model."""
    try:
        with path.open("rb") as file:
            return file.read(len(_BEGINNING)) == _BEGINNING
    except OSError:
        return False


def read_behaviour(path: Path) -> Written:
    """What is in a file.  Raises `BehaviourError` with the line, for what is no behaviour."""
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise BehaviourError(f"{path}: cannot be read: {error.strerror}") from None
    if lines.pop() != b"" or len(lines) < 2:
        raise BehaviourError(f"{path}: it is cut short: a header and record 0 are the least")
    header: Header = _decoded(_HEADER, lines[0], f"{path}:1")
    for name, found, right in (
        ("trace", header.trace, KIND),
        ("version", header.version, VERSION),
        ("role", header.role, ROLE),
    ):
        if found != right:
            raise BehaviourError(f"{path}:1: `{name}` is {found!r}, where {right!r} is expected")
    records = tuple(_records(lines[1:], path))
    if header.loop is not None and not 0 <= header.loop < len(records):
        raise BehaviourError(f"{path}:1: `loop` is {header.loop}, and there is no such state")
    return Written(str(path), header, records)


def _records(lines: list[bytes], path: Path) -> Iterator[Record]:
    for seq, line in enumerate(lines):
        place = f"{path}:{seq + 2}"
        record: Record = _decoded(_RECORD, line, place)
        if record.seq != seq:
            raise BehaviourError(f"{place}: `seq` is {record.seq}, where {seq} follows")
        if seq == 0 and record.whole is None:
            raise BehaviourError(f"{place}: record 0 has no `whole` state")
        if seq and (len(record.did) != 1 or record.view is None):
            raise BehaviourError(f"{place}: a step has one action in `did`, and a `view`")
        yield record


def _decoded(decoder: msgspec.json.Decoder[Any], line: bytes, place: str) -> Any:
    try:
        return decoder.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BehaviourError(f"{place}: {error}") from None


def written_names(bound: Mapping[str, Any]) -> str:
    """Names as a file has them, for a report."""
    return ", ".join(f"{name}={json.dumps(value)}" for name, value in bound.items())
