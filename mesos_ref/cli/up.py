"""`mesos-ref up`: a whole cluster in the foreground, until Ctrl-C."""

from __future__ import annotations

import argparse
import contextlib
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import trio

from mesos_ref.agent.config import AgentConfig
from mesos_ref.cli import COMMANDS, EXIT_OK, EXIT_USAGE, options, timers
from mesos_ref.cluster.asking import DEFAULT_PORT, MASTER_VARIABLE
from mesos_ref.cluster.cluster import Cluster, ClusterError, open_cluster
from mesos_ref.cluster.home import InUse
from mesos_ref.cluster.spec import ClusterSpec
from mesos_ref.master.config import MasterConfig

_ABOUT = f"""\
Start masters and agents on this machine, each a process of its own, and keep them
together until Ctrl-C. It says when the cluster is ready, and then whenever somebody
dies or comes to lead.

  mesos-ref up
  mesos-ref up --masters 1 --agents 4 --cpus 8 --mem 8192 --port 0
  mesos-ref up --work-dir /tmp/c --trace /tmp/c/trace --offer-timeout-s 5

Whoever kills the leader sees another take its place in a fraction of a second. Give
${MASTER_VARIABLE} the value that `up` prints, and every command follows.

Ctrl-C (or SIGTERM) ends all of it, executors and their tasks included, within
seconds. If `up` itself is killed, its masters and agents die with it, and the next
`up` in the same work directory ends what executors are left.

  exit codes: 0 told to end · 5 wrong use, a member that does not start, or no
              master left
"""

#: Agents of one machine need not be shy: the leader is dialled almost at once.
_QUICK = AgentConfig(registration_backoff_us=50_000)


