"""Where two things meet that are dangerous together: each a SOMETIMES of the model where they do.

`interactions` says which two, what could go wrong, and in which model they meet.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from mesos_spec.domains import agents, epochs, frameworks, lines, links_of
from mesos_spec.ids import AgentId, Epoch, FrameworkId, LineId
from mesos_spec.kernel import sometimes
from mesos_spec.messages import (
    Accept,
    Ack,
    Acknowledge,
    AnyCall,
    Call,
    Decline,
    Exited,
    FrameDown,
    FrameUp,
    Kill,
    KillTask,
    Reconcile,
    Register,
    RunTask,
    ShutdownFramework,
    Subscribe,
    ToExecutor,
    Update,
    UpdateFramework,
)
from mesos_spec.offers import is_of
from mesos_spec.runs import executor_for
from mesos_spec.state import Phase, Reign, Standing, State

C = TypeVar("C", bound=AnyCall)
U = TypeVar("U", bound=FrameUp)
D = TypeVar("D", bound=FrameDown)


# ---- what is under way ---------------------------------------------------------------------
def calls_under_way(s: State, line: LineId, kind: type[C]) -> list[C]:
    """The calls of a kind on a line."""
    return [call for call in s.calls[line].mail if isinstance(call, kind)]


def to_masters(s: State, agent: AgentId, kind: type[U]) -> list[U]:
    """The frames of a kind from an agent, on all its links."""
    return [f for k in links_of(s, agent) for f in s.up[k].mail if isinstance(f, kind)]


def to_agent(s: State, agent: AgentId, kind: type[D]) -> list[D]:
    """The frames of a kind to an agent, on all its links."""
    return [f for k in links_of(s, agent) for f in s.down[k].mail if isinstance(f, kind)]


def from_older_streams(s: State, line: LineId, kind: type[C]) -> Iterator[C]:
    """Calls of a framework that listens on another stream by now."""
    for call in calls_under_way(s, line, kind):
        if isinstance(call, Call):
            record = s.frameworks[line.epoch, call.framework]
            if record.standing == Standing.CONNECTED and record.stream != call.stream:
                yield call


def is_removed(s: State, epoch: Epoch, framework: FrameworkId) -> bool:
    """Whether a master has removed a framework."""
    return s.frameworks[epoch, framework].standing == Standing.REMOVED


# ---- offers --------------------------------------------------------------------------------
@sometimes(cites=("OFR-7", "F5"), line=lines)
def a_decline_comes_too_late(s: State, line: LineId) -> bool:
    """A DECLINE is under way, and its offer was withdrawn."""
    return any(
        not is_of(s, line.epoch, call.offers[0], call.framework)
        for call in calls_under_way(s, line, Decline)
    )


@sometimes(cites=("OFR-11", "S6"), line=lines)
def an_offer_of_a_lost_agent_is_accepted(s: State, line: LineId) -> bool:
    """An ACCEPT is under way, and the link to its agent has broken."""
    return any(
        s.agents[line.epoch, call.offers[0].agent].standing == Standing.DISCONNECTED
        for call in calls_under_way(s, line, Accept)
    )


@sometimes(cites=("OFR-6", "S13", "S20"), line=lines)
def an_older_stream_accepts(s: State, line: LineId) -> bool:
    """An ACCEPT is under way, and its scheduler listens on another stream by now."""
    return any(from_older_streams(s, line, Accept))


@sometimes(cites=("FLT-8",), epoch=epochs, agent=agents)
def an_offer_stands_that_is_not_wanted(s: State, epoch: Epoch, agent: AgentId) -> bool:
    """An offer stands in a role that its framework has suppressed meanwhile."""
    made = s.offers[epoch, agent].values()
    return any(o.role in s.frameworks[epoch, o.framework].suppressed for o in made)


# ---- kills ---------------------------------------------------------------------------------
@sometimes(cites=("KIL-4", "KIL-10", "S10"), agent=agents)
def a_kill_comes_after_the_end(s: State, agent: AgentId) -> bool:
    """A Kill is under way to a task that has ended."""
    ended = {task for task, run in s.runs[agent].items() if run.phase == Phase.ENDED}
    return any(order.task in ended for order in to_agent(s, agent, Kill))


@sometimes(cites=("KIL-5", "EXE-5"), agent=agents)
def a_task_that_is_to_be_killed_fails(s: State, agent: AgentId) -> bool:
    """A task was asked to end, and its executor died before it could."""
    return any(run.killed and run.state == "TASK_FAILED" for run in s.runs[agent].values())


@sometimes(cites=("KIL-3",), epoch=epochs, agent=agents)
def a_kill_waits_for_its_agent(s: State, epoch: Epoch, agent: AgentId) -> bool:
    """A task is to be killed, and the link to its agent has broken."""
    away = s.agents[epoch, agent].standing == Standing.DISCONNECTED
    return away and any(record.killed for record in s.tasks[epoch, agent].values())


@sometimes(cites=("KIL-1", "REC-7"), line=lines)
def a_kill_is_of_a_task_that_is_lost_sight_of(s: State, line: LineId) -> bool:
    """A KILL is under way of a task whose agent was given up."""
    lost = {task for agent in agents(s) for task in s.unreachable[line.epoch, agent]}
    return any(call.task in lost for call in calls_under_way(s, line, KillTask))


@sometimes(cites=("KIL-5", "RCV-1"), agent=agents)
def an_agent_dies_between_a_kill_and_its_task(s: State, agent: AgentId) -> bool:
    """An agent is down that had asked a task to end."""
    return not s.agent[agent].up and any(
        run.killed and run.phase == Phase.LAUNCHED for run in s.runs[agent].values()
    )


@sometimes(cites=("KIL-3", "S13"), line=lines)
def an_older_stream_kills(s: State, line: LineId) -> bool:
    """A KILL is under way, and its scheduler listens on another stream by now."""
    return any(from_older_streams(s, line, KillTask))


# ---- updates -------------------------------------------------------------------------------
@sometimes(cites=("UPD-7", "UPD-17"), agent=agents)
def an_update_is_on_a_link_that_was_left(s: State, agent: AgentId) -> bool:
    """An update is under way on a link that its agent has left."""
    left = [link for link in links_of(s, agent) if s.agent[agent].link != link]
    return any(isinstance(frame, Update) for link in left for frame in s.up[link].mail)


@sometimes(cites=("UPD-7", "AGT-9", "RCV-9"), agent=agents)
def an_update_and_a_registration_are_under_way(s: State, agent: AgentId) -> bool:
    """An agent registers on a new link, and its update is still on the old one."""
    kinds = [{type(frame) for frame in s.up[link].mail} for link in links_of(s, agent)]
    return any(
        Update in one and Register in other and one is not other for one in kinds for other in kinds
    )


@sometimes(cites=("UPD-4", "UPD-21"), agent=agents)
def an_acknowledgement_is_on_a_link_that_was_left(s: State, agent: AgentId) -> bool:
    """An acknowledgement is under way on a link that its agent has left: it will not be heard."""
    left = [link for link in links_of(s, agent) if s.agent[agent].link != link]
    return any(isinstance(frame, Ack) for link in left for frame in s.down[link].mail)


@sometimes(cites=("UPD-4", "UPD-21", "L2"), agent=agents)
def an_update_and_its_acknowledgement_pass_each_other(s: State, agent: AgentId) -> bool:
    """An update is under way again, and its acknowledgement comes the other way."""
    again = {(f.task, f.status.uuid) for f in to_masters(s, agent, Update)}
    return any((ack.task, ack.uuid) in again for ack in to_agent(s, agent, Ack))


@sometimes(cites=("UPD-10", "S13"), line=lines)
def an_older_stream_acknowledges(s: State, line: LineId) -> bool:
    """An ACKNOWLEDGE is under way, and its scheduler listens on another stream by now."""
    return any(from_older_streams(s, line, Acknowledge))


@sometimes(cites=("UPD-7", "UPD-9", "R4"), epoch=epochs, agent=agents)
def an_update_comes_to_nobody(s: State, epoch: Epoch, agent: AgentId) -> bool:
    """An update is under way, and its framework is disconnected."""
    return any(
        s.frameworks[epoch, frame.task.framework].standing == Standing.DISCONNECTED
        for frame in to_masters(s, agent, Update)
    )


# ---- executors -----------------------------------------------------------------------------
@sometimes(cites=("LCH-3", "LCH-4", "EXE-6"), agent=agents)
def a_task_is_sent_to_an_executor_that_has_ended(s: State, agent: AgentId) -> bool:
    """A task is under way to an executor that the master believes to be there, and it is not."""
    orders = to_agent(s, agent, RunTask)
    return any(not o.launch_executor and executor_for(o) not in s.runners[agent] for o in orders)


@sometimes(cites=("EXE-6", "UPD-9"), agent=agents)
def an_executor_ends_as_its_framework_returns(s: State, agent: AgentId) -> bool:
    """The end of an executor is under way to the master, and the other way that its framework
    is back."""
    return bool(to_masters(s, agent, Exited)) and bool(to_agent(s, agent, UpdateFramework))


@sometimes(cites=("KIL-9",), agent=agents)
def a_message_comes_too_late(s: State, agent: AgentId) -> bool:
    """A message is under way to an executor that has ended."""
    return any(one.executor not in s.runners[agent] for one in to_agent(s, agent, ToExecutor))


@sometimes(cites=("A8",), agent=agents)
def an_executor_takes_another_task(s: State, agent: AgentId) -> bool:
    """An executor has ended one task, and has another (A8)."""
    runs = [(task.framework, run) for task, run in s.runs[agent].items() if not run.command]
    ended = {(of, run.executor) for of, run in runs if run.phase == Phase.ENDED}
    return any((of, run.executor) in ended for of, run in runs if run.phase == Phase.LAUNCHED)


# ---- agents --------------------------------------------------------------------------------
@sometimes(cites=("PRT-4", "AGT-6"), epoch=epochs, agent=agents)
def an_agent_returns_as_it_is_given_up(s: State, epoch: Epoch, agent: AgentId) -> bool:
    """A registration is under way of an agent that was given up meanwhile."""
    given_up = s.agents[epoch, agent].standing == Standing.UNREACHABLE
    return given_up and any(f.epoch == epoch for f in to_masters(s, agent, Register))


@sometimes(cites=("PRT-6", "AGT-6"), epoch=epochs, agent=agents)
def an_agent_returns_that_was_forgotten(s: State, epoch: Epoch, agent: AgentId) -> bool:
    """A registration with a live task is under way of an agent that the master has forgotten."""
    unknown = s.agents[epoch, agent].standing == Standing.UNKNOWN
    return unknown and any(f.epoch == epoch and f.tasks for f in to_masters(s, agent, Register))


@sometimes(cites=("RCV-1", "RCV-9"), agent=agents)
def an_agent_dies_with_something_to_say(s: State, agent: AgentId) -> bool:
    """An agent is down, and an update waits there to be acknowledged."""
    return not s.agent[agent].up and bool(s.updates[agent])


@sometimes(cites=("TSK-3", "S7"), agent=agents)
def a_name_is_used_again_too_soon(s: State, agent: AgentId) -> bool:
    """A task is under way to an agent that has something to say of an earlier one of that name."""
    return any(order.task in s.updates[agent] for order in to_agent(s, agent, RunTask))


@sometimes(cites=("REC-1",), line=lines, agent=agents)
def a_task_is_asked_about_on_its_way(s: State, line: LineId, agent: AgentId) -> bool:
    """A RECONCILE is under way, and the task has not reached its agent yet."""
    return bool(calls_under_way(s, line, Reconcile)) and bool(to_agent(s, agent, RunTask))


# ---- removal -------------------------------------------------------------------------------
@sometimes(cites=("FWK-15", "LCH-2"), epoch=epochs, agent=agents)
def a_task_is_on_its_way_as_its_framework_ends(s: State, epoch: Epoch, agent: AgentId) -> bool:
    """A framework was removed, and a task of it is still under way to its agent."""
    orders = to_agent(s, agent, RunTask)
    return any(is_removed(s, epoch, order.task.framework) for order in orders)


@sometimes(cites=("FWK-15", "UPD-7"), epoch=epochs, agent=agents)
def an_update_is_on_its_way_as_its_framework_ends(s: State, epoch: Epoch, agent: AgentId) -> bool:
    """A framework was removed, and an update of it is still under way to the master."""
    return any(is_removed(s, epoch, f.task.framework) for f in to_masters(s, agent, Update))


@sometimes(cites=("FWK-15", "LCH-8"), epoch=epochs, agent=agents)
def an_executor_starts_as_its_framework_ends(s: State, epoch: Epoch, agent: AgentId) -> bool:
    """A framework was removed, and an executor of it has yet to come."""
    runners = s.runners[agent].items()
    waits = [key for key, runner in runners if runner.phase == Phase.REGISTERING]
    return any(is_removed(s, epoch, key.framework) for key in waits)


@sometimes(cites=("FWK-18", "PRT-5"), epoch=epochs, agent=agents)
def a_framework_ends_while_its_agent_is_away(s: State, epoch: Epoch, agent: AgentId) -> bool:
    """A framework was removed while the agent was given up on which its task runs."""
    given_up = s.agents[epoch, agent].standing == Standing.UNREACHABLE
    return given_up and any(is_removed(s, epoch, task.framework) for task in s.runs[agent])


@sometimes(cites=("FWK-5", "S14"), line=lines)
def a_removed_framework_asks_to_come_back(s: State, line: LineId) -> bool:
    """A SUBSCRIBE is under way of a framework that was removed meanwhile."""
    return any(
        call.framework is not None and is_removed(s, line.epoch, call.framework)
        for call in calls_under_way(s, line, Subscribe)
    )


@sometimes(cites=("FWK-2", "S14"), line=lines, agent=agents)
def a_framework_returns_that_was_forgotten(s: State, line: LineId, agent: AgentId) -> bool:
    """A SUBSCRIBE is under way of a framework that was removed and forgotten; its task runs on."""
    return any(
        not is_known(s, line.epoch, task.framework)
        for call in calls_under_way(s, line, Subscribe)
        for task in s.runs[agent]
        if task.framework == call.framework
    )


@sometimes(cites=("FWK-15", "S14"), epoch=epochs, agent=agents)
def an_end_is_forgotten_before_it_is_heard(s: State, epoch: Epoch, agent: AgentId) -> bool:
    """A framework was removed and forgotten, and the order to end it is still under way."""
    orders = to_agent(s, agent, ShutdownFramework)
    return any(not is_known(s, epoch, one.framework) for one in orders)


def is_known(s: State, epoch: Epoch, framework: FrameworkId) -> bool:
    """Whether a master has anything to say of a framework."""
    return s.frameworks[epoch, framework].standing != Standing.UNKNOWN


@sometimes(cites=("FWK-4", "FWK-14"), line=lines)
def a_framework_returns_as_its_time_runs_out(s: State, line: LineId) -> bool:
    """A SUBSCRIBE is under way of a framework that may be given up any moment."""
    return any(
        call.framework is not None
        and s.frameworks[line.epoch, call.framework].standing == Standing.DISCONNECTED
        for call in calls_under_way(s, line, Subscribe)
    )


# ---- strangers -----------------------------------------------------------------------------
@sometimes(cites=("S13", "FWK-21"), line=lines)
def a_stranger_calls(s: State, line: LineId) -> bool:
    """Somebody calls in the name of a framework that listens on another stream than the call's."""
    is_foreign = bool(s.bounds.schedulers[line.scheduler].foreign)
    return is_foreign and any(from_older_streams(s, line, Call))


