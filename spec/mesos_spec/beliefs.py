"""Beliefs about Mesos that are false, as properties that a model breaks.

Each is what somebody who writes a framework takes for granted, in his words and in the
specification's.  Why it is not so, and what to do about it, is in `surprises`.
"""

from __future__ import annotations

from mesos_spec.domains import agents, epochs, frameworks, lines, named_tasks, schedulers
from mesos_spec.heard import heard_call
from mesos_spec.ids import AgentId, Epoch, FrameworkId, LineId, SchedulerId, TaskId
from mesos_spec.kernel import always, each_step
from mesos_spec.masters import is_subscribed
from mesos_spec.messages import Accept, Offers, Reconcile, Rescind, TaskUpdate, Update
from mesos_spec.network import NO_STREAM, hearer, own_link, own_stream
from mesos_spec.offers import is_of
from mesos_spec.properties import sent
from mesos_spec.state import Phase, Reign, Standing, State, is_terminal
from mesos_spec.tasks import may_use


def is_alive(s: State, agent: AgentId, task: TaskId) -> bool:
    """Whether a task is on an agent, and has not ended there."""
    run = s.runs[agent].get(task, None)
    return run is not None and run.phase != Phase.ENDED


# ---- offers ----------------------------------------------------------------------------------
@each_step("calls", cites=("OFR-9", "OFR-10", "S20"), line=lines)
def an_accepted_offer_means_a_launched_task(before: State, after: State, line: LineId) -> bool:
    """Who accepts an offer that he was given has launched his task."""
    call, epoch = heard_call(before, after, line), hearer(after, line)
    if not isinstance(call, Accept) or not is_subscribed(before, epoch, call):
        return True
    standing = [before.offers[epoch, o.agent].get(o, None) for o in call.offers]
    others = any(made is not None and made.framework != call.framework for made in standing)
    if others or any(ask.flaw for ask in call.tasks):
        return True
    return all(after.home[epoch, ask.task] is not None for ask in call.tasks)


@each_step("calls", cites=("OFR-13", "OFR-15"), line=lines)
def an_accept_is_all_or_nothing(before: State, after: State, line: LineId) -> bool:
    """The tasks of one ACCEPT are launched together, or none of them is."""
    call, epoch = heard_call(before, after, line), hearer(after, line)
    if not isinstance(call, Accept) or not is_subscribed(before, epoch, call):
        return True
    old = {ask.task for ask in call.tasks if before.home[epoch, ask.task] is not None}
    new = {ask.task for ask in call.tasks if after.home[epoch, ask.task] is not None} - old
    return not new or new == {ask.task for ask in call.tasks}


@each_step("calls", cites=("OFR-10",), line=lines)
def a_bad_offer_spoils_only_itself(before: State, after: State, line: LineId) -> bool:
    """If an ACCEPT names an offer that has ended, the other offers it names can still be used."""
    call, epoch = heard_call(before, after, line), hearer(after, line)
    if not isinstance(call, Accept) or not is_subscribed(before, epoch, call):
        return True
    if not call.tasks or may_use(before, epoch, call):
        return True
    good = [offer for offer in call.offers if is_of(before, epoch, offer, call.framework)]
    return len(good) == len(call.offers) or all(
        is_of(after, epoch, offer, call.framework) for offer in good
    )


@always(cites=("OFR-5", "S20"), scheduler=schedulers)
def what_is_rescinded_was_not_used(s: State, scheduler: SchedulerId) -> bool:
    """RESCIND comes for offers that I hold, and have not used."""
    heard = s.events[own_stream(s, scheduler)].mail[:1]
    return all(e.offer in s.held[scheduler] for e in heard if isinstance(e, Rescind))


@always(cites=("OFR-5", "MFO-10", "R1"), scheduler=schedulers)
def an_offer_stands_until_i_am_told(s: State, scheduler: SchedulerId) -> bool:
    """An offer that I hold stands, or its RESCIND is under way."""
    coming = {e.offer for e in s.events[own_stream(s, scheduler)].mail if isinstance(e, Rescind)}
    standing = {o for e in s.bounds.epochs for a in s.bounds.agents for o in s.offers[e, a]}
    asked = {
        offer
        for line in lines(s)
        for call in s.calls[line].mail
        if isinstance(call, Accept)
        for offer in call.offers
    }
    return all(offer in standing | coming | asked for offer in s.held[scheduler])


