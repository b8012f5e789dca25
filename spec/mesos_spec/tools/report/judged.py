"""What a judged run has to tell to who reads code: findings, each at a line of a trace.

A violation is an error at the record that is wrong; a breach of the framework contract is a warning
where the framework did it first; a doubt is a warning about the run.  SARIF, GitHub's annotations
and JUnit are made from these.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from xml.etree import ElementTree

from mesos_spec.tools.judging.verdict import Breach, Verdict, Violation
from mesos_spec.tools.report.findings import Finding
from mesos_spec.tools.search.blame import Place

SUFFICE = "the_traces_suffice"
#: What no XML document may hold: control characters, as terminals' colours have.
UNFIT = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
CONFORMS = "the_run_conforms"  #: the case that is the run itself

DEMANDS = {
    "every_record_is_a_step": "Each record of each process is a sequence of the "
    "specification's actions, with its guards, its messages and its state.",
    SUFFICE: "The traces show all that a verdict needs.",
}


def judged(
    verdict: Verdict, run: str, *, contract: bool = False, place: Place | None = None
) -> list[Finding]:
    """Everything that is not well with a run, the worst first.

    With `contract` frameworks are to keep theirs, and a breach is an error.  What is at no record
    is at `place`.
    """
    breaches = _breaches(verdict, run, "error" if contract else "warning")
    return [*_violations(verdict, run), *breaches, *_doubts(verdict, run, place)]


def _violations(verdict: Verdict, run: str) -> Iterator[Finding]:
    for one in verdict.violations:
        says = f"{run}: {one.says} (party: {one.party}, {one.who})"
        demands = DEMANDS.get(one.rule, one.says)
        yield Finding(one.rule, "error", run, says, one.text(), _place(one), demands=demands)


def _breaches(verdict: Verdict, run: str, level: str) -> Iterator[Finding]:
    for (framework, clause), times in verdict.broken.items():
        first = next(b for b in verdict.breaches if (b.framework, b.clause) == (framework, clause))
        says = f"{run}: framework {framework} breaks {clause} ({times} times)"
        text = "\n".join(first.lines())
        yield Finding(clause, level, run, says, text, _place(first), demands=first.says)


def _doubts(verdict: Verdict, run: str, place: Place | None) -> Iterator[Finding]:
    for doubt in verdict.doubts:
        says = f"{run}: {doubt}"
        yield Finding(SUFFICE, "warning", run, says, says, place, demands=DEMANDS[SUFFICE])


def _place(one: Violation | Breach) -> Place | None:
    path, _, line = one.place.rpartition(":")
    return Place(path, int(line)) if path and line.isdigit() else None


def printable(text: str) -> str:
    """The text, with a mark for each character that XML cannot hold."""
    return UNFIT.sub("\N{REPLACEMENT CHARACTER}", text)


def junit(tool: str, told: Sequence[Finding], run: str) -> str:
    """One JUnit document with one suite: the run is a case, and so is each rule it breaks.

    Warnings are no failures.  A run of which nothing is proved is an error.
    """
    root = ElementTree.Element("testsuites", name=tool)
    suite = ElementTree.SubElement(root, "testsuite", name=run)
    case = ElementTree.SubElement(suite, "testcase", classname=run, name=CONFORMS)
    doubts = [one for one in told if one.rule == SUFFICE]
    wrong = [one for one in told if one.level == "error"]
    if doubts and not wrong:
        ElementTree.SubElement(case, "error", message=doubts[0].says)
    for one in wrong:
        at = ElementTree.SubElement(suite, "testcase", classname=run, name=one.rule)
        ElementTree.SubElement(at, "failure", message=printable(one.says)).text = printable(
            one.text
        )
    for element in (suite, root):
        for what, tag in (("failures", "failure"), ("errors", "error"), ("tests", "testcase")):
            element.set(what, str(len(list(element.iter(tag)))))
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True)
