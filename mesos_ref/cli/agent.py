"""`mesos-ref agent`: one agent process, from its options to its exit code."""

import argparse
import logging
import os
import shutil
import signal
from collections.abc import Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Final, cast

import trio

from mesos_ref import runtime
from mesos_ref.agent.config import AgentConfig
from mesos_ref.agent.journal import JournalError
from mesos_ref.agent.leaders import AskedLeaders, Leaders, WatchedLeaders
from mesos_ref.agent.shell import AgentShell, Ports, Settings
from mesos_ref.cli import COMMANDS, EXIT_USAGE, options, timers
from mesos_ref.election.interface import ElectionError
from mesos_ref.election.open import open_election
from mesos_ref.http.client import HttpClient, parse_url
from mesos_ref.isolation.client import TemplateError
from mesos_ref.isolation.interface import IsolatorPlugin
from mesos_ref.isolation.posix import open_posix_isolator
from mesos_ref.isolation.sweep import StillServedError
from mesos_ref.ports.clock import TrioClock
from mesos_ref.ports.detour import Detours, parse_detour
from mesos_ref.ports.disk import RealDisk
from mesos_ref.ports.net import Net, TrioNet
from mesos_ref.resources import ResourceError, Resources
from mesos_ref.wire.v1 import Attribute, Resource, Scalar, Text

_ABOUT = """\
Run an agent: it offers what it has through a master, and runs tasks. It prints a
line when it serves.

Everything it needs after a crash is in its work directory, with the sandboxes of
its tasks. Started again there, it takes up what still runs.

  SIGTERM, SIGINT  end; executors of frameworks that checkpoint live on
  SIGUSR1          end every executor, then the agent

  exit codes: 0 told to end · 1 told by the master to shut down, or what is kept in
              the work directory does not fit · 5 wrong use, or a port or folder
              that can't be had · 70 the core failed (a bug)
"""

_SENTENCES = {"serving": "serving on http://{host}:{port}"}

#: What can be wrong with the machine, or with how we are used.
_REFUSALS = (OSError, JournalError, TemplateError, StillServedError)

#: Where isolators are plugged in.
ISOLATORS: Final = "mesos_ref.isolators"

_GIB = 1024

_log = logging.getLogger("mesos_ref.agent")


