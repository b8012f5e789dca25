"""What every wire message is made of: the base class, ids, opaque objects, defaults.

On the wire an id is an object, ``{"value": "…"}``; in Python it is a plain `str`.  To a type
checker `FrameworkId` and its kin *are* `str`; to msgspec they are the marker class `Id`, so
decoding calls `decode_hook`, which unwraps the object (about 0.2 µs), and the encoder's plan
(`mesos_ref.wire.json`) knows which fields to wrap again.  Cores, views and dictionary keys see
nothing but strings.

An opaque part of a message (`JsonObject`) is carried whole and never looked into: nulls are dropped
on the way in, since Mesos reads ``null`` as "unset"; nesting and numbers are bounded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import msgspec

#: Deepest nesting of an opaque object.  Protobuf's own parser stops at 100.
MAX_DEPTH = 64
#: The integers protobuf has: of int64 and of uint64.
MIN_INTEGER = -(2**63)
MAX_INTEGER = 2**64 - 1


class WireError(ValueError):
    """What came in is not the message it should be.  Says where, and what would be right."""


class Message(msgspec.Struct, frozen=True, omit_defaults=True):
    """A message or a part of one: immutable, keyword-only, unset optional fields are `None`.

    Repeated fields are tuples, and empty when unset.
    """

    #: The Python shape is already the wire's, so msgspec may write it directly.  Set where speed
    #: asks for it; the writer then answers for doubles being `float`.
    written_as_is: ClassVar[bool] = False


class _MarkerFor(type):
    """Makes msgspec accept values of another class where a marker class is declared."""

    stands_for: type

    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, cls.stands_for)


class Id(metaclass=_MarkerFor):
    """Marks a field that is ``{"value": "…"}`` on the wire and `str` in Python."""

    stands_for = str


class Opaque(metaclass=_MarkerFor):
    """Marks a field that holds any JSON object, carried whole."""

    stands_for = dict


if TYPE_CHECKING:
    FrameworkId: TypeAlias = str
    AgentId: TypeAlias = str
    OfferId: TypeAlias = str
    TaskId: TypeAlias = str
    ExecutorId: TypeAlias = str
    ContainerId: TypeAlias = str
    JsonObject: TypeAlias = dict[str, Any]
else:
    FrameworkId = AgentId = OfferId = TaskId = ExecutorId = ContainerId = Id
    JsonObject = Opaque


def always(value: Any) -> Any:
    """A default that is written out even when unset, as Mesos does for declared defaults.

    `omit_defaults` leaves out a field that equals its `default`, but not one whose value merely
    came from a factory.
    """
    return msgspec.field(default_factory=lambda: value)


def decode_hook(marker: type, value: object) -> object:
    """msgspec's `dec_hook`: unwrap an id, or clean an opaque object."""
    if marker is Id:
        return unwrap_id(value)
    return clean_object(value)


def unwrap_id(value: object) -> str:
    """The text inside ``{"value": text}``.  Raises `WireError`."""
    if isinstance(value, dict):
        text = value.get("value")
        if isinstance(text, str):
            return text
    raise WireError('expected an id, {"value": "…"}')


def clean_object(value: object) -> dict[str, Any]:
    """`value` without its nulls.

    Raises `WireError` if it is no object, nested too deeply, or has a number beyond 64 bits.
    """
    if not isinstance(value, dict):
        raise WireError("expected an object")
    cleaned = _without_nulls(value, 0)
    assert isinstance(cleaned, dict)
    return cleaned


def _without_nulls(value: object, depth: int) -> object:
    if depth > MAX_DEPTH:
        raise WireError(f"expected at most {MAX_DEPTH} levels of nesting")
    if isinstance(value, dict):
        return {
            key: _without_nulls(item, depth + 1) for key, item in value.items() if item is not None
        }
    if isinstance(value, list):
        return [_without_nulls(item, depth + 1) for item in value if item is not None]
    if isinstance(value, int) and not MIN_INTEGER <= value <= MAX_INTEGER:
        raise WireError("expected integers of at most 64 bits")
    return value
