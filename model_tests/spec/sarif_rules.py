"""What SARIF 2.1.0 demands of a log, as far as ours goes: each object's properties, and how they
refer to each other.  Written from the standard (OASIS, the sections named here); what is no
property of an object there is an error here, as in its schema.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

#: Object → property → what it is: an object of this kind, a list of them, or a plain value.
OBJECTS: dict[str, dict[str, Any]] = {
    "log": {"version!": str, "$schema": str, "runs!": ["run"]},  # 3.13
    "run": {  # 3.14
        "tool!": "tool",
        "columnKind": ("utf16CodeUnits", "unicodeCodePoints"),
        "originalUriBaseIds": {"": "artifactLocation"},
        "invocations": ["invocation"],
        "results": ["result"],
    },
    "tool": {"driver!": "toolComponent"},  # 3.18
    "toolComponent": {"name!": str, "rules": ["reportingDescriptor"]},  # 3.19
    "reportingDescriptor": {  # 3.49
        "id!": str,
        "shortDescription": "multiformatMessageString",
        "fullDescription": "multiformatMessageString",
        "properties": "tags",
    },
    "multiformatMessageString": {"text!": str},  # 3.12
    "tags": {"tags": [str]},  # 3.8.2
    "invocation": {"executionSuccessful!": bool},  # 3.20
    "result": {  # 3.27
        "ruleId": str,
        "ruleIndex": int,
        "level": ("none", "note", "warning", "error"),
        "message!": "message",
        "locations": ["location"],
        "codeFlows": ["codeFlow"],
        "partialFingerprints": {"": str},
        "properties": dict,
    },
    "message": {"text!": str},  # 3.11
    "location": {"physicalLocation": "physicalLocation", "message": "message"},  # 3.28
    "physicalLocation": {"artifactLocation!": "artifactLocation", "region": "region"},  # 3.29
    "artifactLocation": {"uri": str, "uriBaseId": str, "description": "message"},  # 3.4
    "region": {"startLine": int},  # 3.30
    "codeFlow": {"threadFlows!": ["threadFlow"]},  # 3.36
    "threadFlow": {"locations!": ["threadFlowLocation"]},  # 3.37
    "threadFlowLocation": {"location": "location", "executionOrder": int},  # 3.38
}
NOT_EMPTY = {"threadFlows", "locations"}  #: 3.36.3, 3.37.6
URI = re.compile(r"[\w.~:/?#\[\]@!$&'()*+,;=%-]*", re.ASCII)  #: RFC 3986, its characters


def faults(log: Any) -> list[str]:
    """What is wrong with a log."""
    found = list(_object("log", log, "log"))
    return found or [*_references(log)]


def _object(kind: str, value: Any, at: str) -> Iterator[str]:
    rules = {name.rstrip("!"): rule for name, rule in OBJECTS[kind].items()}
    if not isinstance(value, dict):
        yield f"{at} is no object"
        return
    needed = [name[:-1] for name in OBJECTS[kind] if name.endswith("!")]
    yield from (f"{at} lacks {name}" for name in needed if name not in value)
    for name, held in value.items():
        if name not in rules:
            yield f"{at}.{name} is no property of a {kind}"
        else:
            yield from _value(rules[name], held, f"{at}.{name}")


def _value(rule: Any, held: Any, at: str) -> Iterator[str]:
    if isinstance(rule, list):
        if not isinstance(held, list):
            yield f"{at} is no list"
            return
        if at.rpartition(".")[2] in NOT_EMPTY and not held:
            yield f"{at} is empty"
        for n, one in enumerate(held):
            yield from _value(rule[0], one, f"{at}[{n}]")
    elif isinstance(rule, dict):
        for name, one in held.items():
            yield from _value(rule[""], one, f"{at}.{name}")
    elif isinstance(rule, str):
        yield from _object(rule, held, at)
    elif isinstance(rule, tuple):
        if held not in rule:
            yield f"{at} is {held!r}, and none of {rule}"
    elif type(held) is not rule:
        yield f"{at} is {held!r}, and no {rule.__name__}"


def _references(log: Any) -> Iterator[str]:
    if log["version"] != "2.1.0":
        yield "it is of another version"
    for run in log["runs"]:
        rules = run["tool"]["driver"].get("rules", [])
        if len({rule["id"] for rule in rules}) != len(rules):
            yield "two rules have one id"
        for rule in rules:
            tags = rule.get("properties", {}).get("tags", [])
            if len(set(tags)) != len(tags):
                yield f"{rule['id']} has a tag twice"
        for one in run.get("results", []):
            at = one.get("ruleIndex", -1)
            if at >= 0 and (at >= len(rules) or rules[at]["id"] != one.get("ruleId")):
                yield f"rule {at} is not {one.get('ruleId')}"
        yield from _places(run, run.get("originalUriBaseIds", {}))


def _places(value: Any, bases: Any) -> Iterator[str]:
    """Every place in a run: relative to a base that there is, or absolute; on a line."""
    if isinstance(value, list):
        for one in value:
            yield from _places(one, bases)
    elif isinstance(value, dict):
        uri, base = value.get("uri"), value.get("uriBaseId")
        if uri is not None:
            if not URI.fullmatch(uri):
                yield f"{uri!r} is no URI"
            if bool(urlsplit(uri).scheme) == (base is not None):
                yield f"{uri!r} is to be absolute, or relative to a base"
        if base is not None and base not in bases:
            yield f"nobody says where {base} is"
        if value.get("startLine", 1) < 1 or value.get("executionOrder", 0) < 0:
            yield "lines begin with 1, and orders with 0"
        for one in value.values():
            yield from _places(one, bases)
