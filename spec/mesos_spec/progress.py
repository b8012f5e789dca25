"""What happens in the end (EVENTUALLY): the liveness of Mesos, L1 to L7.

Each claim names whom it relies on.  Nothing here says how long it takes: a timeout that is armed
happens sooner or later, and a behaviour may stop wherever nobody is named who must go on.

* `HEARD`: what is sent is heard in the end by whoever is there to hear it.
* `MENDED`: links break only so often; one that is no good is left, and made anew.

Two timeouts happen only where they are due: an agent leaves a link that its master does not hear,
and a master gives up an agent that it does not hear.  (`drop_link` and `mark_unreachable` may
happen at any time; a claim that relied on *them* would rely on healthy links to break.)  A claim is
asked only in models where all that it relies on may happen: `models/of_progress.py`.
"""

from __future__ import annotations

from dataclasses import replace

from mesos_spec.agents import mark_unreachable
from mesos_spec.allocation import is_worth_offering, next_claimant
from mesos_spec.domains import agents, epochs, frameworks, named_tasks, schedulers
from mesos_spec.ids import AgentId, Epoch, FrameworkId, SchedulerId, TaskId
from mesos_spec.kernel import Eventually, eventually, finite, strong, weak
from mesos_spec.messages import Reconcile, Register, TaskUpdate
from mesos_spec.network import own_stream
from mesos_spec.processes import drop_link
from mesos_spec.state import Mood, Phase, Reign, Standing, State


# ---- timeouts that are due -----------------------------------------------------------------
def agents_unheard(s: State) -> list[AgentId]:
    """The agents on a link that leads nowhere."""
    return [agent for agent in agents(s) if is_unheard(s, agent)]


def is_unheard(s: State, agent: AgentId) -> bool:
    """Whether an agent waits on a link on which no master hears it, nor is about to."""
    link = s.agent[agent].link
    if link is None or s.down[link]:
        return False
    asks = any(isinstance(frame, Register) for frame in s.up[link].mail)
    return not asks and all(s.agents[epoch, agent].link != link for epoch in s.bounds.epochs)


def agents_lost(s: State, epoch: Epoch) -> list[AgentId]:
    """The agents that a master has lost, or hears on a link that they have left."""
    return [agent for agent in agents(s) if is_lost(s, epoch, agent)]


def is_lost(s: State, epoch: Epoch, agent: AgentId) -> bool:
    """Whether a master waits in vain for an agent that it takes for one of its own."""
    record = s.agents[epoch, agent]
    if record.standing == Standing.DISCONNECTED:
        return True
    return record.standing == Standing.REGISTERED and s.agent[agent].link != record.link


#: An agent that hears nothing on its link leaves it, to try anew (AGT-10).
leave_silent_link = replace(drop_link, name="leave_silent_link", over={"agent": agents_unheard})

#: A master that hears nothing of an agent gives it up (AGT-8, AGT-11).
give_up_agent = replace(
    mark_unreachable,
    name="give_up_agent",
    over={"epoch": epochs, "agent": agents_lost},
    takes={"epoch": (), "agent": ("epoch",)},
)

# ---- who is relied on ----------------------------------------------------------------------
HEARD = (
    *weak("subscribe refuse_subscription turn_away tear_down decline revive", each="line"),
    *weak("suppress accept refuse_accept kill answer_kill reconcile acknowledge", each="line"),
    *weak("drop_acknowledgement shut_executor pass_message lose_calls", each="line"),
    *weak("admit shut_out ignore_frame_up", each="epoch link"),
    *weak("hear_pong forward lose_executor pass_up", each="epoch agent"),
    *weak("be_registered shut_down_agent ignore_frame answer_ping run refuse_run", each="agent"),
    *weak("kill_task hear_ack know_framework end_framework end_executor", each="agent"),
    *weak("deliver_message", each="agent"),
    *weak("be_subscribed hear_error hear_offers hear_rescind hear_update", each="scheduler"),
    *weak("hear_failure hear_message", each="scheduler"),
    *weak("executor_hears lose_events", each="stream"),
    *weak("lose_frames_up lose_frames_down", each="link"),
)

MENDED = (
    *finite("drop_link lose_agent"),
    *weak("register leave_silent_link", each="agent"),
)

#: Executors end, on their own, when they are told to, or given up; until then they speak only so
#: often.
ENDING = weak("executor_ends", each="agent framework executor")
BRIEF = finite("executor_subscribes executor_updates")

#: Frameworks acknowledge what they hear; again, if it comes again.
ACKNOWLEDGED = strong("ack", each="scheduler task uuid")


