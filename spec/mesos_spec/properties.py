"""What is claimed: in every state (ALWAYS), and of every step (EACH_STEP).

Each is a sentence that holds whatever breaks, crashes, or arrives late.  S5 ("an ended offer never
comes back") is partly beyond a finite model, where ids are used again: here it is that a standing
offer never changes; that ids are never reused is asked of traces.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from typing import TypeVar

from mesos_spec.domains import agents, epochs, frameworks, named_tasks, schedulers
from mesos_spec.ids import AgentId, Epoch, ExecutorKey, FrameworkId, Role, SchedulerId, TaskId
from mesos_spec.kernel import Always, EachStep, Fifo, Per, Table, always, each_step
from mesos_spec.masters import in_use
from mesos_spec.messages import Ack, FrameDown, Rescind, RunTask, ShutdownFramework, Status, Update
from mesos_spec.network import own_link
from mesos_spec.resources import NOTHING, Resources, total
from mesos_spec.state import (
    EXECUTORS_HOLD,
    OFFERS_HOLD,
    OWNERS,
    TASKS_HOLD,
    AgentRecord,
    Claimed,
    FrameworkRecord,
    Mood,
    Phase,
    Reign,
    Standing,
    State,
    is_terminal,
)

K = TypeVar("K", bound=Hashable)
M = TypeVar("M", bound=Hashable)


# ---- resources -----------------------------------------------------------------------------
@always(cites=("S1", "S2", "S3", "A2"), epoch=epochs, agent=agents)
def nothing_is_promised_twice(s: State, epoch: Epoch, agent: AgentId) -> bool:
    """What is offered and used of an agent is no more than it has (S1, S2)."""
    record = s.agents[epoch, agent]
    promised = s.used(epoch, agent) + s.offered(epoch, agent)
    return promised <= in_use(record)


@always(cites=("S3", "S4", "F4", "ALC-17", "ALC-22"), epoch=epochs, framework=frameworks)
def charges_add_up(s: State, epoch: Epoch, framework: FrameworkId) -> bool:
    """A framework is charged for its offers, its tasks that have not ended, its executors (S3)."""
    summed: dict[Role, dict[str, int]] = {}
    for agent in s.met_agents[epoch]:
        for sums in promised_on(s, epoch, agent):
            for (whose, role, name), n in sums.items():
                if whose == framework:
                    amounts = summed.setdefault(role, {})
                    amounts[name] = amounts.get(name, 0) + n
    charges = {role: Resources(amounts) for role, amounts in summed.items()}
    return s.charged[epoch, framework] == Table({r: n for r, n in charges.items() if n})


def promised_on(s: State, epoch: Epoch, agent: AgentId) -> Iterable[Mapping[Claimed, int]]:
    """Everything a master has promised of an agent, by whose it is."""
    yield s.offers[epoch, agent].tally(OFFERS_HOLD)
    yield s.tasks[epoch, agent].tally(TASKS_HOLD)
    yield s.executors[epoch, agent].tally(EXECUTORS_HOLD)


@always(cites=("ALC-15", "ALC-28"), epoch=epochs)
def the_cluster_is_its_agents(s: State, epoch: Epoch) -> bool:
    """The cluster's capacity is what its registered agents have, connected or not (ALC-15)."""
    return s.capacity[epoch] == total(*(in_use(s.agents[epoch, a]) for a in s.met_agents[epoch]))


@always(cites=("S1", "I1"), agent=agents)
def agents_are_not_overloaded(s: State, agent: AgentId) -> bool:
    """What runs on an agent fits on it, under however many leaders it came there (S1).

    The executors of a removed framework do not count: they are ending.
    """
    tasks = (run.resources for run in s.runs[agent].values() if run.phase != Phase.ENDED)
    executors = (one.resources for one in s.runners[agent].values() if not one.disowned)
    return total(*tasks, *executors) <= s.bounds.agents[agent]