def add(subparsers: Any) -> None:
    """Add `up` to the command line."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "up",
        help=COMMANDS["up"],
        usage="mesos-ref up [options]",
        description=_ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    given = parser.add_argument
    given("--masters", metavar="N", type=_count(1), default=3, help="how many (default 3)")
    given("--agents", metavar="N", type=_count(0), default=2, help="how many (default 2)")
    given("--cpus", metavar="C", type=options.number(0.01, "cpus"), default=2.0,
          help="each agent offers (default 2)")  # fmt: skip
    given("--mem", metavar="MB", type=options.number(1, "MB"), default=1024.0,
          help="each agent offers, in MB (default 1024)")  # fmt: skip
    given("--host", default="127.0.0.1", help="address to listen on (default %(default)s)")
    given("--port", metavar="P", type=options.port, default=DEFAULT_PORT,
          help="of the first master, the others follow; 0: any free ones"
          f" (default {DEFAULT_PORT})")  # fmt: skip
    given("--work-dir", metavar="DIR", type=options.folder,
          help="logs, sandboxes, and what outlives processes"
          " (default: a new one, removed at the end)")  # fmt: skip
    given("--lease-s", metavar="S", type=options.number(0.3, "s"), default=1.0,
          help="a leader that hangs is replaced after this (default 1)")  # fmt: skip
    given("--revive", action="store_true", help="start again whatever is killed")
    given("--noop-executor", action="store_true", help="tasks do nothing (benchmarks)")
    given("--isolation", metavar="NAME", help="how executors are kept apart (see agent --help)")
    options.add_common(parser)
    timers.add(parser, timers.MASTER, MasterConfig(), "timers and limits of masters")
    timers.add(parser, timers.AGENT, _QUICK, "timers of agents")
    parser.set_defaults(run=run)


def _count(least: int) -> Any:
    def read(text: str) -> int:
        if text.isascii() and text.isdigit() and least <= int(text) <= 99:
            return int(text)
        raise argparse.ArgumentTypeError(f"{text!r} is no number of {least} to 99")

    return read


def run(args: argparse.Namespace) -> int:
    """Run a cluster until told to end."""
    try:
        with _work_dir(args.work_dir) as work_dir:
            return trio.run(_serve, spec_of(args, work_dir), args.json)
    except (ClusterError, InUse, ValueError, OSError) as error:
        print(f"mesos-ref up: {error}", file=sys.stderr)
        if "already in use" in str(error):
            print("  choose another --port; 0 takes any that are free", file=sys.stderr)
        return EXIT_USAGE


@contextlib.contextmanager
def _work_dir(chosen: Path | None) -> Iterator[Path]:
    """The folder that was chosen; else a new one, removed if all goes well."""
    if chosen is not None:
        yield chosen
    else:
        folder = Path(tempfile.mkdtemp(prefix="mesos-ref-"))
        yield folder
        shutil.rmtree(folder, ignore_errors=True)


def spec_of(args: argparse.Namespace, work_dir: Path) -> ClusterSpec:
    """The cluster that the options describe.  Raises `ValueError`."""
    common: dict[str, str | bool] = {"verbose": True} if args.verbose else {}
    executors: dict[str, str | bool] = {"noop-executor": True} if args.noop_executor else {}
    if args.isolation is not None:
        executors["isolation"] = args.isolation
    return ClusterSpec(
        work_dir=work_dir,
        masters=args.masters,
        agents=args.agents,
        resources=f"cpus:{args.cpus:g};mem:{args.mem:g}",
        lease_s=args.lease_s,
        host=args.host,
        port=args.port,
        trace_dir=args.trace,
        revive=args.revive,
        master_options={**common, **timers.words(args, timers.MASTER, MasterConfig())},
        agent_options={**common, **executors, **timers.words(args, timers.AGENT, AgentConfig())},
    )


async def _serve(spec: ClusterSpec, as_json: bool) -> int:
    """From the first process to the last."""

    def tell(sentence: str) -> None:
        if not as_json:
            print(sentence, flush=True)

    code = EXIT_OK
    failure: Exception | None = None
    async with trio.open_nursery() as nursery:
        await nursery.start(_cancel_on_signal, nursery.cancel_scope)
        try:
            async with open_cluster(spec, tell=tell) as cluster:
                await cluster.wait_ready()
                print(as_line(cluster) if as_json else as_text(cluster), flush=True)
                await cluster.headless.wait()
                print("mesos-ref up: no master is left", file=sys.stderr)
                code = EXIT_USAGE
        except (ClusterError, InUse, OSError) as error:
            failure = error  # bare, rather than in the nursery's group
        nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure
    if code == EXIT_OK:
        tell("all of it has ended; nothing is left running")
    return code


async def _cancel_on_signal(
    everything: trio.CancelScope, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    ends = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    with trio.open_signal_receiver(*ends) as signals:
        task_status.started()
        async for _ in signals:
            everything.cancel()


# What is said -------------------------------------------------------------------------------------


def as_line(cluster: Cluster) -> str:
    """The cluster as one line of JSON, for programs."""
    spec, leader = cluster.spec, cluster.leader()
    facts = {
        "leader": None if leader is None else leader.url,
        "masters": [member.url for member in cluster.masters],
        "agents": [member.url for member in cluster.agents],
        "trace": None if spec.trace_dir is None else str(spec.trace_dir),
        "master": cluster.master_option,
        "work_dir": str(spec.work_dir),
        "processes": [
            {"name": member.name, "url": member.url, "pid": member.pid}
            for member in cluster.members
        ],
    }
    return msgspec.json.encode(facts).decode()


def as_text(cluster: Cluster) -> str:
    """What runs where, and what to try next, for people."""
    spec, leader = cluster.spec, cluster.leader()
    width = max(len(member.url) for member in cluster.members)
    lines = ["", f"Ready, in {spec.work_dir}:", ""]
    for member in cluster.members:
        leads = f"  leads, epoch {cluster.epoch}" if member is leader else ""
        lines.append(f"  {member.name:<10} {member.url:<{width}}  pid {member.pid}{leads}")
    kill = "" if leader is None else f"kill -9 {leader.pid}"
    lines += [
        "",
        "Try in another terminal:",
        "",
        f"  export {MASTER_VARIABLE}={cluster.master_option}",
        "  mesos-ref run --instances 10 --follow -- 'sleep 2; echo I am $INSTANCE'",
        f"  {kill:<20}  # the leader, meanwhile",
        "",
        "Ctrl-C ends everything.",
        "",
    ]
    return "\n".join(lines)
