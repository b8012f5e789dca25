"""`mesos-ref master`: one master process, from its options to its exit code."""

import argparse
import logging
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import trio

from mesos_ref import runtime
from mesos_ref.cli import COMMANDS, EXIT_DEPOSED, EXIT_OK, EXIT_USAGE, options, timers
from mesos_ref.election.interface import Election, ElectionError
from mesos_ref.election.open import open_election
from mesos_ref.master import tracing
from mesos_ref.master.config import MasterConfig
from mesos_ref.master.core import MasterCore
from mesos_ref.master.shell import MasterShell, Ports, Settings
from mesos_ref.ports.clock import Clock, TrioClock
from mesos_ref.ports.net import TrioNet
from mesos_ref.trace import RecordedIds, TraceWriter, file_name, header

_ABOUT = """\
Run a master. It prints a line when it serves, and another when it leads.

With --election single it leads at once. With --election file:PATH several masters
on one machine compete, and agents and frameworks that are given the same
file:PATH find the leader. A master that loses leadership ends with exit code 75;
whoever supervises it starts a new one.

  exit codes: 0 told to end (SIGTERM, SIGINT) · 5 wrong use, or a port that is taken
              70 the core failed (a bug) · 75 leadership was lost
"""

_SENTENCES = {
    "serving": "serving on http://{host}:{port}, agents on {host}:{link_port}",
    "leading": "leading, epoch {epoch}",
}

_log = logging.getLogger("mesos_ref.master")


def add(subparsers: Any) -> None:
    """Add `master` to the command line."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "master",
        help=COMMANDS["master"],
        description=_ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    given = parser.add_argument
    given("--host", default="127.0.0.1", help="address to listen on (default %(default)s)")
    given("--port", type=options.port, default=5050, help="for HTTP (default 5050; 0: any free)")
    given(
        "--link-port",
        metavar="PORT",
        type=options.port,
        default=0,
        help="for agents (default: any free)",
    )
    given("--hostname", help="what clients are told instead of --host")
    given("--name", type=options.name, default="master", help="its name in logs and traces")
    given("--election", metavar="single|file:PATH", default="single", help="where leaders are made")
    given("--lease-s", metavar="S", type=options.number(0.3, "s"), default=1.0,
          help="a leader that is silent for longer is replaced (default 1)")  # fmt: skip
    options.add_common(parser)
    timers.add(parser, timers.MASTER, MasterConfig())
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run a master until it is told to end, or must."""
    options.set_up_logging(args.name, args.verbose)
    try:
        election = open_election(args.election, lease_s=args.lease_s)
    except ElectionError as error:
        _log.error("--election: %s", error)
        return EXIT_USAGE
    options.set_up_files()
    options.set_up_memory()
    try:
        return trio.run(_serve, args, election)
    except runtime.CoreFailed:
        return runtime.EXIT_CORE_FAILED  # the traceback is in the log already
    except OSError as error:
        _log.error("%s", error)
        return EXIT_USAGE


async def _serve(args: argparse.Namespace, election: Election) -> int:
    shell = make(args, election)
    async with trio.open_nursery() as nursery:
        await nursery.start(_stop_on_signal, shell)
        outcome = await _run_bare(shell)
        nursery.cancel_scope.cancel()
    if isinstance(outcome, Exception):
        raise outcome
    return EXIT_OK if outcome == "stopped" else EXIT_DEPOSED


async def _run_bare(shell: MasterShell) -> str | Exception:
    """What `run` returns or raises, out of any nursery's wrapping."""
    try:
        return await shell.run()
    except (OSError, runtime.CoreFailed) as error:
        return error
    except ExceptionGroup as group:  # of its parts, such as the election
        refused = group.subgroup(OSError)
        if refused is None:
            raise
        return OSError("; ".join(sorted({str(error) for error in _leaves(refused)})))


def _leaves(group: BaseExceptionGroup[Any]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


async def _stop_on_signal(
    shell: MasterShell, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        task_status.started()
        async for number in signals:
            _log.info("ending: %s", signal.Signals(number).name)
            shell.stop()


def make(args: argparse.Namespace, election: Election) -> MasterShell:
    """A master as the options want it, with its trace begun."""
    clock = TrioClock()
    ids = runtime.SystemIds()
    config = MasterConfig(
        epoch_wall_us=clock.wall_us() - clock.now_us(), **timers.chosen(args, timers.MASTER)
    )
    drawn = RecordedIds(ids)
    core = MasterCore(config, drawn if args.trace else ids, node_id=ids.uuid())
    recorder = _recorder(core, config, drawn, args.name, args.trace, clock) if args.trace else None
    settings = Settings(
        host=args.host,
        port=args.port,
        link_port=args.link_port,
        hostname=args.hostname,
        release=options.release(),
    )
    ports = Ports(net=TrioNet(), clock=clock, ids=ids, election=election)
    announce = options.speaker(args.json, _SENTENCES)
    return MasterShell(core, settings, ports, recorder=recorder, announce=announce)


def _recorder(
    core: MasterCore,
    config: MasterConfig,
    drawn: RecordedIds,
    name: str,
    folder: Path,
    clock: Clock,
) -> TraceWriter:
    node_id = core.state.node_id
    first = header(
        role="master",
        node=name,
        incarnation=node_id,
        wall_us=clock.wall_us(),
        config=tracing.config_of(config, node_id),
    )
    return TraceWriter(folder / file_name("master", name, node_id), first, core, drawn)