# ---- offers --------------------------------------------------------------------------------
@always(cites=("S6", "OFR-5"), epoch=epochs, agent=agents)
def offers_can_be_used(s: State, epoch: Epoch, agent: AgentId) -> bool:
    """An offer that stands is of something, of a connected agent, to a connected framework in a
    role it has (S6)."""
    made = s.offers[epoch, agent].values()
    there = s.agents[epoch, agent].standing == Standing.REGISTERED
    heard = (s.frameworks[epoch, offer.framework] for offer in made)
    return not made or (
        there
        and all(record.standing == Standing.CONNECTED for record in heard)
        and all(o.role in s.frameworks[epoch, o.framework].roles and o.resources for o in made)
    )


@each_step("offers", cites=("S5",), epoch=epochs, agent=agents)
def offers_do_not_change(before: State, after: State, epoch: Epoch, agent: AgentId) -> bool:
    """An offer stands as it was made, until it ends (S5)."""
    old, new = before.offers[epoch, agent], after.offers[epoch, agent]
    return all(new[offer] == old[offer] for offer in new if offer in old)


@each_step("offers", cites=("FLT-2", "FLT-8"), epoch=epochs, agent=agents)
def nobody_is_offered_what_he_refuses(
    before: State, after: State, epoch: Epoch, agent: AgentId
) -> bool:
    """No offer is made in a suppressed role, or of what its framework has a filter on (FLT-2)."""
    new = [o for i, o in after.offers[epoch, agent].items() if i not in before.offers[epoch, agent]]
    for made in new:
        refused = before.filters[epoch, made.framework].get((agent, made.role), ())
        if any(made.resources <= amount for amount in refused):
            return False
        if made.role in before.frameworks[epoch, made.framework].suppressed:
            return False
    return True


@each_step("tasks", cites=("S20", "S5", "OFR-9", "A3", "F5"), epoch=epochs, agent=agents)
def what_is_launched_was_offered(before: State, after: State, epoch: Epoch, agent: AgentId) -> bool:
    """Launched tasks of a framework fit in the offers that it gave up for them (S20)."""
    if before.agents[epoch, agent] != after.agents[epoch, agent]:
        return True  # the agent has told what it runs
    ended: dict[FrameworkId, Resources] = {}
    for offer, made in before.offers[epoch, agent].items():
        if offer not in after.offers[epoch, agent]:
            ended[made.framework] = ended.get(made.framework, NOTHING) + made.resources
    for task, record in after.tasks[epoch, agent].items():
        if task not in before.tasks[epoch, agent]:
            ended[task.framework] = ended.get(task.framework, NOTHING) - record.resources
    return all(rest >= NOTHING for rest in ended.values())


@each_step("events", cites=("S20", "OFR-6"), epoch=epochs, framework=frameworks)
def only_what_was_offered_is_rescinded(
    before: State, after: State, epoch: Epoch, framework: FrameworkId
) -> bool:
    """A framework hears RESCIND only of offers it was given, and has not used (S20)."""
    stream = after.frameworks[epoch, framework].stream
    if stream is None:
        return True
    for event in sent(before.events, after.events, stream):
        if isinstance(event, Rescind):
            made = before.offers[epoch, event.offer.agent].get(event.offer, None)
            if made is None or made.framework != framework:
                return False
    return True


# ---- tasks ---------------------------------------------------------------------------------
@always(cites=("S7",), epoch=epochs)
def a_task_has_one_home(s: State, epoch: Epoch) -> bool:
    """A task id is on one agent at most, given up or not (S7)."""
    homes = Counter(
        task
        for agent in s.met_agents[epoch]
        for task in (*s.tasks[epoch, agent], *s.unreachable[epoch, agent])
    )
    return all(n == 1 for n in homes.values())


@always(cites=("S7",), epoch=epochs, task=named_tasks)
def a_task_is_sought_where_it_is(s: State, epoch: Epoch, task: TaskId) -> bool:
    """The way from a task to its agent leads to the agent that has it, and nowhere else (S7)."""
    has = {
        agent
        for agent in s.met_agents[epoch]
        if task in s.tasks[epoch, agent] or task in s.unreachable[epoch, agent]
    }
    home = s.home[epoch, task]
    return has == ({home} if home is not None else set())


@each_step("tasks unreachable", cites=("S8", "PRT-3"), epoch=epochs, agent=agents)
def an_ended_task_stays_ended(before: State, after: State, epoch: Epoch, agent: AgentId) -> bool:
    """A task that ended, to a master, never leaves that state while the master knows it (S8)."""
    for task, record in before.tasks[epoch, agent].items():
        now = after.tasks[epoch, agent] + after.unreachable[epoch, agent]
        if is_terminal(record.state) and task in now and now[task].state != record.state:
            return False
    return True


