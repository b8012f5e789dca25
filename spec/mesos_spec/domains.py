"""Where bound names range, in a model: the ∃ in front of the actions.

Only free choices have a domain: who acts, whom to offer, which id to mint.  A trace needs none of
this, the judge gives every name.  Ids come from pools, and a new one is one that nothing in the
state mentions; of several the first is taken, since it does not matter which.  A domain may also
say that a channel has no room: a bound of the model, not a rule of the protocol.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from mesos_spec.ids import (
    AgentId,
    Epoch,
    FrameworkId,
    LineId,
    LinkId,
    OfferId,
    Role,
    SchedulerId,
    StreamId,
    TaskId,
    Uuid,
)
from mesos_spec.kernel import Among, Table
from mesos_spec.messages import (
    Accept,
    Decline,
    ExecutorUpdate,
    Offers,
    Rescind,
    Subscribe,
)
from mesos_spec.resources import Resources
from mesos_spec.state import Phase, Reign, Standing, State


# ---- who -----------------------------------------------------------------------------------
def epochs(s: State) -> Iterable[Epoch]:
    """Every reign there may be."""
    return s.bounds.epochs


def newer_epochs(s: State) -> Iterable[Epoch]:
    """Every reign that has begun."""
    return [epoch for epoch in s.bounds.epochs if s.reign[epoch] is not Reign.NONE]


def agents(s: State) -> Iterable[AgentId]:
    """Every agent."""
    return s.bounds.agents.keys()


def schedulers(s: State) -> Iterable[SchedulerId]:
    """Every scheduler."""
    return s.bounds.schedulers.keys()


def frameworks(s: State) -> Iterable[FrameworkId]:
    """Every framework there may be."""
    return s.bounds.frameworks


# ---- connections ---------------------------------------------------------------------------
def links(s: State) -> list[LinkId]:
    """Every link there may be."""
    return [link for agent in s.bounds.agents for link in links_of(s, agent)]


def links_of(s: State, agent: AgentId) -> list[LinkId]:
    """Every link there may be of an agent."""
    return [LinkId(agent, str(n)) for n in range(1, s.bounds.links + 1)]


def leads_to(s: State, epoch: Epoch, link: LinkId) -> bool:
    """Whether the next frame of a link is meant for a reign."""
    return bool(s.up[link].mail) and s.up[link].mail[0].epoch == epoch


#: The links whose next frame is meant for a reign: each master has an address of its own.
links_to = Among(links, leads_to)


def fresh_links(s: State, agent: AgentId) -> list[LinkId]:
    """The first link that nobody has, and nothing is under way on."""
    known = {s.agents[epoch, agent].link for epoch in s.bounds.epochs} | {s.agent[agent].link}
    unused = (k for k in links_of(s, agent) if k not in known)
    return [*islice((k for k in unused if s.up.is_empty(k) and s.down.is_empty(k)), 1)]


def lines(s: State) -> list[LineId]:
    """Every line there may be."""
    return [line for epoch in s.bounds.epochs for line in lines_for(s, epoch)]


def lines_to(s: State, epoch: Epoch) -> list[LineId]:
    """Every line there may be to the master of a reign: those that were meant for it; and, if all
    masters have one address, those that were meant for a reign before it that is over."""
    found = lines_for(s, epoch)
    if s.bounds.one_address:
        over = (e for e in s.bounds.epochs if e < epoch and s.reign[e] is Reign.ENDED)
        found += [line for before in over for line in lines_for(s, before)]
    return found


def lines_for(s: State, epoch: Epoch) -> list[LineId]:
    """Every line there may be that is meant for a reign."""
    pool = range(1, s.bounds.lines + 1)
    return [LineId(one, str(n), epoch) for one in s.bounds.schedulers for n in pool]


def fresh_lines(s: State, scheduler: SchedulerId) -> list[LineId]:
    """The first line to the scheduler's master that nobody has, and nothing is under way on."""
    epoch = s.scheduler[scheduler].epoch
    mine = (line for line in lines_for(s, epoch) if line.scheduler == scheduler)
    return [line for line in mine if is_fresh(s, line)][:1]


