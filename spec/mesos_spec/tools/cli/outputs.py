"""What `mesos-spec check` writes when it is done: a table's end, JSON, files, annotations.

Standard output has one thing: the table, or one JSON document.  GitHub reads annotations from
either stream, so with JSON they go to the other.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mesos_spec.tools.cli.common import Misused, say_json


def add(parser: argparse.ArgumentParser) -> None:
    """The arguments that say what is written, and where."""
    parser.add_argument("--json", action="store_true", help="one JSON document instead of a table")
    parser.add_argument("--junit", metavar="FILE", type=Path, help="write a JUnit report there")
    parser.add_argument("--sarif", metavar="FILE", type=Path, help="write a SARIF log there")
    parser.add_argument(
        "--github",
        action="store_true",
        help="print GitHub annotations (done anyway in a GitHub workflow)",
    )
    parser.add_argument(
        "--coverage", action="store_true", help="say which actions and guards were reached"
    )
    parser.add_argument(
        "--save",
        metavar="DIR",
        type=Path,
        help="write counterexamples, and ways to what must be seen, for replay, why, show and step",
    )


def check_places(args: argparse.Namespace) -> None:
    """Raise `Misused` where something can never be written, before the long work begins."""
    for option, path in (("--junit", args.junit), ("--sarif", args.sarif)):
        if path is not None and not path.parent.is_dir():
            raise Misused(f"{option} {path}: there is no folder {path.parent}")
    if args.save is not None:
        try:
            args.save.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Misused(f"--save {args.save}: {error.strerror}") from None


def tell(args: argparse.Namespace, results: Mapping[str, Any], asked: int, code: int) -> None:
    """Everything that is told when the searches are over.  `results` by how a model is found."""
    from mesos_spec.tools.report import checks, coverage, github, junit, sarif

    found = list(results.values())
    covered = coverage.coverage(found) if args.coverage else None
    saved = _save(args.save, results) if args.save is not None else []
    if args.json:
        document: dict[str, Any] = {"exit_code": code, "models": [checks.plain(r) for r in found]}
        if covered is not None:
            each = {r.model.name: coverage.as_plain(coverage.coverage([r])) for r in found}
            document["coverage"] = {"all": coverage.as_plain(covered), "models": each}
        if args.save is not None:
            document["saved"] = saved
        say_json(document)
    else:
        print(checks.summary(found, asked))
        if covered is not None:
            _cover(found)
        for path in saved:
            print(f"written: {path}")
    if args.junit is not None:
        args.junit.write_text(junit.junit(found), encoding="utf-8")
    if args.sarif is not None:
        args.sarif.write_text(sarif.sarif(found), encoding="utf-8")
    if args.github or github.is_asked(os.environ):
        out = sys.stderr if args.json else sys.stdout
        for line in github.commands(found):
            print(line, file=out)
    page = os.environ.get("GITHUB_STEP_SUMMARY")
    if page and github.is_asked(os.environ):
        with Path(page).open("a", encoding="utf-8") as file:
            file.write(github.summary(found, [checks.said(r) for r in found]))


def _cover(found: list[Any]) -> None:
    """The coverage of each model, where there are several, and of all together."""
    from mesos_spec.mesos import ACTIONS
    from mesos_spec.models import MODELS
    from mesos_spec.tools.report import coverage

    ours = {id(model) for model in MODELS}
    known = list(ACTIONS) if all(id(r.model) in ours for r in found) else []
    print()
    print(coverage.table(coverage.coverage(found)))
    if len(found) > 1:
        for result in found:
            print("\n" + coverage.as_text(coverage.coverage([result])))
    print("\n" + coverage.as_text(coverage.coverage(found), known))


def _save(folder: Path, results: Mapping[str, Any]) -> list[str]:
    """Write the files of what was found, and say which."""
    from mesos_spec.tools.report.behaviours import as_ndjson, witness
    from mesos_spec.tools.report.findings import broken_of
    from mesos_spec.tools.search.checker import ENDLESS

    files: dict[str, str] = {}
    for target, result in results.items():
        name = result.model.name
        for broken in (one for one in broken_of(result) if one.claim != ENDLESS):
            files[f"{name}.{broken.claim}"] = as_ndjson(target, name, broken)
        for claim, way in result.witnesses.items():
            files[f"{name}.{claim}"] = witness(target, name, claim, way)
    for name, text in files.items():
        path = folder / (re.sub(r"[^\w.-]", "_", name) + ".ndjson")
        path.write_text(text, encoding="utf-8")
    return [str(folder / (re.sub(r"[^\w.-]", "_", name) + ".ndjson")) for name in files]