@each_step("offers", cites=("FLT-1", "FLT-2"), epoch=epochs, agent=agents)
def what_i_decline_stays_away(before: State, after: State, epoch: Epoch, agent: AgentId) -> bool:
    """While my filter stands, nothing of that agent is offered to me again."""
    new = [o for i, o in after.offers[epoch, agent].items() if i not in before.offers[epoch, agent]]
    return not any((agent, o.role) in before.filters[epoch, o.framework] for o in new)


@always(cites=("FLT-8",), epoch=epochs, agent=agents)
def who_suppresses_has_no_offers(s: State, epoch: Epoch, agent: AgentId) -> bool:
    """A framework that has suppressed its role has no offers in it."""
    made = s.offers[epoch, agent].values()
    return not any(o.role in s.frameworks[epoch, o.framework].suppressed for o in made)


@each_step("offers", cites=("UPD-8", "A5"), epoch=epochs, agent=agents)
def resources_are_free_once_i_know(
    before: State, after: State, epoch: Epoch, agent: AgentId
) -> bool:
    """What my task used is offered to others only after I was told that it ended."""
    made = any(offer not in before.offers[epoch, agent] for offer in after.offers[epoch, agent])
    ended = [r for r in before.tasks[epoch, agent].values() if is_terminal(r.state)]
    return not made or all(is_terminal(record.told) for record in ended)


# ---- tasks -----------------------------------------------------------------------------------
@always(cites=("PRT-2", "PRT-4"), epoch=epochs, agent=agents)
def an_unreachable_task_has_stopped(s: State, epoch: Epoch, agent: AgentId) -> bool:
    """A task that is TASK_UNREACHABLE does not run any more."""
    return not any(is_alive(s, agent, task) for task in s.unreachable[epoch, agent])


@each_step("events", cites=("PRT-3", "PRT-4", "S8"), epoch=epochs, agent=agents)
def lost_is_final(before: State, after: State, epoch: Epoch, agent: AgentId) -> bool:
    """TASK_LOST is terminal: nothing else is heard of the task."""
    for task, record in before.unreachable[epoch, agent].items():
        stream = before.frameworks[epoch, task.framework].stream or NO_STREAM
        told = sent(before.events, after.events, stream)
        mine = [e for e in told if isinstance(e, TaskUpdate) and e.task == task]
        if record.told == "TASK_LOST" and any(not is_terminal(e.state) for e in mine):
            return False
    return True


@always(cites=("KIL-5", "KIL-6", "S10", "EXE-5"), agent=agents)
def a_killed_task_ends_as_killed(s: State, agent: AgentId) -> bool:
    """A task that I have killed ends as TASK_KILLED."""
    ended = [run for run in s.runs[agent].values() if run.killed and run.phase == Phase.ENDED]
    return all(run.state == "TASK_KILLED" for run in ended)


@always(cites=("S7", "TSK-3", "AGT-9"), task=named_tasks)
def a_task_id_is_one_run(s: State, task: TaskId) -> bool:
    """One task id runs on one agent at a time."""
    return sum(is_alive(s, agent, task) for agent in s.bounds.agents) <= 1


@each_step("runs", cites=("RCV-2",), agent=agents)
def tasks_outlive_their_agents_process(before: State, after: State, agent: AgentId) -> bool:
    """An agent that restarts finds its tasks again: their executors live on."""
    started = after.agent[agent].up and not before.agent[agent].up
    return not started or before.runs[agent].keys() == after.runs[agent].keys()


@always(cites=("FWK-17", "R4"), epoch=epochs, framework=frameworks, agent=agents)
def tasks_end_with_their_scheduler(
    s: State, epoch: Epoch, framework: FrameworkId, agent: AgentId
) -> bool:
    """When my scheduler is gone, my tasks end."""
    away = s.frameworks[epoch, framework].standing == Standing.DISCONNECTED
    return not away or not any(
        task.framework == framework and is_alive(s, agent, task) for task in s.runs[agent]
    )


