"""`mesos-ref run`: one command, any number of instances, each finished whatever fails over."""

from __future__ import annotations

import argparse
import shlex
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
import trio

from mesos_ref.cli import COMMANDS, EXIT_OK, EXIT_USAGE, options, showing
from mesos_ref.cli.following import Followed
from mesos_ref.cli.progress import open_progress
from mesos_ref.cluster.asking import Operator, Unanswered
from mesos_ref.http.client import HttpClient
from mesos_ref.ports.net import TrioNet
from mesos_ref.scheduler.items import Item, Items, Progress
from mesos_ref.scheduler.journal import JournalError
from mesos_ref.scheduler.library import FrameworkEnded
from mesos_ref.scheduler.run import Verdict, run_items

#: Some instance failed, by its own fault, as often as it was let.
EXIT_FAILED: Final = 1
#: It was interrupted, took too long, or the master ended it: nobody knows about the rest.
EXIT_UNKNOWN: Final = 2

_ABOUT = """\
Run a command as tasks, and see to it that every instance finishes: an instance
whose task is lost, or whose agent dies, is launched again. Masters may fail over
meanwhile. An instance may run twice, if its agent was lost and comes back.

  mesos-ref run -- echo hello
  mesos-ref run --instances 10 --cpus 0.5 --mem 64 --follow -- 'echo I am $INSTANCE'
  mesos-ref run --master file:/tmp/c/election/leader --journal work.journal \\
      --instances 1000 --parallel 20 -- ./crunch.sh

COMMAND is run by /bin/sh, in the task's sandbox. A single word is handed over as it
stands; several are quoted, so that the command gets just these. Each instance finds
its number, from 1, in $INSTANCE.

With --journal, work outlives this process: interrupt it or kill it, run the same
line again, and it goes on where it was; tasks run on meanwhile for a minute.
Without, Ctrl-C kills what runs.

  exit codes: 0 every instance has finished · 1 one has failed --attempts times, by
              its own fault · 2 interrupted, too late, or ended by the master
              5 wrong use, or nobody can be asked
"""


