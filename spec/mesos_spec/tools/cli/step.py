"""Walk through a model by hand: the steps that can be taken are numbered, choose one.

At the prompt:
  N              take step N
  undo           take the last step back
  why ACTION     why an action cannot happen here: its guards, and which does not hold
                 (why ACTION name=value … with these names)
  state          every cell that is not at its default (state FIELD: only of that field)
  path           the steps so far
  load FILE:STEP go to that state of a counterexample
  save FILE      write the steps so far, for `mesos-spec replay`, `why`, `show` and `step`
  quit           (or the end of the input)

Of a counterexample the walk begins at its end, or in the state after STEP.  Of a record of a trace
(FILE:LINE) it stands before that record: `why`, `state` and `next` are known there.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from mesos_spec.kernel import Untold, show, undo
from mesos_spec.tools.cli.common import ExitCode, Misused, words
from mesos_spec.tools.cli.saved import read, split
from mesos_spec.tools.report.asking import another
from mesos_spec.tools.report.behaviours import as_ndjson, is_behaviour
from mesos_spec.tools.report.explain import enabled, named
from mesos_spec.tools.report.replay import Differs, replay
from mesos_spec.tools.report.show import difference
from mesos_spec.tools.search.checker import Behaviour, Taken

EXAMPLE = """\
for example:
  mesos-spec step offers
  printf '1\\n1\\nwhy accept\\nundo\\n' | mesos-spec step offers
  mesos-spec step found/die_hard.the_goal_is_not_reached.ndjson:3
  mesos-spec step runs/today/master-m1-ab12.ndjson:41
"""


def add(parser: argparse.ArgumentParser) -> None:
    """The arguments of `mesos-spec step`."""
    parser.add_argument(
        "model", metavar="MODEL|FILE", help="a model (or FILE.py:MODEL), or a state of a file"
    )


def run(args: argparse.Namespace) -> int:
    """Read commands until there are no more."""
    from mesos_spec.tools.cli.find import find

    path, number = split(args.model)
    if is_behaviour(path):
        written, model = read(path)
        walk = Walk(model, written.header.model)
        walk.load(path, number)
    elif path.suffix == ".ndjson":
        from mesos_spec.tools.cli.stand import stand

        return stand(args.model, _commands())
    else:
        model = find(args.model)
        walk = Walk(model, args.model)
    print(f"{model.name}: {model.title}")
    walk.go(_commands())
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

    def __init__(self, model: Any, found_as: str) -> None:
        self.model, self.found_as = model, found_as
        self.s = model.spec.start(model.bounds)
        self.taken: list[Taken] = []  #: each step with what it wrote, which undoes it
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
        self._choices = enabled(self.model.spec, self.s)
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
            case ["why", action, *names]:
                self._why(action, names)
            case ["state", *fields]:
                show_state(self.s, fields)
            case ["path"]:
                for at, step in enumerate(self.taken, 1):
                    print(f"{at:4}  {named(step.action, step.bound)}")
            case ["load", file]:
                self._try(self.load, *split(file))
                self._offer()
            case ["save", file]:
                self._save(Path(file))
            case _:
                print("  a number, undo, why ACTION, state, path, load, save or quit")

    def _try(self, what: Callable[..., None], *words: Any) -> None:
        """Do what a command says; who mistypes goes on from where he was."""
        try:
            what(*words)
        except (Misused, Untold) as error:
            print(f"  {error}")

    def load(self, path: Path, step: int | None = None) -> None:
        """Go to the state after a step of a file; without one, to its end."""
        written, model = read(path)
        if model.name != self.model.name:
            raise Misused(f"{path} is a behaviour of {model.name}, and this is {self.model.name}")
        steps = len(written.steps)
        if step is not None and step > steps:
            raise Misused(f"{path} has the states 0 to {steps}")
        try:
            replayed = replay(self.model, written, step)
        except Differs as error:
            raise Misused(f"{path} is no behaviour of {model.name} as it is now: {error}") from None
        self.s, self.taken = replayed.states[-1].copy(), list(replayed.steps)

    def _save(self, path: Path) -> None:
        first = self.model.spec.start(self.model.bounds)
        behaviour: Behaviour[Any] = Behaviour(first, tuple(self.taken))
        try:
            path.write_text(as_ndjson(self.found_as, self.model.name, behaviour), encoding="utf-8")
        except OSError as error:
            print(f"  {path} cannot be written: {error.strerror}")
        else:
            print(f"  {len(self.taken)} steps are in {path}")

    def _take(self, number: int) -> None:
        if not 1 <= number <= len(self._choices):
            print(f"  there is no step {number}: choose 1 to {len(self._choices)}")
            return
        choice = self._choices[number - 1]
        effects = self.model.spec.action(choice.action).apply(self.s, choice.bound)
        changed = {cell: (old, new) for cell, (old, new) in effects.items() if old != new}
        self.taken.append(Taken(choice.action, choice.bound, changed))
        print(f"took  {named(choice.action, choice.bound)}")
        for cell, (old, new) in changed.items():
            print(f"      {difference(cell, old, new)}")
        self._offer()

    def _undo(self) -> None:
        if not self.taken:
            print("  nothing was done yet")
            return
        step = self.taken.pop()
        undo(self.s, step.changed)
        print(f"undid {named(step.action, step.bound)}")
        self._offer()

    def _why(self, action: str, names: list[str]) -> None:
        def answer() -> None:
            print(another(self.s, self.model.spec.action(action), words(names)))

        self._try(answer)


def show_state(s: Any, fields: Sequence[str] = ()) -> None:
    """Print the cells of `fields`, or all, that are not at their default."""
    unknown = [field for field in fields if field not in s._layout]
    if unknown:
        print(f"  there is no field {unknown[0]}; there are {', '.join(s._layout)}")
        return
    for cell, value in s.cells(*fields):
        if value != s.default(cell):
            print(f"  {show(cell)} = {value!r}")
