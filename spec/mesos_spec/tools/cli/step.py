"""Walk through a model by hand: the steps that can be taken are numbered, choose one.

At the prompt:
  N              take step N
  undo           take the last step back
  why ACTION     why an action cannot happen here: its guards, and which does not hold
  state          every cell that is not at its default
  path           the steps so far
  quit           (or the end of the input)
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from typing import Any

from mesos_spec.tools.cli.common import ExitCode

EXAMPLE = """\
for example:
  mesos-spec step offers
  printf '1\\n1\\nwhy accept\\nundo\\n' | mesos-spec step offers
"""


def add(parser: argparse.ArgumentParser) -> None:
    """The arguments of `mesos-spec step`."""
    parser.add_argument("model", metavar="MODEL", help="a model, or FILE.py:MODEL")


def run(args: argparse.Namespace) -> int:
    """Read commands until there are no more."""
    from mesos_spec.tools.cli.find import find

    model = find(args.model)
    print(f"{model.name}: {model.title}")
    Walk(model).go(_commands())
    return ExitCode.OK


def _commands() -> Iterable[str]:
    if not sys.stdin.isatty():
        yield from sys.stdin
        return
    while True:
        try:
            yield input("> ")
        except EOFError:
            return


class Walk:
    """A behaviour that grows by one step at a time, and can shrink again."""

    def __init__(self, model: Any) -> None:
        from mesos_spec.tools.report.explain import enabled

        self.model = model
        self.s = model.spec.start(model.bounds)
        self.taken: list[tuple[str, Any]] = []  #: each step's name, and what undoes it
        self._enabled = enabled
        self._choices: list[Any] = []

    def go(self, commands: Iterable[str]) -> None:
        """Obey commands, one a line."""
        self._offer()
        for line in commands:
            words = line.split()
            if not words:
                continue
            if words[0] in ("quit", "q", "exit"):
                return
            self._obey(words)

    def _offer(self) -> None:
        self._choices = self._enabled(self.model.spec, self.s)
        for choice in self._choices:
            print(choice)
        if not self._choices:
            print("  nothing can happen any more")

    def _obey(self, words: list[str]) -> None:
        match words:
            case [number] if number.isdigit():
                self._take(int(number))
            case ["undo"]:
                self._undo()
            case ["why", action]:
                self._why(action)
            case ["state"]:
                self._show_state()
            case ["path"]:
                for at, (name, _) in enumerate(self.taken, 1):
                    print(f"{at:4}  {name}")
            case _:
                print("  a number, undo, why ACTION, state, path or quit")

    def _take(self, number: int) -> None:
        from mesos_spec.tools.report.explain import named
        from mesos_spec.tools.report.show import difference

        if not 1 <= number <= len(self._choices):
            print(f"  there is no step {number}: choose 1 to {len(self._choices)}")
            return
        choice = self._choices[number - 1]
        effects = self.model.spec.action(choice.action).apply(self.s, choice.bound)
        self.taken.append((named(choice.action, choice.bound), effects))
        print(f"took  {self.taken[-1][0]}")
        for cell, (old, new) in effects.items():
            if old != new:
                print(f"      {difference(cell, old, new)}")
        self._offer()

    def _undo(self) -> None:
        from mesos_spec.kernel import undo

        if not self.taken:
            print("  nothing was done yet")
            return
        name, effects = self.taken.pop()
        undo(self.s, effects)
        print(f"undid {name}")
        self._offer()

    def _why(self, action: str) -> None:
        from mesos_spec.kernel import Untold
        from mesos_spec.tools.report.explain import nearest

        try:
            close = nearest(self.s, self.model.spec.action(action))
        except Untold as error:
            print(f"  {error}")
            return
        print(close if close is not None else f"  {action}: there is nothing to do it with")

    def _show_state(self) -> None:
        from mesos_spec.kernel import show

        for cell, value in self.s.cells():
            if value != self.s.default(cell):
                print(f"  {show(cell)} = {value!r}")