# ---- L1, L2: every task is told of, until somebody has heard -------------------------------
def is_untold(s: State, epoch: Epoch, task: TaskId) -> bool:
    """Whether a master has a task of which it has told its framework nothing."""
    home = s.home[epoch, task]
    known = None if home is None else s.tasks[epoch, home].get(task, None)
    return known is not None and known.told is None


@eventually(
    whenever=is_untold,
    fair=(*HEARD, *MENDED, *ENDING, *BRIEF),
    cites=("L1",),
    epoch=epochs,
    task=named_tasks,
)
def a_launched_task_is_told_of(s: State, epoch: Epoch, task: TaskId) -> bool:
    """Of a task that was launched its framework is told in the end, wherever it got lost (L1)."""
    return not is_untold(s, epoch, task)


def is_out_of_sight(s: State, epoch: Epoch, task: TaskId) -> bool:
    """Whether a task is on an agent that its master has lost, or has ended there."""
    home = s.home[epoch, task]
    if home is None or task not in s.tasks[epoch, home]:
        return False
    run = s.runs[home].get(task, None)
    gone = run is None or run.phase == Phase.ENDED or not s.agent[home].up
    return gone or is_lost(s, epoch, home)


@eventually(
    whenever=is_out_of_sight,
    fair=(
        *HEARD,
        *finite("drop_link lose_agent crash_agent"),
        *weak("give_up_agent", each="agent"),
        *weak("ack", each="scheduler task uuid"),
    ),
    cites=("L1", "PRT-1", "AGT-9"),
    epoch=epochs,
    task=named_tasks,
)
def nobody_waits_for_a_lost_task(s: State, epoch: Epoch, task: TaskId) -> bool:
    """A task whose agent or executor died is told to be at its end, or unreachable, or is there
    again: its master does not think for ever that it runs, though nothing be mended (L1)."""
    return not is_out_of_sight(s, epoch, task)


def waits(s: State, agent: AgentId, task: TaskId) -> bool:
    """Whether an agent has something to say of a task."""
    return task in s.updates[agent]


@eventually(
    whenever=waits,
    fair=(*HEARD, *MENDED, *ACKNOWLEDGED, *finite("executor_updates")),
    cites=("L2", "UPD-2", "UPD-17"),
    agent=agents,
    task=named_tasks,
)
def an_update_is_acknowledged(s: State, agent: AgentId, task: TaskId) -> bool:
    """What an agent has to say of a task is said again until it is heard and acknowledged (L2)."""
    return not waits(s, agent, task)


# ---- L3, L4: what is free is offered -------------------------------------------------------
def is_idle(s: State, epoch: Epoch, agent: AgentId) -> bool:
    """Whether an agent has something to offer, a framework wants offers, and none stands."""
    if s.agents[epoch, agent].standing != Standing.REGISTERED or s.offers[epoch, agent]:
        return False
    records = [s.frameworks[epoch, framework] for framework in s.met_frameworks[epoch]]
    wanted = any(
        one.standing == Standing.CONNECTED and set(one.roles) - set(one.suppressed)
        for one in records
    )
    return wanted and bool(s.free(epoch, agent))


@eventually(
    whenever=is_idle,
    fair=(
        *HEARD,
        *strong("offer", each="epoch agent"),
        *strong("forget_filter", each="epoch framework agent role"),
    ),
    cites=("L3", "FLT-4", "ALC-1"),
    epoch=epochs,
    agent=agents,
)
def what_is_free_is_offered_again(s: State, epoch: Epoch, agent: AgentId) -> bool:
    """What was declined, or is free again, is offered again while anybody wants offers (L3)."""
    return not is_idle(s, epoch, agent)


def is_next(s: State, epoch: Epoch, agent: AgentId, framework: FrameworkId) -> bool:
    """Whether a framework's share is the lowest of those who may have what is free on an agent."""
    if s.agents[epoch, agent].standing != Standing.REGISTERED:
        return False
    if not is_worth_offering(s.free(epoch, agent)):
        return False
    claimant = next_claimant(s, epoch, agent)
    return claimant is not None and claimant[0] == framework


@eventually(
    whenever=is_next,
    fair=(*HEARD, *weak("fair_offer", each="epoch agent")),
    cites=("L4", "ALC-15"),
    epoch=epochs,
    agent=agents,
    framework=frameworks,
)
def the_poorest_is_not_passed_over(
    s: State, epoch: Epoch, agent: AgentId, framework: FrameworkId
) -> bool:
    """Who has the lowest share is offered what is free, or is not the poorest any more (L4)."""
    return not is_next(s, epoch, agent, framework)


# ---- L5: who is gone is given up -----------------------------------------------------------
def is_away(s: State, epoch: Epoch, framework: FrameworkId) -> bool:
    """Whether a framework is disconnected."""
    return s.frameworks[epoch, framework].standing == Standing.DISCONNECTED


