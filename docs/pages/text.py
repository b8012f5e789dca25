"""Markdown as the generated pages need it: a paragraph, a table, links to one's own source."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

#: The second line of every generated page.
WRITTEN = "<!-- Written by `make docs` from the code. Edit what it says there, not here. -->"


def page(title: str, *blocks: str) -> str:
    """A whole page; empty blocks are left out."""
    return "\n\n".join([f"# {title}", WRITTEN, *(b.strip("\n") for b in blocks if b)]) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; what is in a cell stays in that cell."""
    lines = [_row(head), "|" + "---|" * len(head)]
    return "\n".join([*lines, *map(_row, rows)])


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def code(text: str) -> str:
    """`text` as code."""
    return f"`{text}`"


def codes(texts: Iterable[str]) -> str:
    """Several, as a list within a line."""
    return ", ".join(map(code, texts))


def sentence(doc: str) -> str:
    """The first paragraph of a docstring, on one line."""
    return " ".join(doc.partition("\n\n")[0].split())


def paragraphs(doc: str) -> str:
    """A docstring as Markdown: each paragraph on one line."""
    return "\n\n".join(" ".join(part.split()) for part in doc.split("\n\n"))


def requirements(cites: Iterable[str], path: str = "requirements.md") -> str:
    """Requirement ids, each linked to its row."""
    return ", ".join(f"[{one}]({path}#{one.lower()})" for one in cites)
