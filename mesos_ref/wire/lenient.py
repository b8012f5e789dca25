"""Reading a message with Mesos' patience, and finding the words for what can't be forgiven.

Mesos turns JSON into protobuf field by field (stout's protobuf.hpp).  So does this walk, which the
declared types of a message steer:

* ``null`` is "unset", also as an item of a list;
* a lone value where a list belongs is a list of one;
* an unknown field is ignored, an unknown enum name leaves an optional field unset;
* a number may come as a numeric string, a double also as ``"Infinity"``;
* bytes are base64.

It is the slow path: only what the strict decoder refused comes here.
"""

from __future__ import annotations

import base64
import binascii
import math
from contextlib import suppress
from functools import cache
from typing import Any, TypeVar, cast

from msgspec import inspect

from mesos_ref.wire.shape import Id, WireError, clean_object, unwrap_id

T = TypeVar("T")

#: Stands for "leave the field unset".
_UNSET = object()


def read_leniently(data: Any, wanted: type[T]) -> T:
    """The message of class `wanted` that plain JSON data stands for.  Raises `WireError`."""
    message = _read(data, _type_info(cast(Any, wanted)), "$")
    if not isinstance(message, wanted):
        raise _wrong("$", "an object", data)
    return message


@cache
def _type_info(wanted: Any) -> inspect.Type:
    return inspect.type_info(wanted)


def _wrong(path: str, expected: str, data: Any) -> WireError:
    shown = repr(data)
    shown = shown if len(shown) <= 60 else shown[:57] + "..."
    return WireError(f"wrong value at `{path}`: expected {expected}, got {shown}")


def _read(data: Any, kind: inspect.Type, path: str) -> Any:
    """`data` as `kind`; `_UNSET` for null and for an enum name nobody knows."""
    if data is None:
        return _UNSET
    match kind:
        case inspect.UnionType():
            inner = next(t for t in kind.types if not isinstance(t, inspect.NoneType))
            return _read(data, inner, path)
        case inspect.StructType():
            return _read_struct(data, kind, path)
        case inspect.VarTupleType():
            return _read_repeated(data, kind.item_type, path)
        case inspect.CustomType():
            return _read_custom(data, kind, path)
        case inspect.LiteralType():
            return _read_enum(data, kind, path)
        case _:
            return _read_scalar(data, kind, path)


def _read_struct(data: Any, kind: inspect.StructType, path: str) -> Any:
    if not isinstance(data, dict):
        raise _wrong(path, "an object", data)
    fields: dict[str, Any] = {}
    for field in kind.fields:
        at = f"{path}.{field.encode_name}"
        value = _read(data.get(field.encode_name), field.type, at)
        if value is not _UNSET:
            fields[field.name] = value
        elif field.required:
            raise WireError(f"missing required field `{at}`")
    return kind.cls(**fields)


def _read_repeated(data: Any, item: inspect.Type, path: str) -> tuple[Any, ...]:
    items = data if isinstance(data, list) else [data]
    read = (_read(value, item, f"{path}[{i}]") for i, value in enumerate(items))
    return tuple(value for value in read if value is not _UNSET)


def _read_custom(data: Any, kind: inspect.CustomType, path: str) -> Any:
    if kind.cls is Id:
        if not isinstance(data, dict):
            raise _wrong(path, 'an id, {"value": "…"}', data)
        if data.get("value") is None:
            raise WireError(f"missing required field `{path}.value`")
        if not isinstance(data["value"], str):
            raise _wrong(f"{path}.value", "a string", data["value"])
        return unwrap_id(data)
    try:
        return clean_object(data)
    except WireError as error:
        raise WireError(f"wrong value at `{path}`: {error}") from None


def _read_enum(data: Any, kind: inspect.LiteralType, path: str) -> Any:
    if not isinstance(data, str):
        raise _wrong(path, "the name of an enum value", data)
    return data if data in kind.values else _UNSET


def _read_scalar(data: Any, kind: inspect.Type, path: str) -> Any:
    match kind:
        case inspect.StrType():
            if isinstance(data, str):
                return data
            raise _wrong(path, "a string", data)
        case inspect.BoolType():
            if isinstance(data, bool):
                return data
            raise _wrong(path, "true or false", data)
        case inspect.IntType():
            return _read_int(data, kind, path)
        case inspect.FloatType():
            return _read_double(data, path)
        case inspect.BytesType():
            return _read_bytes(data, path)
        case _:
            raise TypeError(f"no message may hold a {kind!r}")


def _read_int(data: Any, kind: inspect.IntType, path: str) -> int:
    value: Any = data
    if isinstance(data, str) and len(data) <= 20:
        try:
            value = int(data)
        except ValueError:
            value = None
    elif isinstance(data, float) and data.is_integer():
        value = int(data)
    if not isinstance(value, int) or isinstance(value, bool):
        raise _wrong(path, "an integer", data)
    if kind.ge is not None and value < kind.ge:
        raise _wrong(path, f"an integer not below {kind.ge}", data)
    if kind.le is not None and value > kind.le:
        raise _wrong(path, f"an integer not above {kind.le}", data)
    return value


def _read_double(data: Any, path: str) -> float:
    if isinstance(data, (int, float, str)) and not isinstance(data, bool):
        try:
            value = float(data)
        except (ValueError, OverflowError):
            value = math.nan
        if not math.isnan(value):
            return value
    raise _wrong(path, "a number", data)


def _read_bytes(data: Any, path: str) -> bytes:
    if isinstance(data, str):
        with suppress(binascii.Error, ValueError):
            return base64.b64decode(data, validate=True)
    raise _wrong(path, "bytes in base64", data)