def is_fresh(s: State, line: LineId) -> bool:
    """Whether nobody has a line, and nothing is under way on it or heard of it."""
    busy = s.calls[line] or s.answer[line] or any(is_used(s, one) for one in streams_on(s, line))
    return not busy and s.scheduler[line.scheduler].line != line


def is_used(s: State, stream: StreamId) -> bool:
    """Whether something is under way on a stream, or its master takes it for open."""
    known = (s.frameworks[stream.epoch, f].stream for f in s.bounds.frameworks)
    return bool(s.events[stream]) or stream in known


def streams(s: State) -> list[StreamId]:
    """Every stream there may be."""
    return [stream for line in lines(s) for stream in streams_on(s, line)]


def streams_on(s: State, line: LineId) -> list[StreamId]:
    """Every stream that may answer a line."""
    later = s.bounds.epochs if s.bounds.one_address else ()
    answering = (line.epoch, *(epoch for epoch in later if epoch > line.epoch))
    return [stream for epoch in answering for stream in stream_for(s, line, epoch)]


def stream_for(s: State, line: LineId, epoch: Epoch) -> tuple[StreamId]:
    """The stream on which a master answers a line: one of its own, named like it."""
    return (StreamId(line.scheduler, f"{line.epoch}.{line.id}", epoch),)


# ---- frameworks and offers -----------------------------------------------------------------
def framework_for(s: State, line: LineId) -> list[FrameworkId]:
    """Whom the next SUBSCRIBE of a line makes: who it says, else the first that never was."""
    head = s.calls[line].mail[:1]
    if not head or not isinstance(head[0], Subscribe):
        return []
    if head[0].framework is not None:
        return [head[0].framework]
    return fresh_frameworks(s)[:1]


def fresh_frameworks(s: State) -> list[FrameworkId]:
    """The framework ids that no master has given, and no scheduler has from before."""
    taken = {f for epoch in s.bounds.epochs for f in s.met_frameworks[epoch]}
    taken |= {program.framework for program in s.bounds.schedulers.values() if program.framework}
    return [f for f in s.bounds.frameworks if f not in taken]


def roles_of(s: State, epoch: Epoch, framework: FrameworkId) -> Iterable[Role]:
    """The roles of a framework."""
    return s.frameworks[epoch, framework].roles


def fresh_offers(s: State, agent: AgentId) -> list[OfferId]:
    """The first offer id of an agent that nothing mentions."""
    taken = {offer for epoch in s.bounds.epochs for offer in s.offers[epoch, agent]}
    taken |= {offer for one in s.bounds.schedulers for offer in s.held[one]}
    taken |= set(_offers_in_the_mail(s))
    pool = (OfferId(agent, str(n)) for n in range(1, s.bounds.offers + 1))
    return [offer for offer in pool if offer not in taken][:1]


def _offers_in_the_mail(s: State) -> Iterator[OfferId]:
    for line in lines(s):
        for call in s.calls[line].mail:
            if isinstance(call, Accept | Decline):
                yield from call.offers
    for stream in streams(s):
        for event in s.events[stream].mail:
            if isinstance(event, Offers | Rescind):
                yield event.offer


def outstanding(s: State, epoch: Epoch, agent: AgentId) -> Iterable[OfferId]:
    """The offers a master has made of an agent."""
    return s.offers[epoch, agent]


def amounts(s: State, epoch: Epoch, agent: AgentId) -> list[Resources]:
    """What may be offered: all that is free on the agent (ALC-10), or a model's portions."""
    there = s.agents[epoch, agent].standing == Standing.REGISTERED
    free = (s.free(epoch, agent),) if there else ()
    return list(dict.fromkeys((*free, *s.bounds.portions)))


def filtered_roles(s: State, epoch: Epoch, framework: FrameworkId, agent: AgentId) -> list[Role]:
    """The roles in which a framework has filters on an agent."""
    return [role for where, role in s.filters[epoch, framework] if where == agent]