@always(cites=("S10", "UPD-1"), agent=agents)
def a_task_ends_once(s: State, agent: AgentId) -> bool:
    """A task's updates have one end at most, and it is the last of them (S10)."""
    return all(
        not any(is_terminal(status.state) for status in queue[:-1])
        for queue in s.updates[agent].values()
    )


@always(cites=("S10", "UPD-5", "L1"), agent=agents)
def a_task_that_ended_says_so(s: State, agent: AgentId) -> bool:
    """A task is kept as ended only while its last word waits to be acknowledged (UPD-5)."""
    for task, run in s.runs[agent].items():
        queue = s.updates[agent].get(task, ())
        says_so = bool(queue) and is_terminal(queue[-1].state)
        if (run.phase == Phase.ENDED) != is_terminal(run.state) or is_terminal(
            run.state
        ) != says_so:
            return False
    return True


@always(cites=("LCH-2", "EXE-2", "EXE-5"), agent=agents)
def a_task_has_an_executor(s: State, agent: AgentId) -> bool:
    """A task that has not ended is waited for, or had, by an executor that is there (EXE-5)."""
    runners = s.runners[agent]
    for task, run in s.runs[agent].items():
        mine = runners.get(ExecutorKey(task.framework, run.executor), None)
        waits = mine is not None and task in mine.queue
        if waits != (run.phase == Phase.QUEUED) or (run.phase != Phase.ENDED and mine is None):
            return False
    return True


@each_step("up", cites=("S9", "UPD-2"), agent=agents)
def only_the_oldest_update_is_sent(before: State, after: State, agent: AgentId) -> bool:
    """An agent sends of each task the update that waits longest, and no other (S9)."""
    link = own_link(after, agent)
    return all(
        frame.status == after.updates[agent].get(frame.task, (None,))[0]
        for frame in sent(before.up, after.up, link)
        if isinstance(frame, Update)
    )


@each_step("updates", cites=("S9", "UPD-4", "L2"), agent=agents)
def updates_leave_only_when_acknowledged(before: State, after: State, agent: AgentId) -> bool:
    """An update is the agent's to repeat until it is acknowledged, or nobody is left to (S9, L2).

    Nobody is, once the framework is removed, or did not checkpoint and the agent restarts.
    """
    orders = before.down[own_link(before, agent)].mail[:1]
    for task, queue in before.updates[agent].items():
        if after.updates[agent].get(task, ())[: len(queue)] == queue:
            continue
        hosted = before.hosted[agent].get(task.framework, None)
        keeps = before.agent[agent].up or (hosted is not None and hosted.checkpoint)
        if keeps and not any(lets_go(order, task, queue[0]) for order in orders):
            return False
    return True


def lets_go(order: FrameDown, task: TaskId, oldest: Status) -> bool:
    """Whether an order allows an agent to forget an update."""
    if isinstance(order, ShutdownFramework):
        return order.framework == task.framework
    return isinstance(order, Ack) and (order.task, order.uuid) == (task, oldest.uuid)


@always(cites=("AGT-9", "R1", "A1"), epoch=epochs, agent=agents)
def a_registered_agent_hides_nothing(s: State, epoch: Epoch, agent: AgentId) -> bool:
    """What runs on an agent is known to the master that it is registered with (R1, AGT-9).

    Unless it must not run, and an order to end it is on its way.
    """
    if not are_in_touch(s, epoch, agent):
        return True
    for task, run in s.runs[agent].items():
        elsewhere = s.home[epoch, task] not in (None, agent)
        known = task in s.tasks[epoch, agent] or elsewhere or run.phase == Phase.ENDED
        if not known and not is_ending(s, epoch, agent, task.framework):
            return False
    return all(
        key in s.executors[epoch, agent] or is_ending(s, epoch, agent, key.framework)
        for key, one in s.runners[agent].items()
        if not (one.command or one.disowned)
    )


