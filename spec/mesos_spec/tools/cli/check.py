"""Look at every state that a bounded model can reach, breadth first.

Every ALWAYS and EACH_STEP property is asked in every state and of every step; what must be seen
(SOMETIMES) must be seen; and the counts must be the ones that were reviewed.  The first thing that
is broken is shown with a shortest behaviour that leads there.
"""

from __future__ import annotations

import argparse
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mesos_spec.tools.cli import beside, engines, outputs
from mesos_spec.tools.cli.common import ExitCode, Misused, say_json

if TYPE_CHECKING:
    from mesos_spec.kernel.model import Model
    from mesos_spec.tools.search.checker import Result

EXAMPLE = """\
for example:
  mesos-spec check                    the quick models, which take seconds
  mesos-spec check offers kills       these two
  mesos-spec check --all --json       all that are meant to be finished, for a machine
  mesos-spec check --all --at-once 0  the same, as many at once as there are cores
  mesos-spec check removal --max-seconds 60      as far as a minute goes
  mesos-spec check deposed --refines  is each step one of the ledger, or none there?
  mesos-spec check --coverage         and which actions and guards no model reached
  mesos-spec check offers --save found           counterexamples and witnesses as files
  mesos-spec check removal --walks 1000 --seed 7      at random, where all is too much
  mesos-spec check offers --engine plain         without remembering anything: the oracle
  mesos-spec check succession --engine numba     packed and compiled: for millions of states
  mesos-spec check riddles/jugs.py:MODEL         a specification of your own
  mesos-spec check mesos_spec.examples.die_hard:MODEL

Ctrl-C ends the search that is running and says what is known so far.
exit codes: 0 checked; 1 a property is broken; 2 not finished, not all seen, or not the pinned
counts; 3 what must happen in the end need not; 5 used wrongly, or the specification is wrong (it
says on which line).
"""

#: A model with at most this many pinned states is quick: it takes seconds.
QUICK_STATES = 30_000


def add(parser: argparse.ArgumentParser) -> None:
    """The arguments of `mesos-spec check`."""
    parser.add_argument("models", metavar="MODEL", nargs="*", help="names; none: the quick ones")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--all", action="store_true", help="every model whose counts are pinned")
    which.add_argument(
        "--nightly", action="store_true", help="also models that are not meant to be finished"
    )
    parser.add_argument(
        "--refines",
        action="store_true",
        help="instead: does each model refine what it should, as the ledger?",
    )
    parser.add_argument(
        "--at-once",
        metavar="N",
        type=int,
        default=1,
        help="search so many models at once; 0: one for each core (1)",
    )
    outputs.add(parser)
    engines.add(parser)


def run(args: argparse.Namespace) -> int:
    """Check the models, and print what was found as it is found."""
    from mesos_spec.tools.report import checks as report

    chosen = _chosen(args)
    outputs.check_places(args)
    if args.refines:
        return _refinements(list(chosen.values()), args)
    results: list[Result[Any]] = []
    if not args.json:
        print(report.HEAD)
    with _interruptible() as stopped:
        models = list(chosen.values())
        jobs = args.at_once or beside.cores()
        args.silent = args.json or (jobs > 1 and len(models) > 1)

        def search(model: Model[Any]) -> Result[Any]:
            result = engines.run(model, args, stopped)
            return result if stopped else _endless(result)

        for result in beside.searched(models, search, jobs, stopped):
            results.append(result)
            if not args.json:
                print(
                    "\n".join(filter(None, (report.row(result), report.details(result)))),
                    flush=True,
                )
    code = report.worst(map(report.exit_code, results))
    outputs.tell(args, dict(zip(chosen, results)), len(chosen), int(code))
    return ExitCode.UNKNOWN if code is ExitCode.OK and len(results) < len(chosen) else code


def _chosen(args: argparse.Namespace) -> dict[str, Model[Any]]:
    """The models that were asked for, and how they are found, in the order of the specification."""
    from mesos_spec.models import BESIDE, MODELS
    from mesos_spec.tools.cli.find import find_all

    if args.models and (args.all or args.nightly):
        raise Misused("name models, or ask for --all or --nightly, not both")
    if args.models:
        return {found: model for name in args.models for found, model in find_all(name).items()}
    every = {model.name: model for model in (*MODELS, *BESIDE)}
    if args.nightly:
        return every
    pinned = {name: model for name, model in every.items() if model.expect is not None}
    return pinned if args.all else {n: model for n, model in pinned.items() if is_quick(model)}


def is_quick(model: Model[Any]) -> bool:
    """Whether a model takes seconds, by its pinned count of states."""
    return model.expect is not None and model.expect.states <= QUICK_STATES


def _endless(result: Result[Any]) -> Result[Any]:
    """A search, with what seems to grow without end in a model that nobody has finished yet."""
    if result.model.expect is not None or not result.stopped or result.broken is not None:
        return result
    from mesos_spec.tools.search.blame import Wrong, defined
    from mesos_spec.tools.search.checker import ENDLESS, Counterexample
    from mesos_spec.tools.search.growth import growing

    grows = growing(result.model)
    if grows is None or grows.action.source is None:
        return result
    wrong = Wrong(defined(grows.action.source), grows.says)
    first = result.model.spec.start(result.model.bounds)
    broken = Counterexample(first, (), ENDLESS, {}, str(wrong), wrong=wrong)
    return replace(result, broken=broken)


def _refinements(chosen: Sequence[Model[Any]], args: argparse.Namespace) -> int:
    """Look at the models through the refinement mapping, and print what was found."""
    from mesos_spec.refinement import refinement_of
    from mesos_spec.tools.report import refinements as report
    from mesos_spec.tools.report.checks import worst
    from mesos_spec.tools.search.checker import Limits
    from mesos_spec.tools.search.refinement import Refined, check_refinement

    found = [(model, refinement_of(model)) for model in chosen]
    asked = [(model, refines) for model, refines in found if refines is not None]
    for name in (model.name for model, refines in found if refines is None and args.models):
        raise Misused(f"{name} refines nothing: --refines is asked of the protocol's models")
    results: list[Refined[Any, Any]] = []
    if not args.json:
        print(report.HEAD)
    with _interruptible() as stopped:
        for model, refinement in asked:
            limits = Limits(args.max_states, args.max_seconds, stop=lambda: "".join(stopped))
            results.append(check_refinement(model, refinement, plain=args.plain, limits=limits))
            if not args.json:
                lines = report.row(results[-1]), report.details(results[-1])
                print("\n".join(filter(None, lines)), flush=True)
            if stopped:
                break
    code = worst(map(report.exit_code, results))
    if args.json:
        say_json({"exit_code": int(code), "models": [report.plain(found) for found in results]})
    return ExitCode.UNKNOWN if code is ExitCode.OK and len(results) < len(asked) else code


@contextmanager
def _interruptible() -> Iterator[list[str]]:
    """A list that Ctrl-C puts a reason in.  A second Ctrl-C is meant."""
    stopped: list[str] = []

    def note(number: int, frame: object) -> None:
        if stopped:
            raise KeyboardInterrupt
        stopped.append("interrupted")

    try:
        before = signal.signal(signal.SIGINT, note)
    except ValueError:  # not the main thread: nobody can press keys here
        yield stopped
        return
    try:
        yield stopped
    finally:
        signal.signal(signal.SIGINT, before)