def filtered_amounts(
    s: State, epoch: Epoch, framework: FrameworkId, agent: AgentId, role: Role
) -> Iterable[Resources]:
    """What a framework has refused of an agent in a role."""
    return dict.fromkeys(s.filters[epoch, framework].get((agent, role), ()))


# ---- agents and executors ------------------------------------------------------------------
def total_of(s: State, agent: AgentId) -> tuple[Resources]:
    """What an agent has."""
    return (s.bounds.agents[agent],)


def usable_of(s: State, agent: AgentId) -> tuple[bool]:
    """Whether an agent declares itself rightly."""
    return (agent not in s.bounds.unusable,)


def fullness(s: State) -> tuple[bool, ...]:
    """Whether a master may have as many frameworks as it may."""
    return (False, True) if s.bounds.full else (False,)


def quiet_agents(s: State, epoch: Epoch) -> list[AgentId]:
    """The agents with nothing on the way to them: whom a model may ping."""
    met = {agent: s.agents[epoch, agent].link for agent in s.bounds.agents}
    return [agent for agent, link in met.items() if link is None or not s.down[link]]


def frameworks_on(s: State, agent: AgentId) -> list[FrameworkId]:
    """The frameworks that have an executor on an agent."""
    return list(dict.fromkeys(key.framework for key in s.runners[agent]))


def executors_on(s: State, agent: AgentId, framework: FrameworkId) -> list[str]:
    """The executors of a framework on an agent."""
    return [key.executor for key in s.runners[agent] if key.framework == framework]


def named_tasks(s: State) -> list[TaskId]:
    """Every task there may be."""
    asks = [ask for program in s.bounds.schedulers.values() for ask in program.tasks]
    return list(dict.fromkeys(ask.task for ask in asks))


def named_executors(s: State) -> list[tuple[AgentId, FrameworkId, str]]:
    """Every executor there may be: of a framework's own, or a command task's."""
    asks = [ask for program in s.bounds.schedulers.values() for ask in program.tasks]
    named = dict.fromkeys((ask.task.framework, ask.executor or ask.task.id) for ask in asks)
    return [(agent, *one) for agent in s.bounds.agents for one in named]


def executor_stream(s: State) -> tuple[str]:
    """An executor's stream: which one does not matter to anybody."""
    return ("stream",)


def exit_status(s: State) -> tuple[int | None]:
    """How an executor ended: passed on, and nothing depends on it."""
    return (None,)


def said_so_far(
    s: State, agent: AgentId, framework: FrameworkId, executor: str
) -> list[tuple[ExecutorUpdate, ...]]:
    """What a coming back executor brings along: nothing, or one thing it may say."""
    return [(), *((word,) for word in words(s, agent, framework, executor))]


def words(s: State, agent: AgentId, framework: FrameworkId, executor: str) -> list[ExecutorUpdate]:
    """What an executor may say of its tasks.  A state has one uuid: saying it again is a repeat."""
    mine = [
        task
        for task, run in s.runs[agent].items()
        if (task.framework, run.executor) == (framework, executor) and run.phase != Phase.QUEUED
    ]
    return [ExecutorUpdate(task, word, word) for task in mine for word in s.bounds.words]


def listed_tasks(
    s: State, agent: AgentId, framework: FrameworkId, executor: str
) -> list[frozenset[TaskId]]:
    """The tasks a coming back executor knows of: all that were given to it, or none."""
    mine = frozenset(word.task for word in words(s, agent, framework, executor))
    return list(dict.fromkeys((mine, frozenset())))


def nothing_minted(s: State) -> tuple[Table[TaskId, Uuid]]:
    """An agent's own updates are named by the specification."""
    return (Table(),)


def waiting_tasks(s: State, agent: AgentId) -> list[TaskId]:
    """The tasks with an update that waits, on an agent whose link has room."""
    link = s.agent[agent].link
    if link is None or len(s.up[link]) >= s.bounds.room:
        return []
    return list(s.updates[agent])


def either(s: State) -> tuple[bool, bool]:
    """Yes or no."""
    return (False, True)


def some_bytes(s: State) -> tuple[str]:
    """What is in a message: nothing depends on it."""
    return ("data",)
