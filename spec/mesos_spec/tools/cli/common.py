"""What the subcommands of `mesos-spec` share: exit codes, wrong use, and where progress goes."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from difflib import get_close_matches
from enum import IntEnum
from typing import Any, NoReturn


class ExitCode(IntEnum):
    """What the exit code of any of our commands means."""

    OK = 0
    SAFETY = 1  #: a property is broken
    UNKNOWN = 2  #: nothing wrong was found, and it was not enough to say that all is right
    LIVENESS = 3  #: something that must happen did not
    NONCONFORMANCE = 4  #: a record is no step of the specification
    USAGE = 5  #: used wrongly, or given what cannot be read


class Misused(Exception):
    """The command cannot do what it was told to.  The text says what would be right."""


class Parser(argparse.ArgumentParser):
    """Exits with our code for wrong use, and says where help is."""

    def error(self, message: str) -> NoReturn:
        """Say what was wrong, and end."""
        self.exit(ExitCode.USAGE, f"{self.prog}: {message}\n  see: {self.prog} --help\n")


def unknown(what: str, name: str, known: Iterable[str]) -> Misused:
    """Nothing is called `name`; what is called nearly so."""
    listed = list(known)
    near = get_close_matches(name, listed, n=3)
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(listed)}"
    return Misused(f"no {what} is called {name!r}; {hint}")


def words(given: Iterable[str]) -> dict[str, str]:
    """`name=value` words in their parts.  Raises `Misused` for others."""
    found = {}
    for word in given:
        name, equals, value = word.partition("=")
        if not equals:
            raise Misused(f"{word!r} names nothing: give name=value")
        found[name] = value
    return found


def say_json(found: Any) -> None:
    """Print one JSON document."""
    print(json.dumps(found, indent=1, ensure_ascii=True))


def say_unfinished(why: str) -> ExitCode:
    """Say on the other stream why something is not whole, and what exit code that makes."""
    print(f"mesos-spec: not finished: {why}", file=sys.stderr)
    return ExitCode.UNKNOWN


class Ticker:
    """One line on a terminal that says how far something is; nothing where there is none."""

    def __init__(self, quiet: bool = False) -> None:
        self._shows = not quiet and sys.stderr.isatty()
        self._wide = 0

    def __call__(self, text: str) -> None:
        """Put `text` in the place of what was there."""
        if self._shows:
            print(f"\r{text:{self._wide}}", end="", file=sys.stderr, flush=True)
            self._wide = len(text)

    def clear(self) -> None:
        """Leave the line empty, for what is printed next."""
        if self._shows and self._wide:
            print(f"\r{'':{self._wide}}\r", end="", file=sys.stderr, flush=True)
            self._wide = 0
