"""What must be possible (SOMETIMES): a model in which these never happen proves nothing.

Each model names those that its subject is about.
"""

from __future__ import annotations

from mesos_spec.domains import agents, epochs, frameworks, lines, schedulers
from mesos_spec.ids import AgentId, Epoch, FrameworkId, LineId, OfferId, SchedulerId
from mesos_spec.kernel import sometimes
from mesos_spec.messages import (
    Accept,
    Error,
    Failure,
    Message,
    Rescind,
    RunTask,
    TaskUpdate,
    Update,
)
from mesos_spec.network import hearer, link_of, own_link, own_stream
from mesos_spec.offers import is_of
from mesos_spec.resources import Resources
from mesos_spec.state import Mood, Phase, Reign, Standing, State, is_terminal


def hears(s: State, scheduler: SchedulerId, state: str, reason: str | None = None) -> bool:
    """Whether the next a scheduler hears is that a task is in a state, for a reason."""
    return any(
        isinstance(event, TaskUpdate) and event.state == state and reason in (None, event.reason)
        for event in s.events[own_stream(s, scheduler)].mail[:1]
    )


# ---- offers --------------------------------------------------------------------------------
@sometimes(cites=("OFR-5", "S20"), scheduler=schedulers)
def an_offer_is_rescinded(s: State, scheduler: SchedulerId) -> bool:
    """A scheduler that holds an offer is about to hear that it is off."""
    heard = s.events[own_stream(s, scheduler)].mail[:1]
    return any(isinstance(e, Rescind) and e.offer in s.held[scheduler] for e in heard)


@sometimes(cites=("OFR-10", "S20"), epoch=epochs, line=lines)
def an_offer_is_accepted_after_it_ended(s: State, epoch: Epoch, line: LineId) -> bool:
    """An ACCEPT is under way, and its offer has been rescinded meanwhile."""
    return any(
        isinstance(call, Accept) and not is_of(s, epoch, call.offers[0], call.framework)
        for call in s.calls[line].mail
    )


@sometimes(cites=("OFR-12",), epoch=epochs, agent=agents)
def two_offers_of_an_agent_stand(s: State, epoch: Epoch, agent: AgentId) -> bool:
    """Two offers of one agent stand at the same time."""
    return len(s.offers[epoch, agent]) > 1


def accepted_together(s: State, epoch: Epoch, line: LineId) -> list[tuple[OfferId, ...]]:
    """The offers of each ACCEPT of several that a master may hear now."""
    heard = s.calls[line].mail[:1]
    calls = [call for call in heard if isinstance(call, Accept) and line.epoch == epoch]
    return [call.offers for call in calls if len(call.offers) > 1]


def made_roles(s: State, epoch: Epoch, offers: tuple[OfferId, ...]) -> list[str | None]:
    """The role of each offer; None of one that has ended."""
    standing = [s.offers[epoch, offer.agent].get(offer, None) for offer in offers]
    return [None if made is None else made.role for made in standing]


@sometimes(cites=("OFR-9", "OFR-10"), epoch=epochs, line=lines)
def offers_of_two_agents_are_accepted(s: State, epoch: Epoch, line: LineId) -> bool:
    """An ACCEPT names offers of two agents, which all stand."""
    return any(
        len({offer.agent for offer in offers}) > 1 and None not in made_roles(s, epoch, offers)
        for offers in accepted_together(s, epoch, line)
    )


@sometimes(cites=("OFR-9", "OFR-10"), epoch=epochs, line=lines)
def offers_in_two_roles_are_accepted(s: State, epoch: Epoch, line: LineId) -> bool:
    """An ACCEPT names offers of one agent in two roles, which all stand."""
    return any(
        len({offer.agent for offer in offers}) == 1
        and len({role for role in made_roles(s, epoch, offers) if role is not None}) > 1
        for offers in accepted_together(s, epoch, line)
    )


@sometimes(cites=("OFR-9", "OFR-10"), epoch=epochs, line=lines)
def an_offer_is_accepted_twice(s: State, epoch: Epoch, line: LineId) -> bool:
    """An ACCEPT names an offer twice, which stands."""
    return any(
        len(set(offers)) == 1 and None not in made_roles(s, epoch, offers)
        for offers in accepted_together(s, epoch, line)
    )