# ---- leaders and schedulers ----------------------------------------------------------------
@sometimes(cites=("FWK-3", "R4"), epoch=epochs)
def two_ask_for_one_framework(s: State, epoch: Epoch) -> bool:
    """Two schedulers ask at once to speak for one framework."""
    asking = {
        (call.framework, line.scheduler)
        for line in lines(s)
        for call in calls_under_way(s, line, Subscribe)
        if line.epoch == epoch
    }
    return len(asking) > len({framework for framework, _ in asking})


@sometimes(cites=("S19", "MFO-6"), agent=agents)
def an_agent_serves_the_older_of_two(s: State, agent: AgentId) -> bool:
    """Two masters lead, and an agent is registered with the older one."""
    leads = [epoch for epoch in s.bounds.epochs if s.reign[epoch] == Reign.LEADING]
    me = s.agent[agent]
    return me.registered and me.epoch in leads and me.epoch < max(leads)


@sometimes(cites=("S19", "R2"))
def three_masters_lead(s: State) -> bool:
    """Two masters do not know yet that they lead no more."""
    return sum(s.reign[epoch] == Reign.LEADING for epoch in s.bounds.epochs) == 3


@sometimes(cites=("S13", "MFO-4"), framework=frameworks)
def a_framework_is_subscribed_with_two(s: State, framework: FrameworkId) -> bool:
    """Two masters take a framework for connected."""
    standing = [s.frameworks[epoch, framework].standing for epoch in s.bounds.epochs]
    return standing.count(Standing.CONNECTED) == 2


