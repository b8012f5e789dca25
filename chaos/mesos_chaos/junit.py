"""Verdicts as JUnit XML, for whatever CI reads that."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from mesos_spec.tools.report.judged import printable


class Case(NamedTuple):
    """One run: its scenario and seed, how long it took, and what is wrong (nothing: None)."""

    scenario: str
    seed: int
    took_s: float
    failure: str | None
    unknown: bool = False


def write_junit(path: Path, cases: Sequence[Case]) -> None:
    """Write `cases` to `path`; a run that proves nothing is an error, a wrong one a failure."""
    wrong = [case for case in cases if case.failure is not None]
    suite = ElementTree.Element(
        "testsuite",
        name="mesos-chaos",
        tests=str(len(cases)),
        failures=str(sum(not case.unknown for case in wrong)),
        errors=str(sum(case.unknown for case in wrong)),
        time=f"{sum(case.took_s for case in cases):.3f}",
    )
    for case in cases:
        element = ElementTree.SubElement(
            suite,
            "testcase",
            classname=f"mesos_chaos.{case.scenario}",
            name=f"seed={case.seed}",
            time=f"{case.took_s:.3f}",
        )
        if case.failure is not None:
            kind = "error" if case.unknown else "failure"
            text = printable(case.failure)
            first = text.splitlines()[0] if text else ""
            ElementTree.SubElement(element, kind, message=first).text = text
    ElementTree.ElementTree(suite).write(path, encoding="unicode", xml_declaration=True)