@sometimes(cites=("F5", "OFR-10", "S20"), epoch=epochs, line=lines)
def a_good_offer_goes_with_an_ended_one(s: State, epoch: Epoch, line: LineId) -> bool:
    """An ACCEPT names an offer that was rescinded meanwhile, and one that stands."""
    return any(
        None in roles and any(roles)
        for roles in (made_roles(s, epoch, o) for o in accepted_together(s, epoch, line))
    )


@sometimes(cites=("OFR-12",), epoch=epochs, line=lines)
def two_offers_are_accepted_together(s: State, epoch: Epoch, line: LineId) -> bool:
    """An ACCEPT names two offers that may be used together."""
    return any(
        len(set(offers)) == len(offers)
        and len({offer.agent for offer in offers}) == 1
        and len({*made_roles(s, epoch, offers)}) == 1
        and None not in made_roles(s, epoch, offers)
        for offers in accepted_together(s, epoch, line)
    )


@sometimes(cites=("FLT-2",), epoch=epochs, framework=frameworks)
def two_filters_stand(s: State, epoch: Epoch, framework: FrameworkId) -> bool:
    """A framework has refused an agent twice, in one role."""
    return any(len(refused) > 1 for refused in s.filters[epoch, framework].values())


@sometimes(cites=("A6", "A4"), epoch=epochs, agent=agents)
def the_rest_goes_to_the_next(s: State, epoch: Epoch, agent: AgentId) -> bool:
    """What two tasks of one framework leave of their offer is offered to another (figure 3)."""
    owners = {task.framework for task in s.tasks[epoch, agent]}
    made = s.offers[epoch, agent].values()
    rest = [offer.resources for offer in made if offer.framework not in owners]
    return len(s.tasks[epoch, agent]) == 2 and Resources({"cpus": 1000, "mem": 1000}) in rest


# ---- tasks ---------------------------------------------------------------------------------
@sometimes(cites=("UPD-5", "UPD-10"), agent=agents)
def a_task_is_done_with(s: State, agent: AgentId) -> bool:
    """A task ended, that was acknowledged, and nobody remembers it."""
    asked = [task for task, yes in s.asked_for.items() if yes]
    quiet = not s.runs[agent] and not s.updates[agent] and not s.down[own_link(s, agent)]
    return (
        bool(asked)
        and quiet
        and all(r is None for _, r in s.home.items())
        and bool(s.agent[agent].registered and not any(s.calls[line] for line in lines(s)))
        and not any(s.offers[e, agent] for e in s.bounds.epochs)
    )


@sometimes(cites=("KIL-4",), scheduler=schedulers)
def a_queued_task_is_killed(s: State, scheduler: SchedulerId) -> bool:
    """A task is killed before its executor got it."""
    return hears(s, scheduler, "TASK_KILLED", "REASON_TASK_KILLED_DURING_LAUNCH")


@sometimes(cites=("KIL-5",), agent=agents)
def a_launched_task_is_to_be_killed(s: State, agent: AgentId) -> bool:
    """A launched task is asked to end, and has not yet."""
    return any(r.killed and r.phase == Phase.LAUNCHED for r in s.runs[agent].values())


@sometimes(cites=("KIL-1", "REC-7"), scheduler=schedulers)
def an_unknown_task_is_asked_about(s: State, scheduler: SchedulerId) -> bool:
    """A scheduler hears of a task by reconciliation that nobody knows."""
    return hears(s, scheduler, "TASK_UNKNOWN", "REASON_RECONCILIATION")


@sometimes(cites=("EXE-5",), scheduler=schedulers)
def an_executor_dies_with_its_task(s: State, scheduler: SchedulerId) -> bool:
    """A scheduler hears that its task failed with its executor."""
    return hears(s, scheduler, "TASK_FAILED", "REASON_EXECUTOR_TERMINATED")


@sometimes(cites=("LCH-8",), scheduler=schedulers)
def an_executor_never_comes(s: State, scheduler: SchedulerId) -> bool:
    """A scheduler hears that its task failed because no executor came for it."""
    return hears(s, scheduler, "TASK_FAILED", "REASON_EXECUTOR_REGISTRATION_TIMEOUT")