def add(subparsers: Any) -> None:
    """Add `agent` to the command line."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "agent",
        help=COMMANDS["agent"],
        description=_ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    given = parser.add_argument
    given(
        "--master",
        required=True,
        metavar="WHERE",
        help="file:PATH, or host:port of one or more masters, with commas",
    )
    given("--host", default="127.0.0.1", help="address to listen on (default %(default)s)")
    given(
        "--port",
        type=options.port,
        default=5051,
        help="for HTTP (default 5051; 0: as the last time, else any free)",
    )
    given("--hostname", help="what clients are told instead of --host")
    given("--name", type=options.name, default="agent", help="its name in logs and traces")
    _add_belongings(parser)
    given(
        "--isolation",
        metavar="posix|NAME",
        type=isolation,
        default=open_posix_isolator,
        help="how executors are kept apart; NAME is that of a plug-in (default posix)",
    )
    given(
        "--noop-executor",
        action="store_true",
        help="run nothing: report tasks RUNNING and FINISHED at once (benchmarks, tests)",
    )
    given(
        "--connect-to",
        metavar="HOST:PORT:TOHOST:TOPORT",
        type=detour,
        action="append",
        default=[],
        help="dial TOHOST:TOPORT where HOST:PORT is meant (may be repeated)",
    )
    options.add_common(parser)
    timers.add(parser, timers.AGENT, AgentConfig())
    parser.set_defaults(run=run)


def _add_belongings(parser: argparse.ArgumentParser) -> None:
    """What the agent has, and how it treats it."""
    given = parser.add_argument_group("what it has").add_argument
    given(
        "--work-dir",
        metavar="DIR",
        type=options.folder,
        required=True,
        help="sandboxes, and what outlives the process",
    )
    given(
        "--resources",
        metavar="LIST",
        type=resources,
        help="'cpus:4;mem:4096;ports:[31000-32000]' (default: what the machine has)",
    )
    given(
        "--attributes",
        metavar="LIST",
        type=attributes,
        default=(),
        help="what frameworks may choose by: 'rack:a;level:2'",
    )
    given(
        "--reconfiguration-policy",
        choices=("equal", "any"),
        default="equal",
        help="whether these may differ from the last start (default: equal, they may not)",
    )
    given(
        "--no-switch-user",
        dest="switch_user",
        action="store_false",
        help="as root: don't become the user that a framework names",
    )


def run(args: argparse.Namespace) -> int:
    """Run an agent until it is told to end, or must."""
    options.set_up_logging(args.name, args.verbose)
    options.set_up_memory()
    try:
        return trio.run(_serve, args)
    except runtime.CoreFailed:
        return runtime.EXIT_CORE_FAILED  # the traceback is in the log already
    except (ElectionError, *_REFUSALS) as error:
        _log.error("%s", error)
        return EXIT_USAGE


async def _serve(args: argparse.Namespace) -> int:
    shell = make(args)
    async with trio.open_nursery() as nursery:
        await nursery.start(_stop_on_signal, shell)
        outcome = await _run_bare(shell)
        nursery.cancel_scope.cancel()
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


async def _run_bare(shell: AgentShell) -> int | Exception:
    """What `run` returns or raises, so that no nursery wraps it."""
    try:
        return await shell.run()
    except (runtime.CoreFailed, *_REFUSALS) as error:
        return error


async def _stop_on_signal(
    shell: AgentShell, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    ends = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
    with trio.open_signal_receiver(*ends) as signals:
        task_status.started()
        async for number in signals:
            _log.info("ending: %s", signal.Signals(number).name)
            shell.stop(end_runs=number == signal.SIGUSR1)


def make(args: argparse.Namespace) -> AgentShell:
    """An agent as the options want it. Raises `ElectionError`."""
    net: Net = TrioNet()
    if args.connect_to:
        net = Detours(net, dict(args.connect_to))
    chosen = machine_resources(args.work_dir) if args.resources is None else args.resources
    config = AgentConfig(
        hostname=args.hostname or args.host,
        resources=chosen,
        attributes=args.attributes,
        reconfiguration_policy=args.reconfiguration_policy,
        **timers.chosen(args, timers.AGENT),
    )
    settings = Settings(
        work_dir=args.work_dir,
        name=args.name,
        host=args.host,
        port=args.port,
        trace=args.trace,
        noop=args.noop_executor,
        switch_user=args.switch_user,
        release=options.release(),
    )
    ports = Ports(
        net=net,
        disk=RealDisk(),
        clock=TrioClock(),
        ids=runtime.SystemIds(),
        leaders=leaders(args.master, net),
        isolation=args.isolation,
    )
    return AgentShell(config, settings, ports, announce=options.speaker(args.json, _SENTENCES))


def leaders(where: str, net: Net) -> Leaders:
    """Who leads, from `--master`. Raises `ElectionError`."""
    masters = []
    for one in where.split(","):
        try:
            target = parse_url(one if "//" in one else f"//{one}", default_port=5050)
        except ValueError:
            return WatchedLeaders(open_election(where))
        if one.partition(":")[0] == "file" or target.path not in ("/", ""):
            return WatchedLeaders(open_election(where))
        masters.append(f"http://{target.authority}")
    return AskedLeaders(HttpClient(net), masters)


# Words for values ---------------------------------------------------------------------------------


def resources(text: str) -> tuple[Resource, ...]:
    """What an agent has, in Mesos' syntax."""
    try:
        return Resources.parse(text).to_wire()
    except ResourceError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def machine_resources(work_dir: Path) -> tuple[Resource, ...]:
    """What the machine has, less what it needs itself, as Mesos reckons: 1 GB of memory and 5 GB
    of disk, or half where there is not twice that; and the usual ports.
    """
    mem_mb = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20
    disk_mb = shutil.disk_usage(work_dir).total >> 20
    amounts = {
        "cpus": os.cpu_count() or 1,
        "mem": mem_mb - _GIB if mem_mb > 2 * _GIB else mem_mb // 2,
        "disk": disk_mb - 5 * _GIB if disk_mb > 10 * _GIB else disk_mb // 2,
    }
    scalars = ";".join(f"{name}:{amount}" for name, amount in amounts.items())
    return Resources.parse(f"{scalars};ports:[31000-32000]").to_wire()


def attributes(text: str) -> Sequence[Attribute]:
    """Name and value of each, a number or text."""
    found = []
    for item in filter(None, (part.strip() for part in text.split(";"))):
        name, colon, value = (part.strip() for part in item.partition(":"))
        if not (name and colon and value):
            raise argparse.ArgumentTypeError(f"{item!r} is no attribute: right would be name:value")
        found.append(_attribute(name, value))
    return tuple(found)


def _attribute(name: str, value: str) -> Attribute:
    try:
        return Attribute(name=name, type="SCALAR", scalar=Scalar(value=float(value)))
    except ValueError:
        return Attribute(name=name, type="TEXT", text=Text(value=value))


def isolation(text: str) -> IsolatorPlugin:
    """The built-in isolation, or that of a plug-in."""
    if text == "posix":
        return open_posix_isolator
    plugins = {plugin.name: plugin for plugin in entry_points(group=ISOLATORS)}
    if text in plugins:
        return cast(IsolatorPlugin, plugins[text].load())
    known = ", ".join(["posix", *sorted(plugins)])
    raise argparse.ArgumentTypeError(f"{text!r} is no isolation that is installed: {known}")


def detour(text: str) -> tuple[tuple[str, int], tuple[str, int]]:
    """A `--connect-to`."""
    try:
        return parse_detour(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