def is_ending(s: State, epoch: Epoch, agent: AgentId, framework: FrameworkId) -> bool:
    """Whether a framework was removed; forgotten since, perhaps, while an agent is yet to hear."""
    if s.frameworks[epoch, framework].standing == Standing.REMOVED:
        return True
    orders = s.down[own_link(s, agent)].mail
    return any(isinstance(o, ShutdownFramework) and o.framework == framework for o in orders)


@always(cites=("L1", "AGT-9", "UPD-7"), epoch=epochs, agent=agents)
def no_task_is_forgotten(s: State, epoch: Epoch, agent: AgentId) -> bool:
    """Of a task that has not ended, to the master, something is under way or runs (L1).

    It runs on the agent, or is on its way there, or its end is on its way back.
    """
    if not are_in_touch(s, epoch, agent):
        return True
    known = s.tasks[epoch, agent].items()
    lacking = {task for task, record in known if not is_terminal(record.state)} - {*s.runs[agent]}
    if not lacking:
        return True
    link = own_link(s, agent)
    coming = {frame.task for frame in s.down[link].mail if isinstance(frame, RunTask)}
    going = {frame.task for frame in s.up[link].mail if isinstance(frame, Update)}
    return lacking <= {*s.updates[agent]} | coming | going


def are_in_touch(s: State, epoch: Epoch, agent: AgentId) -> bool:
    """Whether agent and master both take the agent for registered, on one link."""
    me, link = s.agent[agent], s.agents[epoch, agent].link
    return me.registered and link is not None and link == me.link


# ---- leaders -------------------------------------------------------------------------------
@always(cites=("S19", "R1", "MFO-6"), epoch=epochs)
def only_leaders_believe_anything(s: State, epoch: Epoch) -> bool:
    """Who does not lead, not yet or no more, knows nothing (R1)."""
    nothing = not s.met_agents[epoch] and not s.met_frameworks[epoch]
    return s.reign[epoch] == Reign.LEADING or nothing


@always(cites=("R1",), epoch=epochs, agent=agents)
def masters_know_whom_they_met(s: State, epoch: Epoch, agent: AgentId) -> bool:
    """A master has notes only of agents that it met (R1)."""
    notes = (s.offers, s.tasks, s.unreachable, s.executors)
    blank = s.agents[epoch, agent] == AgentRecord() and not any(n[epoch, agent] for n in notes)
    return (agent in s.met_agents[epoch]) != blank


@always(cites=("R1",), epoch=epochs, framework=frameworks)
def masters_know_whom_they_serve(s: State, epoch: Epoch, framework: FrameworkId) -> bool:
    """A master has notes only of frameworks that it met (R1)."""
    blank = s.frameworks[epoch, framework] == FrameworkRecord() and not s.filters[epoch, framework]
    return (framework in s.met_frameworks[epoch]) != blank


@each_step("agent", cites=("S19", "AGT-14"), agent=agents)
def agents_never_look_back(before: State, after: State, agent: AgentId) -> bool:
    """The newest reign that an agent has heard of only grows (S19)."""
    return after.agent[agent].epoch >= before.agent[agent].epoch


@each_step("runs runners hosted", cites=("S19", "AGT-14"), agent=agents)
def older_leaders_are_not_obeyed(before: State, after: State, agent: AgentId) -> bool:
    """No order of an older leader has an effect on what an agent runs (S19)."""
    link = own_link(before, agent)
    if not before.down.differs(after.down, link):
        return True
    orders = before.down[link].mail[:1]
    taken = orders and len(after.down[link]) < len(before.down[link])
    return not taken or orders[0].epoch >= before.agent[agent].epoch


@always(cites=("S19", "AGT-2", "RCV-8"), agent=agents)
def a_registered_agent_has_a_link(s: State, agent: AgentId) -> bool:
    """An agent is registered over a link, and has one only to a leader that it knows of, once all
    its executors are back (S19, RCV-8)."""
    me = s.agent[agent]
    linked = me.link is not None
    back = not any(runner.away for runner in s.runners[agent].values())
    return (linked or not me.registered) and (not linked or (me.up and me.epoch > 0 and back))


