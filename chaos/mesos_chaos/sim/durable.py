"""What an agent would remember if it were killed now is what it shows (UPD-1, EXE-20).

Kills find that out too, if they come at the right moment.  Here the disk of a living agent is read
back now and then, as a new process would, and held against what the old one shows of frameworks
that checkpoint: executors, tasks and updates, none missing and none left over.  And what is on the
disk is to the byte what should be kept of all that is known: nothing is left there that no process
would ever look at again.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from mesos_chaos.sim.node import SimIds
from mesos_ref.agent import checkpoint, remembering
from mesos_ref.agent import view as views
from mesos_ref.agent.state import Agent

if TYPE_CHECKING:
    from mesos_chaos.sim.agents import SimAgent

TABLES = ("executors", "frameworks", "tasks", "updates")
#: What of a row a new process shows as the old one did; of updates it is all.
LASTING = {"tasks": ("executor", "role", "resources"), "executors": ("command",)}


def unkept(agent: SimAgent) -> Iterator[str]:
    """A sentence for each thing that is shown and not kept, or kept and not shown."""
    again = Agent(agent.config, SimIds(agent.loop.random("nobody's ids")))
    remembering.remember(again, agent.kept)
    shown, kept = _rows(agent.core.view()), _rows(views.whole(again))
    for key in sorted(shown.keys() - kept.keys()):
        yield f"{agent.name}: {_plain(key)} is shown, and would be forgotten by a kill"
    for key in sorted(kept.keys() - shown.keys()):
        yield f"{agent.name}: {_plain(key)} is kept, and not shown"
    for key in sorted(shown.keys() & kept.keys()):
        if shown[key] != kept[key]:
            yield f"{agent.name}: {_plain(key)} is kept otherwise than it is shown"
    yield from _written(agent)


def _written(agent: SimAgent) -> Iterator[str]:
    """A sentence for each key of the disk whose value is not what all writes should add up to."""
    due, kept = checkpoint.whole(agent.core.state), agent.kept
    for key in sorted(due.keys() | kept.keys()):
        if key not in due:
            yield f"{agent.name}: {key} is on the disk, and of no use"
        elif key not in kept:
            yield f"{agent.name}: {key} is not on the disk"
        elif kept[key] != due[key]:
            yield f"{agent.name}: {key} on the disk is not as it should be"


def _rows(view: dict[str, Any]) -> dict[str, Any]:
    """Of frameworks that checkpoint, by key: what lasts of each row."""
    lasting = {
        key.partition("/")[2]
        for key, value in view.items()
        if key.startswith("frameworks/") and value["checkpoint"]
    }
    rows = {}
    for key, value in view.items():
        table, _, rest = key.partition("/")
        if table in TABLES and rest.partition("/")[0] in lasting:
            names = LASTING.get(table)
            rows[key] = value if names is None else {name: value[name] for name in names}
    return rows


def _plain(key: str) -> str:
    table, _, rest = key.partition("/")
    return f"{table.rstrip('s')} {rest}"
