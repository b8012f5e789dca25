"""Searches as a JUnit report: a suite for each model, a test case for each of its properties.

A broken property is a failure, with its counterexample; a property that is not known to hold, since
the search ended early, is skipped and says why.  The search itself is a case: it must finish, and
count what is pinned.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree

from mesos_spec.tools.report.checks import changed
from mesos_spec.tools.report.findings import broken_of, claims
from mesos_spec.tools.report.show import as_text
from mesos_spec.tools.search.checker import Counterexample, Result

SEARCH = "the_search_is_finished"  #: the case that is the search itself


def junit(results: Sequence[Result[Any]]) -> str:
    """One XML document."""
    root = ElementTree.Element("testsuites", name="mesos-spec check")
    for result in results:
        root.append(_suite(result))
    for what in ("tests", "failures", "errors", "skipped"):
        root.set(what, str(sum(int(suite.get(what, "0")) for suite in root)))
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True)


def _suite(result: Result[Any]) -> ElementTree.Element:
    suite = ElementTree.Element("testsuite", name=result.model.name)
    broken = {one.claim: one for one in broken_of(result)}
    names = [claim.name for claim in claims(result.model.spec)]
    names += [claim for claim in broken if claim not in names]
    for name in names:
        case = ElementTree.SubElement(suite, "testcase", classname=result.model.name, name=name)
        if name in broken:
            _fails(case, broken[name])
        elif name in result.unseen and result.finished:
            ElementTree.SubElement(case, "failure", message="no state was seen in which it holds")
        elif not result.finished:
            ElementTree.SubElement(case, "skipped", message=f"not known: {_ended(result)}")
    search = ElementTree.SubElement(suite, "testcase", classname=result.model.name, name=SEARCH)
    search.set("time", f"{result.seconds:.3f}")
    doubts = [result.stopped] if result.stopped else changed(result)
    if doubts:
        ElementTree.SubElement(search, "error", message="; ".join(doubts))
    for what, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(what, str(len(suite.findall(f"testcase/{tag}"))))
    suite.set("tests", str(len(suite)))
    suite.set("time", f"{result.seconds:.3f}")
    return suite


def _fails(case: ElementTree.Element, broken: Counterexample[Any]) -> None:
    """A property that is broken; or a specification that cannot be run, which is no failure."""
    kind = "failure" if broken.wrong is None else "error"
    body = ElementTree.SubElement(case, kind, message=broken.why)
    body.text = as_text(broken)


def _ended(result: Result[Any]) -> str:
    return result.stopped or "the search ended at what it found first"
