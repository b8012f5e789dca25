"""Values of a specification as JSON that others read: the encoding of ITF.

The *Informal Trace Format* is what Apalache and Quint write their traces in (Apalache's ADR-015).
Records are objects, sequences lists, messages variants (`tag`, `value`); `#set`, `#tup`, `#map` and
`#bigint` mark the rest.  Different values of one cell never look the same here.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any

from mesos_spec.kernel import ABSENT, Bag, Fifo, Table

NOTHING: Mapping[str, Any] = {"tag": "Nothing", "value": {}}

#: Integers beyond it are no JSON numbers that every reader gets right.
SAFE = 2**53 - 1


def itf(value: Any, big: bool = True) -> Any:
    """A value as ITF has it.  With `big`, all integers are `#bigint`; else only large ones."""
    if value is None or value is ABSENT:
        return dict(NOTHING)
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return {"#bigint": str(value)} if big or abs(value) > SAFE else value
    if isinstance(value, Table):
        return _map(value.items(), big)
    if isinstance(value, Fifo):
        return [itf(message, big) for message in value.mail]
    if isinstance(value, Bag):
        return _map([(message, value.mail.count(message)) for message in value], big)
    if isinstance(value, frozenset):
        return {"#set": [itf(v, big) for v in sorted(value, key=repr)]}
    if getattr(value, "_fields", None) is not None:
        return {name: itf(getattr(value, name), big) for name in value._fields}
    if getattr(value, "__dataclass_fields__", None) is not None:
        fields = {name: itf(getattr(value, name), big) for name in value.__dataclass_fields__}
        return {"tag": type(value).__name__, "value": fields}
    if isinstance(value, tuple):
        return {"#tup": [itf(v, big) for v in value]}
    if callable(getattr(value, "items", None)):
        return _map(value.items(), big)
    return {"#unserializable": repr(value)}


def _map(items: Any, big: bool) -> dict[str, Any]:
    return {"#map": [[itf(k, big), itf(v, big)] for k, v in items]}


def itf_names(bound: Mapping[str, Any], big: bool = True) -> dict[str, Any]:
    """Bound names with their values."""
    return {name: itf(value, big) for name, value in bound.items()}