@sometimes(cites=("LCH-3",), scheduler=schedulers)
def a_task_comes_too_late_for_its_executor(s: State, scheduler: SchedulerId) -> bool:
    """A task that was launched on an executor that is ending is lost."""
    return hears(s, scheduler, "TASK_DROPPED", "REASON_EXECUTOR_TERMINATED")


@sometimes(cites=("RCV-3",), scheduler=schedulers)
def an_executor_does_not_come_back(s: State, scheduler: SchedulerId) -> bool:
    """A task is gone with an executor that did not come back to its agent."""
    return hears(s, scheduler, "TASK_GONE", "REASON_EXECUTOR_REREGISTRATION_TIMEOUT")


@sometimes(cites=("EXE-3",), scheduler=schedulers)
def a_task_is_lost_on_its_way_to_its_executor(s: State, scheduler: SchedulerId) -> bool:
    """An executor comes back, and does not know of a task it was given."""
    return hears(s, scheduler, "TASK_DROPPED", "REASON_AGENT_RESTARTED")


@sometimes(cites=("AGT-9",), scheduler=schedulers)
def a_task_never_reached_its_agent(s: State, scheduler: SchedulerId) -> bool:
    """A task was launched over a link that broke: the agent says that it does not have it."""
    return any(
        isinstance(event, TaskUpdate)
        and (event.source, event.reason) == ("SOURCE_AGENT", "REASON_RECONCILIATION")
        for event in s.events[own_stream(s, scheduler)].mail
    )


# ---- updates -------------------------------------------------------------------------------
@sometimes(cites=("UPD-2",), agent=agents)
def an_update_is_under_way_twice(s: State, agent: AgentId) -> bool:
    """An update was sent again before it was acknowledged."""
    sent = [f.status for f in s.up[own_link(s, agent)].mail if isinstance(f, Update)]
    return len(sent) > len(set(sent))


@sometimes(cites=("UPD-21",), scheduler=schedulers)
def an_update_is_heard_twice(s: State, scheduler: SchedulerId) -> bool:
    """A scheduler hears an update again that it has not acknowledged yet."""
    return any(
        isinstance(event, TaskUpdate) and (event.task, event.uuid) in s.owed[scheduler]
        for event in s.events[own_stream(s, scheduler)].mail
    )


@sometimes(cites=("S9",), agent=agents)
def updates_wait_in_line(s: State, agent: AgentId) -> bool:
    """An update waits until the one before it is acknowledged."""
    return any(len(queue) > 1 for queue in s.updates[agent].values())


@sometimes(cites=("UPD-8",), epoch=epochs, agent=agents)
def a_task_ended_before_its_framework_heard(s: State, epoch: Epoch, agent: AgentId) -> bool:
    """The master knows that a task ended, and its framework was told something older."""
    records = s.tasks[epoch, agent].values()
    return any(is_terminal(r.state) and r.told and not is_terminal(r.told) for r in records)


# ---- agents --------------------------------------------------------------------------------
@sometimes(cites=("PRT-2",), epoch=epochs, agent=agents)
def a_task_runs_on_an_agent_that_was_given_up(s: State, epoch: Epoch, agent: AgentId) -> bool:
    """A task of an unreachable agent runs on."""
    alive = {task for task, run in s.runs[agent].items() if run.phase == Phase.LAUNCHED}
    return any(task in alive for task in s.unreachable[epoch, agent])


@sometimes(cites=("PRT-4",), scheduler=schedulers)
def a_task_comes_back_with_its_agent(s: State, scheduler: SchedulerId) -> bool:
    """A scheduler hears that a task is there again, with its agent."""
    return hears(s, scheduler, "TASK_RUNNING", "REASON_AGENT_REREGISTERED")


@sometimes(cites=("PRT-3",), epoch=epochs, agent=agents)
def an_ended_task_is_lost_sight_of(s: State, epoch: Epoch, agent: AgentId) -> bool:
    """A task ended, and its agent was given up before that was acknowledged."""
    return any(
        is_terminal(r.state) and r.told == "TASK_UNREACHABLE"
        for r in s.unreachable[epoch, agent].values()
    )


@sometimes(cites=("AGT-11",), epoch=epochs, agent=agents)
def master_and_agent_disagree_on_the_link(s: State, epoch: Epoch, agent: AgentId) -> bool:
    """The agent has dialled anew, and the master still listens to the old link."""
    mine, theirs = s.agent[agent].link, s.agents[epoch, agent].link
    return mine is not None and theirs is not None and mine != theirs


