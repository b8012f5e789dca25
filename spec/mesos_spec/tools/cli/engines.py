"""How a model is searched: by which engine, and how far."""

from __future__ import annotations

import argparse
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mesos_spec.tools.cli.common import Misused, Ticker

if TYPE_CHECKING:
    from mesos_spec.kernel.model import Model
    from mesos_spec.tools.search.checker import Result

#: As `checker.ENGINES`, which is not loaded for the sake of --help.
NAMES = ("auto", "plain", "memo", "numpy", "numba")

#: Where a search gives up whose counts are not pinned, if it is not told: it may have no end.
OWN_STATES = 1_000_000

WALK = 1_000  #: steps of a walk, if it is not told otherwise


def add(parser: argparse.ArgumentParser) -> None:
    """The arguments that say how to search."""
    parser.add_argument(
        "--engine",
        choices=NAMES,
        default="auto",
        help="plain asks everything anew and is the oracle, memo remembers, numpy and numba pack "
        "states and look answers up; auto: memo for small models, else numba if it is there. "
        "--symmetry, and what must happen in the end, are memo's whatever is chosen here",
    )
    parser.add_argument("--plain", action="store_true", help="the same as --engine plain")
    parser.add_argument(
        "--symmetry", action="store_true", help="look once at states that differ by like names"
    )
    parser.add_argument("--walks", metavar="N", type=_positive, help="instead: N random walks")
    parser.add_argument("--seed", metavar="S", type=int, default=0, help="of the walks (0)")
    parser.add_argument("--max-states", metavar="N", type=_positive, help="give up after so many")
    parser.add_argument("--max-seconds", metavar="S", type=float, help="give up on a model after")
    parser.add_argument("--max-depth", metavar="N", type=_positive, help="go no farther than that")
    parser.add_argument(
        "--max-memory-mb", metavar="MB", type=_positive, help="give up when it holds more"
    )
    parser.add_argument(
        "--jobs", type=int, choices=(1, 2), default=1, help="2: numba uses two cores for a search"
    )
    parser.add_argument(
        "--keep", metavar="FILE", type=Path, help="write a search that was stopped there"
    )
    parser.add_argument(
        "--resume", metavar="FILE", type=Path, help="go on with it; kept there again if stopped"
    )


def _positive(text: str) -> int:
    n = int(text)
    if n < 1:
        raise argparse.ArgumentTypeError(f"{n} is not at least 1")
    return n


def run(model: Model[Any], args: argparse.Namespace, stopped: list[str]) -> Result[Any]:
    """Search a model as the arguments say, until `stopped` has a reason in it."""
    from mesos_spec.tools.search.checker import Progress
    from mesos_spec.tools.search.fast.saved import Unfit

    if args.symmetry and not model.alike:
        raise Misused(f"{model.name} does not say which names are alike: look without --symmetry")
    if args.symmetry and (args.plain or args.engine not in ("auto", "memo")):
        engine = "plain" if args.plain else args.engine
        raise Misused(f"--symmetry: {engine} looks at every state; memo does this: leave it out")
    if args.engine == "numba" and find_spec("numba") is None:
        raise Misused("--engine numba: numba is not installed; it is in the extra `fast`")
    _check_files(args)
    tick = Ticker(quiet=args.silent)

    def show(so_far: Progress) -> None:
        rate = so_far.states / max(so_far.seconds, 0.001)
        tick(
            f"{model.name}: {so_far.states:,} states, {rate:,.0f} a second, "
            f"{so_far.waiting:,} waiting, depth {so_far.depth}, {so_far.seconds:.0f} s"
        )

    limits: dict[str, Any] = {
        "max_seconds": args.max_seconds,
        "progress": show,
        "stop": lambda: "".join(stopped),
    }
    try:
        result = _search(model, args, limits)
        if model.spec.eventually:
            from mesos_spec.tools.search.liveness import with_liveness

            result = with_liveness(result, stop=lambda states: "".join(stopped))
        return result
    except Unfit as error:
        raise Misused(f"--resume: {error}") from error
    finally:
        tick.clear()


def _search(model: Model[Any], args: argparse.Namespace, limits: dict[str, Any]) -> Result[Any]:
    """At random, or what is like each other once, or all."""
    max_states = args.max_states or (OWN_STATES if model.expect is None else None)
    if args.walks:
        from mesos_spec.tools.search.walks import walk

        deep = args.max_depth or WALK
        return walk(model, walks=args.walks, seed=args.seed, max_depth=deep, **limits)
    if args.symmetry:
        from mesos_spec.tools.search.symmetry import check_reduced

        return check_reduced(model, max_states=max_states, **limits)
    from mesos_spec.tools.search.checker import check

    return check(
        model,
        engine="plain" if args.plain else args.engine,
        max_states=max_states,
        max_depth=args.max_depth,
        max_memory_mb=args.max_memory_mb,
        resume=args.resume,
        keep=args.keep or args.resume,
        jobs=args.jobs,
        **limits,
    )


def _check_files(args: argparse.Namespace) -> None:
    """Raise `Misused` where a search cannot be kept or resumed as it was asked for."""
    if args.keep is None and args.resume is None:
        return
    if len(args.models) != 1:
        raise Misused("--keep and --resume are for one search: name one model")
    if args.plain or args.engine in ("plain", "memo"):
        raise Misused("--keep and --resume need --engine numpy or numba")
    if args.keep is not None and not args.keep.parent.is_dir():
        raise Misused(f"--keep {args.keep}: there is no folder {args.keep.parent}")
