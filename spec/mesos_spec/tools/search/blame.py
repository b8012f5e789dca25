"""Where a specification is wrong: the file, the line, what it did, and what would be right.

An error that a specification's own function raises has its line among the frames of the traceback:
it is the innermost that is neither of the kernel, nor of the tools, nor of Python's library.  An
error about a function that was not running (a domain without an end) names that function itself.
"""

from __future__ import annotations

import inspect
import sysconfig
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from linecache import getline
from pathlib import Path
from typing import Any

from mesos_spec.kernel import Cells, Untold

_PACKAGE = Path(__file__).parents[2]
_MACHINERY = tuple(
    str(path) for path in (_PACKAGE / "kernel", _PACKAGE / "tools", _PACKAGE / "__main__.py")
)
_LIBRARY = str(Path(sysconfig.get_path("stdlib")))
_INSTALLED = "site-packages"


@dataclass(frozen=True)
class Place:
    """A line of a file."""

    path: str
    line: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


@dataclass(frozen=True)
class Wrong:
    """What is wrong with a specification, and where."""

    place: Place | None
    says: str  #: what it did, and what would be right

    def __str__(self) -> str:
        return f"{self.place}: {self.says}" if self.place is not None else self.says


def blame(error: BaseException) -> Wrong | None:
    """Where the specification is at fault for `error`; None if it is not (the tools are)."""
    place: Place | None
    if isinstance(error, Untold) and error.about is not None:
        place = _running(error.__cause__) or defined(error.about)
    else:
        place = _running(error)
    return None if place is None else Wrong(place, said(error))


def said(error: BaseException) -> str:
    """What happened, and where that is known what would be right."""
    if isinstance(error, Untold):
        return str(error)
    return f"{type(error).__name__}: {error}{_advice(error)}"


def failure(error: Exception) -> Wrong:
    """What a function of the specification raised; where no line of it was running, nowhere."""
    return blame(error) or Wrong(None, said(error))


def defined(function: Callable[..., Any]) -> Place:
    """The line on which a function is defined; its decorators stand above it."""
    function = inspect.unwrap(function)
    code: Any = getattr(function, "__code__", None)
    if code is None:  # a class, or what is called like a function
        code = getattr(type(function).__call__, "__code__", None)
    if code is None:
        return Place(str(getattr(function, "__module__", "?")), 1)
    first: int = code.co_firstlineno
    lines = range(first, first + 50)
    starts = f"def {function.__name__}("
    at = next((n for n in lines if getline(code.co_filename, n).lstrip().startswith(starts)), first)
    return Place(relative(code.co_filename), at)


def relative(path: str) -> str:
    """A path as one would name it from here."""
    here = Path.cwd()
    full = Path(path)
    return str(full.relative_to(here)) if full.is_relative_to(here) else path


# ---- whose line it is ----------------------------------------------------------------------
def _running(error: BaseException | None) -> Place | None:
    """The innermost line of the specification that was running."""
    found = None
    for path, line in _frames(error):
        if _is_specified(path):
            found = Place(relative(path), line)
    return found


def _frames(error: BaseException | None) -> Iterator[tuple[str, int]]:
    """The frames of an error, outermost first, and then those of what caused it."""
    while error is not None:
        if isinstance(error, SyntaxError) and error.filename:
            yield error.filename, error.lineno or 1
        frame = error.__traceback__
        while frame is not None:
            yield frame.tb_frame.f_code.co_filename, frame.tb_lineno
            frame = frame.tb_next
        error = error.__cause__


def _is_specified(path: str) -> bool:
    if path.startswith("<") or path.startswith(_MACHINERY):
        return False
    return not path.startswith(_LIBRARY) or _INSTALLED in path


# ---- advice --------------------------------------------------------------------------------
def _advice(error: BaseException) -> str:
    """For a name that is not there, those that are nearly so."""
    if isinstance(error, AttributeError) and error.name is not None:
        return _attribute(error.obj, error.name)
    if isinstance(error, TypeError) and "unhashable" in str(error):
        return ": a value that can change has no place in a cell, a set, or a key"
    return ""


def _attribute(owner: Any, name: str) -> str:
    known = fields_of(owner)
    near = get_close_matches(name, known, n=1)
    if near:
        return f": did you mean {near[0]}?"
    return f": it has {', '.join(known)}" if known else ""


def fields_of(owner: Any) -> list[str]:
    """The fields of a state or of a record."""
    if isinstance(owner, Cells):
        return [*owner._consts, *owner._layout]
    return list(getattr(owner, "_fields", ()) or getattr(owner, "__dataclass_fields__", ()))