@sometimes(cites=("R3",), scheduler=schedulers)
def a_scheduler_hears_of_a_lost_agent(s: State, scheduler: SchedulerId) -> bool:
    """A scheduler is told that an agent is gone."""
    return any(
        isinstance(event, Failure) and event.executor is None
        for event in s.events[own_stream(s, scheduler)].mail
    )


# ---- leaders and frameworks ----------------------------------------------------------------
@sometimes(cites=("S19", "MFO-6"))
def two_masters_lead(s: State) -> bool:
    """An older master does not know yet that it leads no more."""
    return sum(s.reign[epoch] == Reign.LEADING for epoch in s.bounds.epochs) > 1


@sometimes(cites=("MFO-4",), line=lines)
def a_later_master_answers(s: State, line: LineId) -> bool:
    """A scheduler has reached a later master than it knows of, and is taken on there."""
    epoch, me = hearer(s, line), s.scheduler[line.scheduler]
    taken_on = any(s.frameworks[epoch, f].stream == s.answer[line] for f in s.bounds.frameworks)
    return epoch != line.epoch and me.mood == Mood.SUBSCRIBED and taken_on


@sometimes(cites=("FWK-5", "S14"), line=lines)
def a_later_master_refuses(s: State, line: LineId) -> bool:
    """A scheduler has reached a later master than it knows of, and is to hear that it may not."""
    epoch, stream = hearer(s, line), s.answer[line]
    refused = stream is not None and any(isinstance(e, Error) for e in s.events[stream].mail)
    return epoch != line.epoch and refused


@sometimes(cites=("S19",), epoch=epochs, agent=agents)
def an_order_of_an_older_leader_is_too_late(s: State, epoch: Epoch, agent: AgentId) -> bool:
    """A deposed master launches a task on an agent that has turned to a newer one."""
    mail = s.down[link_of(s, epoch, agent)].mail
    return s.agent[agent].epoch > epoch and any(isinstance(frame, RunTask) for frame in mail)


@sometimes(cites=("R2", "FWK-2", "MFO-4"), agent=agents)
def a_task_is_known_to_two_masters(s: State, agent: AgentId) -> bool:
    """A running task was taken over by a new master, and the old one still has it."""
    return any(
        all(task in s.tasks[epoch, agent] for epoch in s.bounds.epochs) for task in s.runs[agent]
    )


@sometimes(cites=("FWK-19",), epoch=epochs, framework=frameworks)
def a_framework_is_known_only_from_its_tasks(
    s: State, epoch: Epoch, framework: FrameworkId
) -> bool:
    """A master learns of a framework from an agent, before its scheduler is back."""
    return s.frameworks[epoch, framework].standing == Standing.RECOVERED


@sometimes(cites=("FWK-3", "R4"), scheduler=schedulers)
def a_scheduler_is_replaced(s: State, scheduler: SchedulerId) -> bool:
    """A scheduler has stopped, because another speaks for its framework."""
    return s.scheduler[scheduler].mood == Mood.STOPPED


@sometimes(cites=("FWK-17",), epoch=epochs, framework=frameworks, agent=agents)
def a_task_outlives_its_scheduler(
    s: State, epoch: Epoch, framework: FrameworkId, agent: AgentId
) -> bool:
    """A task runs whose framework is disconnected."""
    away = s.frameworks[epoch, framework].standing == Standing.DISCONNECTED
    return away and any(task.framework == framework for task in s.runs[agent])


@sometimes(cites=("FWK-18",), epoch=epochs, framework=frameworks, agent=agents)
def a_task_outlives_its_framework(
    s: State, epoch: Epoch, framework: FrameworkId, agent: AgentId
) -> bool:
    """A task runs whose framework was removed: the order to end it is yet to arrive."""
    gone = s.frameworks[epoch, framework].standing == Standing.REMOVED
    return gone and any(task.framework == framework for task in s.runs[agent])


@sometimes(cites=("KIL-9",), epoch=epochs, framework=frameworks)
def a_message_arrives(s: State, epoch: Epoch, framework: FrameworkId) -> bool:
    """What an executor has to say is on its way to its scheduler."""
    stream = s.frameworks[epoch, framework].stream
    return stream is not None and any(isinstance(e, Message) for e in s.events[stream].mail)
