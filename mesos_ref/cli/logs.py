"""`mesos-ref logs`: what a task wrote, from the sandbox it wrote it in."""

from __future__ import annotations

import argparse
import sys
from collections.abc import AsyncIterator
from typing import Any, Final

import trio

from mesos_ref.cli import EXIT_OK, ps, showing
from mesos_ref.cli.following import LOOK_AGAIN_S, Copy
from mesos_ref.cli.sandboxes import Reader, Sandbox, ask_agent
from mesos_ref.cluster.asking import Operator, Unanswered
from mesos_ref.http.client import HttpClient
from mesos_ref.wire.v1 import TERMINAL_STATES

_ABOUT = """\
Show what a task wrote to its stdout. TASK is its id, or as much of the beginning
as names one task only. Tasks that are over are found too, as long as their agent is
there and its work directory has their sandbox.

  mesos-ref logs run-3
  mesos-ref logs --follow --stderr run-3.5b0e6a9c-0e4b-4d8e-9a41-0c2f3c3b7a55

  exit codes: 0 done · 5 wrong use, no such task, or nobody can be asked
"""

#: Whether a task that is followed is over is asked this often.
_ASK_AGAIN_S: Final = 1.0


def add(subparsers: Any) -> None:
    """Add `logs` to the command line."""
    parser = showing.add(subparsers, "logs", _ABOUT, _show)
    parser.add_argument("task", metavar="TASK", help="its id, or the beginning of it")
    parser.add_argument("--stderr", action="store_true", help="what it wrote to stderr instead")
    parser.add_argument("--follow", action="store_true", help="go on until the task is over")
    parser.add_argument("--framework", metavar="ID", help="of this framework only")


async def _show(operator: Operator, client: HttpClient, args: argparse.Namespace) -> int:
    task, sandbox = await find(operator, client, args.task, args.framework)
    reader = Reader(client, sandbox, "stderr" if args.stderr else "stdout")
    copy = Copy(reader, sys.stdout.buffer)
    ask_at_s = trio.current_time()
    is_live = args.follow
    while True:
        if is_live and trio.current_time() >= ask_at_s:
            is_live = await _is_live(operator, task, sandbox.framework_id)
            ask_at_s = trio.current_time() + _ASK_AGAIN_S
        was_live = is_live
        await copy.go_on()
        if not was_live:
            return EXIT_OK
        await trio.sleep(LOOK_AGAIN_S)


async def _is_live(operator: Operator, task: str, framework_id: str) -> bool:
    return any(
        row["state"] not in TERMINAL_STATES
        for row in ps.tasks_of(await operator.ask("GET_STATE"))
        if (row["task"], row["framework_id"]) == (task, framework_id)
    )


# Finding ------------------------------------------------------------------------------------------


async def find(
    operator: Operator, client: HttpClient, wanted: str, framework: str | None
) -> tuple[str, Sandbox]:
    """The task that is meant, and where it writes or wrote.  Raises `Unanswered`."""
    state = await operator.ask("GET_STATE")
    agents = {
        agent["agent_info"]["id"]["value"]: f"http://{showing.agent_address(agent)}"
        for agent in state["get_agents"]["agents"]
    }
    found: dict[tuple[str, str], Sandbox] = {}
    for row in ps.tasks_of(state):
        agent = agents.get(row["agent_id"])
        if agent is not None and row["task"].startswith(wanted):
            found[row["framework_id"], row["task"]] = Sandbox(
                agent=agent, framework_id=row["framework_id"], executor_id=row["executor_id"]
            )
    for agent in agents.values():
        async for sandbox in _sandboxes(client, agent, wanted):
            found.setdefault((sandbox.framework_id, sandbox.executor_id), sandbox)
    if framework is not None:
        found = {key: sandbox for key, sandbox in found.items() if key[0] == framework}
    return _only(found, wanted, operator.leader)


def _only(
    found: dict[tuple[str, str], Sandbox], wanted: str, leader: str | None
) -> tuple[str, Sandbox]:
    """The one that is meant: called just that, or the only one that begins so."""
    exact = {key: sandbox for key, sandbox in found.items() if key[1] == wanted}
    meant = exact or found
    if not meant:
        raise Unanswered(f"no task {wanted!r} is known at {leader}, nor to its agents")
    if len(meant) > 1:
        listed = "".join(f"\n  {task}  of framework {of}" for of, task in sorted(meant))
        raise Unanswered(f"{wanted!r} may be any of these:{listed}")
    [((_, task), sandbox)] = meant.items()
    return task, sandbox


async def _sandboxes(client: HttpClient, agent: str, wanted: str) -> AsyncIterator[Sandbox]:
    """Sandboxes that an agent has of executors whose id begins so; newest framework first."""
    for framework_id in await _folders(client, agent, "/frameworks"):
        for executor_id in await _folders(client, agent, f"/frameworks/{framework_id}/executors"):
            if executor_id.startswith(wanted):
                yield Sandbox(agent=agent, framework_id=framework_id, executor_id=executor_id)


async def _folders(client: HttpClient, agent: str, path: str) -> list[str]:
    """The folders an agent has at `path`, newest first; none if it does not answer."""
    call = {"type": "LIST_FILES", "list_files": {"path": path}}
    try:
        answer = await ask_agent(client, agent, call)
    except Unanswered as error:
        print(f"mesos-ref logs: {error}", file=sys.stderr)
        return []
    infos = [] if answer is None else answer["file_infos"]
    infos.sort(key=lambda info: info["mtime"]["nanoseconds"], reverse=True)
    return [info["path"].rpartition("/")[2] for info in infos]