def add(subparsers: Any) -> None:
    """Add `run` to the command line."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "run",
        help=COMMANDS["run"],
        usage="mesos-ref run [options] -- COMMAND [ARGUMENT …]",
        description=_ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    given = parser.add_argument
    showing.add_master(parser, _master)
    given("--instances", metavar="N", type=_count, default=1, help="how many (default 1)")
    given("--cpus", metavar="C", type=options.number(0.01, "cpus"), default=0.1,
          help="of each instance (default 0.1)")  # fmt: skip
    given("--mem", metavar="MB", type=options.number(1, "MB"), default=32.0,
          help="of each instance, in MB (default 32)")  # fmt: skip
    given("--role", default="*", help="as whom to ask for resources (default *)")
    given("--name", type=options.name, default="run", help="of the framework and its tasks")
    given("--parallel", metavar="N", type=_count, help="at most so many at once")
    given("--attempts", metavar="N", type=_count, default=3,
          help="so often may an instance fail by its own fault (default 3)")  # fmt: skip
    given("--timeout-s", metavar="S", type=options.number(0.001, "s"), default=float("inf"),
          help="give up after this (default: never)")  # fmt: skip
    given("--follow", action="store_true", help="show what instances write, as they do")
    given("--journal", metavar="FILE", type=Path, help="go on from here, and keep it here")
    given("--trace", metavar="DIR", type=options.folder, help="write a trace into this folder")
    given("--json", action="store_true", help="print the outcome as one line of JSON")
    given("command", metavar="COMMAND", nargs="+", help=argparse.SUPPRESS)
    parser.set_defaults(run=run)


def _master(text: str) -> str:
    showing.masters(text)
    return text


def _count(text: str) -> int:
    if text.isascii() and text.isdigit() and 1 <= int(text) <= 1_000_000:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no number of 1 to 1000000")


def items_of(args: argparse.Namespace) -> list[Item]:
    """The work that the options describe."""
    words: Sequence[str] = args.command
    command = words[0] if len(words) == 1 else shlex.join(words)
    return [
        Item(
            name=f"{args.name}-{number}",
            command=f"INSTANCE={number}; export INSTANCE\n{command}",
            cpus=args.cpus,
            mem_mb=args.mem,
        )
        for number in range(1, args.instances + 1)
    ]


def run(args: argparse.Namespace) -> int:
    """Run the work to its end."""
    try:
        return trio.run(_run, args)
    except BrokenPipeError:  # `… | head`: whoever read us has seen enough
        showing.let_go_of_stdout()
        return EXIT_UNKNOWN
    except (Unanswered, JournalError, OSError) as error:
        print(f"mesos-ref run: {error}", file=sys.stderr)
        return EXIT_USAGE
    except FrameworkEnded as error:
        print(f"mesos-ref run: {error}", file=sys.stderr)
        return EXIT_UNKNOWN


async def _run(args: argparse.Namespace) -> int:
    client = HttpClient(TrioNet())
    operator = Operator(client, showing.masters(args.master))
    try:
        await operator.ask("GET_VERSION")  # before anything is begun: is there a master at all?
        with open_progress(args.instances, quiet=args.json) as shown:
            work = Work(args, shown)
            await work.run(client, operator)
    finally:
        with trio.CancelScope(shield=True, deadline=trio.current_time() + 1):
            await client.aclose()
    return work.report()


class Work:
    """The instances, how far they are, and how it ended."""

    def __init__(self, args: argparse.Namespace, shown: Callable[[Progress], None]) -> None:
        self._args = args
        self._shown = shown
        self._items = items_of(args)
        self._progress = Items().progress()
        #: None as long as it goes on, and if it was cut short to be gone on with.
        self.verdict: Verdict | None = None
        self._failure: Exception | None = None
        self._patience = trio.CancelScope()

    async def run(self, client: HttpClient, operator: Operator) -> None:
        """Until it is over.  Raises `FrameworkEnded`, `JournalError`, `OSError`."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._heed_signals, nursery.cancel_scope)
            followed = None
            if self._args.follow:
                followed = Followed(client, operator, nursery, prefix=len(self._items) > 1)
            try:
                await self._finish(followed)
            except (FrameworkEnded, JournalError, OSError) as error:
                self._failure = error  # raised below, bare
            if followed is not None:
                await followed.finish()
            nursery.cancel_scope.cancel()
        if self._failure is not None:
            raise self._failure

    async def _finish(self, followed: Followed | None) -> None:
        """Cut short, work with a journal is left as it is; other work is killed."""
        args = self._args
        self._patience.deadline = trio.current_time() + args.timeout_s
        goes_on = args.journal is not None
        with self._patience if goes_on else trio.CancelScope():
            self.verdict = await run_items(
                args.master,
                self._items,
                name=args.name,
                journal=args.journal,
                patience=None if goes_on else self._patience,
                max_failures=args.attempts,
                max_running=args.parallel,
                on_progress=self._hear,
                on_statuses=None if followed is None else followed.hear,
                roles=(args.role,),
                trace=args.trace,
            )

    def _hear(self, progress: Progress) -> None:
        self._progress = progress
        self._shown(progress)

    async def _heed_signals(self, everything: trio.CancelScope) -> None:
        """Ctrl-C ends in order; a second one, at once."""
        ends = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        with trio.open_signal_receiver(*ends) as signals:
            async for _ in signals:
                if self._patience.cancel_called:
                    everything.cancel()
                self._patience.cancel()

    # How it ended -------------------------------------------------------------------------------

    def report(self) -> int:
        """Say how it ended; the exit code."""
        verdict = self.verdict
        if self._args.json:
            print(msgspec.json.encode(self._facts()).decode())
        else:
            print(self._sentence())
        if verdict is not None and verdict.is_complete:
            return EXIT_OK
        return EXIT_FAILED if verdict is not None and not verdict.unsettled else EXIT_UNKNOWN

    def _facts(self) -> dict[str, Any]:
        """Numbers of items, and names of those that are worth naming."""
        verdict = self.verdict
        facts: dict[str, Any] = {"complete": verdict is not None and verdict.is_complete}
        facts |= msgspec.to_builtins(self._progress if verdict is None else verdict.progress)
        del facts["given_up"]
        if verdict is not None:
            names = msgspec.to_builtins(verdict)
            del names["progress"]
            facts |= names
        return facts

    def _sentence(self) -> str:
        verdict, wanted = self.verdict, len(self._items)
        progress = self._progress if verdict is None else verdict.progress
        tasks = f"{progress.attempts} task{'s' if progress.attempts != 1 else ''}"
        if progress.lost:
            tasks += f", {progress.lost} of them in vain"
        if verdict is not None and verdict.is_complete:
            return f"{_instances(wanted)} finished ({tasks})"
        said = f"{progress.done} of {_instances(wanted)} finished ({tasks})"
        if verdict is None:
            return f"{said}; the same line goes on with the rest"
        if verdict.given_up:
            times = f"failed {self._args.attempts} times"
            said += f"; given up, as each {times}: {', '.join(verdict.given_up)}"
        if verdict.unsettled:
            said += f"; cut short, {len(verdict.unsettled)} unsettled"
        return said


def _instances(count: int) -> str:
    return f"{count} instance{'s' if count != 1 else ''}"
