"""JSON in and out, as Apache Mesos reads and writes it.

Reading tries msgspec's strict way first; only if that refuses does `mesos_ref.wire.lenient`
walk the message, forgive what Mesos forgives (null, a lone object for a list, numeric strings,
unknown enum names), and say where it is wrong otherwise.

Writing wraps ids again, writes doubles with a decimal point, and stays ASCII on one line: stock
clients count characters where they should count bytes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

import msgspec
from msgspec import inspect
from msgspec.structs import astuple

from mesos_ref.wire.lenient import read_leniently
from mesos_ref.wire.shape import Id, Message, WireError, decode_hook

T = TypeVar("T")
Convert = Callable[[Any], Any]

_encoder = msgspec.json.Encoder()

#: The strict decoder of each message class, made when first asked for.
_decoders: dict[type, msgspec.json.Decoder[Any]] = {}


# Reading --------------------------------------------------------------------------------------


def decode(raw: bytes, wanted: type[T]) -> T:
    """Read one message of class `wanted`.

    Any `Message` class will do, also one of another protocol.  Raises `WireError` with a sentence
    and a JSON path, and nothing else.
    """
    decoder = _decoders.get(wanted)
    if decoder is None:
        decoder = _decoders[wanted] = msgspec.json.Decoder(wanted, dec_hook=decode_hook)
    try:
        message: T = decoder.decode(raw)
        return message
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return _patiently(parse(raw), wanted)


def parse(raw: bytes) -> Any:
    """Any JSON text as plain Python data.  Raises `WireError`."""
    try:
        return msgspec.json.decode(raw)
    except RecursionError:
        raise WireError("not JSON we take: nested too deeply") from None
    except (msgspec.MsgspecError, ValueError) as error:
        raise WireError(f"not JSON: {error}") from None


def from_builtins(data: Any, wanted: type[T]) -> T:
    """The message that plain data (`to_builtins`) stands for.  Raises `WireError`."""
    try:
        return msgspec.convert(data, wanted, dec_hook=decode_hook)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return _patiently(data, wanted)


def _patiently(data: Any, wanted: type[T]) -> T:
    try:
        return read_leniently(data, wanted)
    except RecursionError:
        raise WireError("nested too deeply") from None


# Writing --------------------------------------------------------------------------------------


def encode(message: Message) -> bytes:
    """One line of ASCII JSON: what is set, and the defaults Mesos always writes."""
    if _kept:
        kept = _kept.pop(id(message), None)
        if kept is not None:
            return kept[1]
    return dump(_writer(type(message))(message))


#: Texts of messages that are encoded once more, by identity, each with its message so that it is
#: nobody else's; and how many and how long they may be.
_kept: dict[int, tuple[Message, bytes]] = {}
KEPT_AT_MOST = 256
KEPT_BYTES = 64 * 1024


def encode_twice(message: Message) -> bytes:
    """As `encode`, for what is written down before it is sent: the next time is for nothing."""
    text = encode(message)
    if len(text) <= KEPT_BYTES:
        if len(_kept) >= KEPT_AT_MOST:
            _kept.clear()  # they were never sent: their connections are gone
        _kept[id(message)] = message, text
    return text


def size(message: Message) -> int:
    """How many bytes `message` has on the wire."""
    return len(encode(message))


def dump(data: Any) -> bytes:
    """Plain data, or structs, as one line of ASCII JSON."""
    text = _encoder.encode(data)
    return text if text.isascii() else _escape(text)


def to_builtins(message: Message) -> dict[str, Any]:
    """`message` as the plain data its JSON would hold."""
    plain = msgspec.json.decode(_encoder.encode(_writer(type(message))(message)))
    assert isinstance(plain, dict)
    return plain


_NON_ASCII = re.compile("[^\x00-\x7f]")


def _escape(text: bytes) -> bytes:
    """Non-ASCII occurs only inside strings, so each character may be escaped where it stands."""
    return _NON_ASCII.sub(_escaped, text.decode()).encode()


def _escaped(match: re.Match[str]) -> str:
    units = match.group().encode("utf-16-be").hex()
    return "".join(f"\\u{units[i : i + 4]}" for i in range(0, len(units), 4))


@cache
def _writer(wanted: type) -> Convert:
    """What turns an instance of `wanted` into something msgspec writes as Mesos would."""
    info = inspect.type_info(wanted)
    assert isinstance(info, inspect.StructType), f"{wanted} is no message"
    return _struct_writer(info)


#: The writer of each class of message that was met, also of those within others.
_writers: dict[type, Convert] = {}


def _struct_writer(info: inspect.StructType) -> Convert:
    known = _writers.get(info.cls)
    if known is not None:
        return known
    #: Of each field: its name, how to convert it, and whether it is written when it is unset.
    plan = [(field.encode_name, _converter(field.type), _is_always(field)) for field in info.fields]

    def write(message: Any) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for value, entry in zip(astuple(message), plan, strict=True):
            if (value is None or value == ()) and not entry[2]:
                continue  # as most are
            name, convert, _ = entry
            data[name] = value if convert is None else convert(value)
        return data

    _writers[info.cls] = write
    return write


def _is_always(field: inspect.Field) -> bool:
    return field.required or field.default_factory is not msgspec.NODEFAULT


def _converter(kind: inspect.Type) -> Convert | None:
    """How to turn a set value into its wire shape; None if it is that already."""
    match kind:
        case inspect.UnionType():
            return _converter(next(t for t in kind.types if not isinstance(t, inspect.NoneType)))
        case inspect.CustomType() if kind.cls is Id:
            return _wrap_id
        case inspect.FloatType():
            return _double
        case inspect.VarTupleType():
            item = _converter(kind.item_type)
            return None if item is None else _each(item)
        case inspect.StructType() if not _is_written_as_is(kind):
            return _struct_writer(kind)
        case _:
            return None


def _is_written_as_is(info: inspect.StructType) -> bool:
    if getattr(info.cls, "written_as_is", False):
        return True
    return all(_converter(field.type) is None for field in info.fields)


def _wrap_id(value: str) -> dict[str, str]:
    return {"value": value}


def _double(value: float) -> float | str:
    """JSON has no infinity; Mesos writes its name."""
    if math.isfinite(value):
        return float(value)
    return "Infinity" if value > 0 else "-Infinity"


def _each(convert: Convert) -> Convert:
    return lambda values: [convert(value) for value in values]
