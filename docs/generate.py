"""`python -m docs.generate` writes what the documentation says of the code, from the code.

All of docs/reference but the trace format, spec/interactions.md, and the table of figures in
README.md.  With `--check` nothing is written; the exit code is 1, and the names of the stale pages
are printed, if writing would change something.

With `--coverage` the scenarios are run first, to write the table that the page of coverage shows,
with `--mutants` the specification's mutants are hunted, for theirs (some minutes each), and with
`--kills` those of the implementation that have changed (an hour, if all have); without, those
tables are only read.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from docs.pages import (
    chaos,
    commands,
    coverage,
    diagrams,
    handlers,
    hunted,
    interactions,
    kills,
    measured,
    requirements,
    specification,
    surprises,
)

ROOT = Path(__file__).parent.parent

#: Path → what must be in it.
PAGES: dict[str, Callable[[], str]] = {
    "docs/reference/requirements.md": requirements.requirements_page,
    "docs/reference/actions.md": specification.actions,
    "docs/reference/properties.md": specification.properties_page,
    "docs/reference/messages.md": specification.messages_page,
    "docs/reference/models.md": specification.models,
    "docs/reference/coverage.md": coverage.coverage_page,
    "docs/reference/handlers.md": handlers.handlers_page,
    "docs/reference/surprises.md": surprises.surprises_page,
    "spec/interactions.md": interactions.interactions,
    "docs/reference/scenarios.md": chaos.scenarios,
    "docs/reference/faults.md": chaos.faults,
    "docs/reference/mutants.md": chaos.mutants,
    "docs/reference/specification-mutants.md": hunted.hunted_page,
    "docs/reference/kill-matrix.md": kills.kills_page,
    "docs/reference/cli.md": commands.commands,
    "README.md": lambda: measured.put_in((ROOT / "README.md").read_text()),
}

#: The same, of pages for which models have to be searched: a minute.
SEARCHED: dict[str, Callable[[], str]] = {"docs/reference/state-diagrams.md": diagrams.diagrams}


def stale(pages: Mapping[str, Callable[[], str]]) -> dict[str, str]:
    """The pages that are not what the code says, with what should be in them."""
    made = {path: make() for path, make in pages.items()}
    return {path: text for path, text in made.items() if _there(path) != text}


def _there(path: str) -> str:
    file = ROOT / path
    return file.read_text() if file.exists() else ""


def main(argv: Sequence[str] | None = None) -> int:
    """Write all pages, or say which would change."""
    parser = argparse.ArgumentParser(prog="python -m docs.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing")
    parser.add_argument("--searched", action="store_true", help="also what models are searched for")
    parser.add_argument("--coverage", action="store_true", help="run the scenarios first")
    parser.add_argument("--mutants", action="store_true", help="hunt mutants first")
    parser.add_argument("--kills", action="store_true", help="hunt the implementation's first")
    args = parser.parse_args(argv)
    if args.coverage:
        coverage.TABLE.write_text(coverage.measured())
        coverage.rows.cache_clear()
    if args.mutants:
        hunted.TABLE.write_text(hunted.measured())
        hunted.rows.cache_clear()
    if args.kills:
        kills.hunt()
        kills.rows.cache_clear()
    found = stale({**PAGES, **SEARCHED} if args.searched else PAGES)
    for path, text in found.items():
        if not args.check:
            (ROOT / path).write_text(text)
        print(f"{'stale' if args.check else 'written'}: {path}")
    return 1 if args.check and found else 0


if __name__ == "__main__":
    sys.exit(main())