@sometimes(cites=("S7", "R1"))
def a_task_runs_on_two_agents(s: State) -> bool:
    """Two agents run tasks of one name, launched under two masters."""
    runs = [task for agent in agents(s) for task in s.runs[agent]]
    return len(runs) > len(set(runs))


@sometimes(cites=("MFO-4", "REC-2"), epoch=epochs, agent=agents)
def a_framework_is_back_before_its_agent(s: State, epoch: Epoch, agent: AgentId) -> bool:
    """A framework is with the new master, which has not met the agent that runs its task."""
    known = s.agents[epoch, agent].standing != Standing.UNKNOWN
    return not known and any(
        s.frameworks[epoch, task.framework].standing == Standing.CONNECTED for task in s.runs[agent]
    )


@sometimes(cites=("REC-2", "MFO-5"), line=lines, agent=agents)
def a_task_is_asked_about_before_its_agent_is_back(s: State, line: LineId, agent: AgentId) -> bool:
    """A RECONCILE is under way to a new master, which has not met the agent that runs the task."""
    known = s.agents[line.epoch, agent].standing != Standing.UNKNOWN
    return (not known and bool(s.runs[agent])) and bool(calls_under_way(s, line, Reconcile))


@sometimes(cites=("FWK-9", "FWK-10"), epoch=epochs, framework=frameworks)
def a_framework_has_left_a_role_that_it_uses(
    s: State, epoch: Epoch, framework: FrameworkId
) -> bool:
    """A framework is charged in a role that it does not have any more."""
    roles = s.frameworks[epoch, framework].roles
    return bool(roles) and any(role not in roles for role in s.charged[epoch, framework])
