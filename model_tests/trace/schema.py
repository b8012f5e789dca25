"""As much of JSON Schema as docs/reference/trace.schema.json uses, and not a word more.

An unknown keyword is an error: a schema that says what nobody checks is worse than none.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

SAYS_NOTHING = {"$schema", "$defs", "title", "description"}

TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


def faults(data: Any, schema: Any, root: Any, path: str = "$") -> Iterator[str]:
    """What is wrong with `data`, each a sentence with a path."""
    for keyword, wanted in schema.items():
        if keyword in SAYS_NOTHING or _is_for_others(keyword, data):
            continue
        match keyword:
            case "$ref":
                yield from faults(data, root["$defs"][wanted.rpartition("/")[2]], root, path)
            case "type":
                names = [wanted] if isinstance(wanted, str) else wanted
                if not any(_is(data, name) for name in names):
                    yield f"{path}: {data!r} is not of type {wanted}"
            case "const":
                if data != wanted:
                    yield f"{path}: {data!r} is not {wanted!r}"
            case "enum":
                if data not in wanted:
                    yield f"{path}: {data!r} is none of {wanted}"
            case "minimum":
                if data < wanted:
                    yield f"{path}: {data} is less than {wanted}"
            case "anyOf" | "oneOf":
                yield from _alternatives(data, keyword, wanted, root, path)
            case "required":
                yield from (f"{path}: {key!r} is missing" for key in wanted if key not in data)
            case "properties":
                for key in wanted.keys() & data.keys():
                    yield from faults(data[key], wanted[key], root, f"{path}.{key}")
            case "prefixItems":
                for i, (item, its) in enumerate(zip(data, wanted)):
                    yield from faults(item, its, root, f"{path}[{i}]")
            case "items":
                yield from _items(data, wanted, len(schema.get("prefixItems", ())), root, path)
            case "minItems":
                if len(data) < wanted:
                    yield f"{path}: fewer than {wanted} items"
            case _:
                raise ValueError(f"a keyword nobody checks: {keyword}")


def _is(data: Any, name: str) -> bool:
    if isinstance(data, bool):
        return name == "boolean"
    return isinstance(data, TYPES[name])


def _is_for_others(keyword: str, data: Any) -> bool:
    """Keywords about objects say nothing about lists, and so on."""
    if keyword in ("required", "properties"):
        return not isinstance(data, dict)
    if keyword in ("prefixItems", "items", "minItems"):
        return not isinstance(data, list)
    return keyword == "minimum" and not isinstance(data, int | float)


def _alternatives(data: Any, keyword: str, wanted: Any, root: Any, path: str) -> Iterator[str]:
    fits = sum(not list(faults(data, schema, root, path)) for schema in wanted)
    if fits == 0 or (keyword == "oneOf" and fits > 1):
        yield f"{path}: {fits} alternatives fit {str(data)[:200]}"


def _items(data: Any, wanted: Any, prefix: int, root: Any, path: str) -> Iterator[str]:
    for i, item in enumerate(data[prefix:], prefix):
        if wanted is False:
            yield f"{path}[{i}]: one item too many"
        else:
            yield from faults(item, wanted, root, f"{path}[{i}]")