@always(cites=("S13",), epoch=epochs)
def one_framework_a_stream(s: State, epoch: Epoch) -> bool:
    """A stream is one framework's, and who is not connected has none (S13)."""
    records = [s.frameworks[epoch, framework] for framework in s.met_frameworks[epoch]]
    streams = [record.stream for record in records if record.stream is not None]
    connected = [record for record in records if record.standing == Standing.CONNECTED]
    return len(set(streams)) == len(streams) == len(connected)


@each_step("frameworks", cites=("S14", "FWK-5"), epoch=epochs, framework=frameworks)
def removed_is_for_good(before: State, after: State, epoch: Epoch, framework: FrameworkId) -> bool:
    """A removed framework never comes back in that reign, while the master remembers it (S14)."""
    was, now = before.frameworks[epoch, framework], after.frameworks[epoch, framework]
    gone = was.standing == Standing.REMOVED and after.reign[epoch] == Reign.LEADING
    return not gone or now in (FrameworkRecord(Standing.REMOVED), FrameworkRecord())


@each_step("frameworks", cites=("S14",), epoch=epochs, framework=frameworks)
def only_who_was_removed_is_forgotten(
    before: State, after: State, epoch: Epoch, framework: FrameworkId
) -> bool:
    """A master forgets no framework that it has not removed (S14)."""
    was, now = before.frameworks[epoch, framework], after.frameworks[epoch, framework]
    forgotten = now.standing == Standing.UNKNOWN and after.reign[epoch] == Reign.LEADING
    return not forgotten or was.standing in (Standing.UNKNOWN, Standing.REMOVED)


@always(cites=("FWK-15", "ALC-27"), epoch=epochs, framework=frameworks)
def nothing_is_left_of_a_removed_framework(s: State, epoch: Epoch, framework: FrameworkId) -> bool:
    """A removed framework has no tasks, executors, offers or filters (FWK-15)."""
    if s.frameworks[epoch, framework].standing != Standing.REMOVED:
        return True
    tables = [
        table[epoch, agent]
        for agent in s.met_agents[epoch]
        for table in (s.tasks, s.unreachable, s.executors)
    ]
    owned = any(key.framework == framework for table in tables for key in table)
    return not owned and not s.charged[epoch, framework] and not s.filters[epoch, framework]


# ---- agents and schedulers, to themselves --------------------------------------------------
@always(cites=("LCH-2",), agent=agents)
def agents_remember_what_they_have(s: State, agent: AgentId) -> bool:
    """An agent knows a framework while it has something of it, and no longer (LCH-2)."""
    owners = {*s.runners[agent].tally(OWNERS), *s.runs[agent].tally(OWNERS)}
    owed = {*s.updates[agent].tally(OWNERS)}
    hosted = {*s.hosted[agent]}
    return owners <= hosted <= owners | owed


@always(cites=("OFR-6",), scheduler=schedulers)
def offers_are_held_on_a_stream(s: State, scheduler: SchedulerId) -> bool:
    """A scheduler that is not subscribed holds no offers, and hears nothing (OFR-6)."""
    me = s.scheduler[scheduler]
    subscribed = me.mood == Mood.SUBSCRIBED
    waits = me.mood in (Mood.SUBSCRIBING, Mood.SUBSCRIBED)
    holds = not s.held[scheduler] or subscribed
    led = me.epoch > 0 or not waits
    return (
        led and holds and (me.stream is not None) == subscribed and (me.line is not None) == waits
    )


@each_step("scheduler", cites=("S19",), scheduler=schedulers)
def schedulers_never_look_back(before: State, after: State, scheduler: SchedulerId) -> bool:
    """The newest reign that a scheduler's process has heard of only grows (S19)."""
    was, now = before.scheduler[scheduler], after.scheduler[scheduler]
    return now.epoch >= was.epoch or now.epoch == 0


# ---- what they use -------------------------------------------------------------------------
def sent(before: Per[K, Fifo[M]], after: Per[K, Fifo[M]], channel: K) -> tuple[M, ...]:
    """The messages that a step put into a channel."""
    if not before.differs(after, channel):
        return ()
    old, new = before[channel].mail, after[channel].mail
    return new[len(old) :] if new[: len(old)] == old else ()


ALWAYS = tuple(claim for claim in list(vars().values()) if isinstance(claim, Always))
EACH_STEP = tuple(claim for claim in list(vars().values()) if isinstance(claim, EachStep))
