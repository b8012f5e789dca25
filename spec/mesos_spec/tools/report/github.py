"""Findings as GitHub's workflow commands, which it shows at the lines of a pull request.

One line a finding, `::error file=…,line=…,title=…::text`, with the characters escaped that would
end it; and the table for the page of the run, where GitHub says in which file it wants that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from mesos_spec.tools.report.findings import Finding, findings
from mesos_spec.tools.search.checker import Result

_TEXT = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_PROPERTY = {**_TEXT, ":": "%3A", ",": "%2C"}


def is_asked(environment: Mapping[str, str]) -> bool:
    """Whether this runs in a workflow of GitHub's."""
    return environment.get("GITHUB_ACTIONS") == "true"


def commands(results: Sequence[Result[Any]]) -> Iterator[str]:
    """A line for each finding of a check."""
    return lines_of(findings(results))


def lines_of(told: Iterable[Finding]) -> Iterator[str]:
    """A line for each finding."""
    for one in told:
        title = _escaped(f"{one.of}: {one.rule}", _PROPERTY)
        where = ""
        if one.place is not None:
            where = f"file={_escaped(one.place.path, _PROPERTY)},line={one.place.line},"
        yield f"::{one.level} {where}title={title}::{_escaped(one.text, _TEXT)}"


def _escaped(text: str, marks: Mapping[str, str]) -> str:
    return "".join(marks.get(c, c) for c in text)


def summary(results: Sequence[Result[Any]], said: Sequence[str]) -> str:
    """The table as Markdown; `said` is the result of each search in words."""
    lines = [
        "| model | states | steps | depth | cut | time | result |",
        "|---|---:|---:|---:|---:|---:|---|",
    ]
    for result, says in zip(results, said):
        lines.append(
            f"| {result.model.name} | {result.states:,} | {result.steps:,} | {result.depth} "
            f"| {result.cut:,} | {result.seconds:.1f} s | {says.replace('|', chr(92) + '|')} |"
        )
    return "\n".join(lines) + "\n"