@eventually(
    whenever=is_away,
    fair=(*HEARD, *strong("give_up_framework", each="epoch framework")),
    cites=("L5", "FWK-14"),
    epoch=epochs,
    framework=frameworks,
)
def a_lost_framework_returns_or_is_removed(s: State, epoch: Epoch, framework: FrameworkId) -> bool:
    """A disconnected framework does not stay so for ever (L5)."""
    return not is_away(s, epoch, framework)


@eventually(
    whenever=is_lost,
    fair=(*HEARD, *strong("give_up_agent", each="epoch agent")),
    cites=("L5", "AGT-8", "PRT-1"),
    epoch=epochs,
    agent=agents,
)
def a_lost_agent_returns_or_is_given_up(s: State, epoch: Epoch, agent: AgentId) -> bool:
    """An agent that does not answer does not pass for a registered one for ever (L5)."""
    return not is_lost(s, epoch, agent)


# ---- L6: a new leader finds everybody ------------------------------------------------------
def is_new_leader(s: State, epoch: Epoch) -> bool:
    """Whether a reign is the newest, and lasts."""
    return s.newest == epoch and s.reign[epoch] == Reign.LEADING


def agent_is_missing(s: State, epoch: Epoch, agent: AgentId) -> bool:
    """Whether an agent that is up is not registered with the newest leader."""
    me, record = s.agent[agent], s.agents[epoch, agent]
    met = me.registered and record.standing == Standing.REGISTERED and me.link == record.link
    return is_new_leader(s, epoch) and me.up and not met


@eventually(
    whenever=agent_is_missing,
    fair=(*HEARD, *MENDED, *weak("turn_to", each="agent")),
    cites=("L6", "R1", "MFO-4"),
    epoch=epochs,
    agent=agents,
)
def agents_register_with_a_new_leader(s: State, epoch: Epoch, agent: AgentId) -> bool:
    """After a fail-over every agent that is up registers with the new master (L6)."""
    return not agent_is_missing(s, epoch, agent)


def scheduler_is_missing(s: State, epoch: Epoch, scheduler: SchedulerId) -> bool:
    """Whether a scheduler that goes on is not subscribed with the newest leader."""
    me = s.scheduler[scheduler]
    met = me.epoch == epoch and me.mood == Mood.SUBSCRIBED
    return is_new_leader(s, epoch) and me.mood != Mood.STOPPED and not met


@eventually(
    whenever=scheduler_is_missing,
    fair=(
        *HEARD,
        *weak("turn_scheduler_to ask_to_subscribe", each="scheduler"),
        *finite("lose_stream"),
    ),
    cites=("L6", "R1", "MFO-4"),
    epoch=epochs,
    scheduler=schedulers,
)
def schedulers_subscribe_with_a_new_leader(s: State, epoch: Epoch, scheduler: SchedulerId) -> bool:
    """After a fail-over every scheduler that goes on is subscribed with the new master (L6)."""
    return not scheduler_is_missing(s, epoch, scheduler)


# ---- L7: who asks is answered --------------------------------------------------------------
def is_listened_to(s: State, scheduler: SchedulerId) -> bool:
    """Whether a scheduler is subscribed, and its master thinks so too."""
    me = s.scheduler[scheduler]
    if me.stream is None or me.framework is None:
        return False
    return s.frameworks[me.stream.epoch, me.framework].stream == me.stream


def has_asked(s: State, scheduler: SchedulerId, task: TaskId) -> bool:
    """Whether a scheduler's question about a task is on its way, on a line that serves."""
    line = s.scheduler[scheduler].line
    asked = () if line is None else s.calls[line].mail
    named = any(isinstance(call, Reconcile) and task in dict(call.tasks) for call in asked)
    return named and is_listened_to(s, scheduler)


@eventually(
    whenever=has_asked,
    fair=(
        *HEARD,
        *strong("reconcile", each="line settled"),
        *weak("call", each="scheduler message"),
    ),
    cites=("L7", "REC-2", "REC-10"),
    scheduler=schedulers,
    task=named_tasks,
)
def who_keeps_asking_is_answered(s: State, scheduler: SchedulerId, task: TaskId) -> bool:
    """Who asks about a task, again and again, is told how it is, unless his stream breaks (L7).

    He may not be told while its agent may still come back (REC-2).  That time ends: if `reconcile`
    is possible with both answers to `settled` again and again, both are given.
    """
    answered = any(
        isinstance(e, TaskUpdate) and (e.task, e.reason) == (task, "REASON_RECONCILIATION")
        for e in s.events[own_stream(s, scheduler)].mail
    )
    return answered or not is_listened_to(s, scheduler)


EVENTUALLY = tuple(claim for claim in list(vars().values()) if isinstance(claim, Eventually))
