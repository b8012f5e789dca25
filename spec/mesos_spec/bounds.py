"""The size of a model: what there may be, and what users, executors and agents may do.

Everything in it limits the world, never the protocol: no guard reads it, only domains do (where
bound names range).  A trace has no bounds; the judge gives the names.
"""

from __future__ import annotations

from typing import NamedTuple

from mesos_spec.ids import AgentId, Epoch, FrameworkId, SchedulerId
from mesos_spec.kernel import Table
from mesos_spec.messages import FrameworkInfo, TaskAsk
from mesos_spec.resources import Resources


class Program(NamedTuple):
    """A scheduler's user: what it wants to be, and what it may ask for.

    `framework` is the id it knows from before (a scheduler that takes over); `tasks` are those it
    may launch, each once; `calls` are the kinds of call it may make, by the names of the messages;
    `foreign` are those it may make without our library, on any stream, as any framework.
    """

    framework: FrameworkId | None = None
    info: FrameworkInfo = FrameworkInfo(("r",), partition_aware=True)
    suppressed: tuple[str, ...] = ()
    usable: bool = True
    tasks: tuple[TaskAsk, ...] = ()
    calls: frozenset[str] = frozenset()
    foreign: frozenset[str] = frozenset()


class Bounds(NamedTuple):
    """A model's sizes.  Ids come from pools, and may be used again when nothing mentions them."""

    epochs: tuple[Epoch, ...] = ()
    agents: Table[AgentId, Resources] = Table()  #: with what each has
    unusable: frozenset[AgentId] = frozenset()  #: those that declare themselves wrongly
    schedulers: Table[SchedulerId, Program] = Table()
    frameworks: tuple[FrameworkId, ...] = ()  #: ids to give to new ones
    full: bool = False  #: a master may have as many frameworks as it may
    one_address: bool = False  #: a later master may hear what was meant for one that is over
    links: int = 1  #: per agent
    lines: int = 1  #: per scheduler and reign
    offers: int = 1  #: per agent
    portions: tuple[Resources, ...] = ()  #: what may be offered beside all that is free
    room: int = 1  #: messages in a channel that whoever may choose to send leaves at that
    words: tuple[str, ...] = ("TASK_FINISHED",)  #: states executors report
