"""Findings as SARIF 2.1.0, which code hosts and editors show beside the code.

A rule is a property, its place the property's own line, its message the counterexample; the steps
of the counterexample are a code flow through the actions that were taken.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from mesos_spec.tools.report import explain
from mesos_spec.tools.report.findings import OWN_RULES, Finding, claims, findings
from mesos_spec.tools.search.blame import Place
from mesos_spec.tools.search.checker import ENDLESS, WRONG, Result

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def sarif(results: Sequence[Result[Any]]) -> str:
    """The findings of a check, as one SARIF log with one run."""
    rules = {name: _rule(name, says, cites) for name, (says, cites) in _rules(results).items()}
    told = findings(results)
    return log("mesos-spec", told, list(rules.values()), any(map(_is_wrong, told)))


def of_runs(tool: str, told: Sequence[Finding], failed: bool = False) -> str:
    """The findings of runs that were judged: a rule for each that was broken.

    `failed`: some could not be carried out, which is the tool's failure and nobody else's.
    """
    rules = {one.rule: _rule(one.rule, one.demands, ()) for one in told}
    return log(tool, told, list(rules.values()), failed)


def log(
    tool: str, told: Sequence[Finding], rules: Sequence[Mapping[str, Any]], failed: bool
) -> str:
    """One SARIF log with one run of `tool`, which itself may have failed."""
    at = {rule["id"]: n for n, rule in enumerate(rules)}
    run = {
        "tool": {"driver": {"name": tool, "rules": rules}},
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {"ROOT": {"description": {"text": "where the check was run"}}},
        "invocations": [{"executionSuccessful": not failed}],
        "results": [_result(one, at[one.rule]) for one in told],
    }
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(log, indent=1, ensure_ascii=True) + "\n"


def _is_wrong(one: Finding) -> bool:
    return one.rule in (ENDLESS, WRONG)


def _rules(results: Iterable[Result[Any]]) -> dict[str, tuple[str, Sequence[str]]]:
    """Every property of every model, once; and what is no property."""
    found: dict[str, tuple[str, Sequence[str]]] = {}
    for result in results:
        for claim in claims(result.model.spec):
            found[claim.name] = (claim.doc, claim.cites)
    for name, says in OWN_RULES.items():
        found[name] = (says, ())
    return found


def _rule(name: str, doc: str, cites: Sequence[str]) -> dict[str, Any]:
    return {
        "id": name,
        "shortDescription": {"text": doc.splitlines()[0] if doc else name},
        "fullDescription": {"text": doc or name},
        "properties": {"tags": list(cites)},
    }


def _result(one: Finding, rule: int) -> dict[str, Any]:
    found: dict[str, Any] = {
        "ruleId": one.rule,
        "ruleIndex": rule,
        "level": one.level,
        "message": {"text": f"{one.says}\n{one.text}" if one.text != one.says else one.says},
        "partialFingerprints": {"claimInModel/v1": _digest(one.rule, one.of)},
        "properties": {"of": one.of},
    }
    if one.place is not None:
        found["locations"] = [{"physicalLocation": _location(one.place)}]
    if one.steps:
        flow = [
            {
                "location": {
                    **({"physicalLocation": _location(place)} if place else {}),
                    "message": {"text": explain.named(step.action, step.bound)},
                },
                "executionOrder": order,
            }
            for order, (step, place) in enumerate(one.steps, 1)
        ]
        found["codeFlows"] = [{"threadFlows": [{"locations": flow}]}]
    return found


def _location(place: Place) -> dict[str, Any]:
    path = Path(place.path)
    uri = path.as_uri() if path.is_absolute() else quote(path.as_posix())
    artifact: dict[str, Any] = {"uri": uri}
    if not path.is_absolute():
        artifact["uriBaseId"] = "ROOT"
    return {"artifactLocation": artifact, "region": {"startLine": place.line}}


def _digest(*words: str) -> str:
    return hashlib.sha256("\0".join(words).encode()).hexdigest()[:16]