@always(cites=("FWK-15", "FWK-18"), epoch=epochs, framework=frameworks, agent=agents)
def tasks_end_with_their_framework(
    s: State, epoch: Epoch, framework: FrameworkId, agent: AgentId
) -> bool:
    """When a framework is removed, none of its tasks runs any more."""
    gone = s.frameworks[epoch, framework].standing == Standing.REMOVED
    return not gone or not any(
        task.framework == framework and is_alive(s, agent, task) for task in s.runs[agent]
    )


# ---- updates and reconciliation --------------------------------------------------------------
@always(cites=("UPD-2", "UPD-21", "S9"), scheduler=schedulers)
def an_end_is_told_once(s: State, scheduler: SchedulerId) -> bool:
    """A task's terminal update arrives once."""
    return not any(
        isinstance(e, TaskUpdate) and is_terminal(e.state) and (e.task, e.uuid) in s.owed[scheduler]
        for e in s.events[own_stream(s, scheduler)].mail
    )


@always(cites=("UPD-21", "OFR-10", "OFR-15"), scheduler=schedulers)
def every_end_waits_for_my_acknowledgement(s: State, scheduler: SchedulerId) -> bool:
    """A terminal update is repeated until I acknowledge it, so I can't miss it."""
    return not any(
        isinstance(e, TaskUpdate) and is_terminal(e.state) and e.uuid is None
        for e in s.events[own_stream(s, scheduler)].mail
    )


@each_step("up", cites=("S9", "UPD-2"), agent=agents)
def updates_come_in_the_order_of_events(before: State, after: State, agent: AgentId) -> bool:
    """What happened first on an agent, I hear first."""
    link = own_link(before, agent)
    waits = {task for task, queue in before.updates[agent].items() if len(queue) > 1}
    new = [f for f in sent(before.up, after.up, link) if isinstance(f, Update)]
    said = [f for f in new if f.status not in before.updates[agent].get(f.task, ())]
    return not any(waits - {frame.task} for frame in said)


@each_step("calls", cites=("REC-2", "REC-10", "L7"), line=lines)
def every_question_is_answered(before: State, after: State, line: LineId) -> bool:
    """Reconciliation answers at once, for every task that I ask about."""
    call, epoch = heard_call(before, after, line), hearer(after, line)
    if not isinstance(call, Reconcile) or not is_subscribed(before, epoch, call):
        return True
    told = sent(before.events, after.events, call.stream)
    return {e.task for e in told if isinstance(e, TaskUpdate)} >= {task for task, _ in call.tasks}


# ---- leaders ---------------------------------------------------------------------------------
@always(cites=("MFO-4", "MFO-5", "R1"), epoch=epochs, framework=frameworks, agent=agents)
def who_serves_me_knows_my_tasks(
    s: State, epoch: Epoch, framework: FrameworkId, agent: AgentId
) -> bool:
    """A new master that has taken me on knows what runs for me."""
    newest = epoch == s.newest and s.frameworks[epoch, framework].standing == Standing.CONNECTED
    mine = [t for t in s.runs[agent] if t.framework == framework and is_alive(s, agent, t)]
    return not newest or all(s.home[epoch, task] is not None for task in mine)


@always(cites=("S19", "R2", "MFO-6"))
def only_one_master_leads(s: State) -> bool:
    """At any time one master leads."""
    return sum(s.reign[epoch] == Reign.LEADING for epoch in s.bounds.epochs) <= 1


@always(cites=("S19", "MFO-10"), scheduler=schedulers)
def offers_come_from_the_leader(s: State, scheduler: SchedulerId) -> bool:
    """Whoever offers me something is the leader."""
    stream = own_stream(s, scheduler)
    offered = any(isinstance(event, Offers) for event in s.events[stream].mail)
    return not offered or s.scheduler[scheduler].epoch == s.newest
