"""What is claimed of single steps: who asks properly is served, who does not changes nothing.

These are claims about what an action did with the message it heard, so they say *heard*: the step
took the oldest message from a channel whose sender is still there.
"""

from __future__ import annotations

from typing import Any

from mesos_spec.domains import agents, epochs, lines, links, schedulers, streams
from mesos_spec.heard import heard_accept, served
from mesos_spec.ids import (
    AgentId,
    Epoch,
    ExecutorKey,
    LineId,
    LinkId,
    Role,
    SchedulerId,
    StreamId,
)  # fmt: skip
from mesos_spec.kernel import Always, EachStep, Fifo, always, each_step
from mesos_spec.masters import is_subscribed
from mesos_spec.messages import (
    Accept,
    Ack,
    Acknowledge,
    Call,
    Decline,
    Error,
    FromExecutor,
    KillTask,
    Register,
    Registered,
    RunTask,
    Shutdown,
    Subscribe,
    TaskUpdate,
)
from mesos_spec.network import (
    NO_LINK,
    NO_STREAM,
    hearer,
    is_connected,
    link_of,
    own_link,
    own_stream,
)
from mesos_spec.offers import is_of
from mesos_spec.properties import sent
from mesos_spec.queues import knows
from mesos_spec.resources import NOTHING, Resources, total
from mesos_spec.runs import can_run
from mesos_spec.state import Mood, Phase, Reign, Scheduler, Standing, State
from mesos_spec.tasks import is_active, may_run, may_use


# ---- calls ---------------------------------------------------------------------------------
@each_step("calls", at="calls", cites=("S13",), line=lines)
def strangers_change_nothing(before: State, after: State, line: LineId) -> bool:
    """A call of who is not subscribed, or on an older stream, has no effect (S13)."""
    old, new = before.calls[line].mail, after.calls[line].mail
    if not old or new != old[1:] or not isinstance(old[0], Call):
        return True
    call, epoch = old[0], hearer(after, line)
    if is_subscribed(before, epoch, call):
        return True
    stream = before.frameworks[epoch, call.framework].stream or NO_STREAM
    where = [(epoch, agent) for agent in before.met_agents[epoch]]
    return all(
        (
            before.frameworks[epoch, call.framework] == after.frameworks[epoch, call.framework],
            before.filters[epoch, call.framework] == after.filters[epoch, call.framework],
            before.charged[epoch, call.framework] == after.charged[epoch, call.framework],
            before.events[stream] == after.events[stream],
            all(before.tasks[w] == after.tasks[w] for w in where),
            all(before.down[link_of(before, *w)] == after.down[link_of(before, *w)] for w in where),
        )
    )


@each_step("calls", at="calls", cites=("OFR-7", "OFR-10"), line=lines)
def an_answer_ends_its_offers(before: State, after: State, line: LineId) -> bool:
    """After an ACCEPT or DECLINE was heard, none of the caller's offers that it names stands."""
    call, epoch = served(before, after, line), hearer(after, line)
    if not isinstance(call, Accept | Decline):
        return True
    return not any(is_of(after, epoch, offer, call.framework) for offer in call.offers)


@each_step("calls", at="calls", cites=("OFR-8", "FLT-1"), line=lines)
def what_is_declined_is_refused(before: State, after: State, line: LineId) -> bool:
    """What a framework declines for a while is filtered, also if it declines by accepting
    nothing, and other offers in the call have ended (OFR-8)."""
    call, epoch = served(before, after, line), hearer(after, line)
    if not isinstance(call, Decline) and not (isinstance(call, Accept) and not call.tasks):
        return True
    if not call.filtered:
        return True
    stood = [o for o in call.offers if is_of(before, epoch, o, call.framework)]
    made = [(o.agent, before.offers[epoch, o.agent][o]) for o in stood]
    refused = after.filters[epoch, call.framework]
    return all(offer.resources in refused.get((agent, offer.role), ()) for agent, offer in made)


@each_step("calls events", at="calls", cites=("OFR-10",), line=lines)
def good_offers_are_honoured(before: State, after: State, line: LineId) -> bool:
    """INVALID_OFFERS is said only of offers that may not be used (OFR-10)."""
    call = served(before, after, line)
    if not isinstance(call, Accept):
        return True
    said = sent(before.events, after.events, call.stream)
    spoilt = [e for e in said if isinstance(e, TaskUpdate) and e.reason == "REASON_INVALID_OFFERS"]
    return bool(spoilt) == (bool(call.tasks) and not may_use(before, hearer(after, line), call))


@each_step("calls", at="calls", cites=("OFR-10", "F5", "S20"), line=lines)
def a_refused_accept_only_loses_its_tasks(before: State, after: State, line: LineId) -> bool:
    """If its offers may not be used, each task of an ACCEPT is lost, in order; nothing is launched,
    and nothing filtered (OFR-10)."""
    call, epoch = heard_accept(before, after, line), hearer(after, line)
    if call is None or may_use(before, epoch, call):
        return True
    said = sent(before.events, after.events, call.stream)
    lost = [event.task for event in said if isinstance(event, TaskUpdate)]
    kept = all(before.tasks[epoch, a] == after.tasks[epoch, a] for a in before.met_agents[epoch])
    filters = before.filters[epoch, call.framework], after.filters[epoch, call.framework]
    return lost == [ask.task for ask in call.tasks] and kept and filters[0] == filters[1]


@each_step("calls", at="calls", cites=("OFR-12", "OFR-15", "A3"), line=lines)
def offers_are_used_as_one(before: State, after: State, line: LineId) -> bool:
    """The first task of an ACCEPT has all that its offers have together: it is launched if that is
    enough and nothing else is wrong with it (OFR-12)."""
    call, epoch = heard_accept(before, after, line), hearer(after, line)
    if call is None or not may_use(before, epoch, call):
        return True
    agent, role, pool = pool_of(before, epoch, call)
    started = {order.task for order in launched(before, after, epoch, agent)}
    return (call.tasks[0].task in started) == may_run(
        before, epoch, agent, role, call.tasks[0], pool
    )


@each_step("calls", at="calls", cites=("OFR-19", "FLT-12", "A4"), line=lines)
def what_is_not_used_is_refused(before: State, after: State, line: LineId) -> bool:
    """What an ACCEPT leaves of its offers is free, and filtered if its framework says so."""
    call, epoch = heard_accept(before, after, line), hearer(after, line)
    if call is None or not may_use(before, epoch, call):
        return True
    agent, role, pool = pool_of(before, epoch, call)
    rest = pool
    for order in launched(before, after, epoch, agent):
        starts = order.executor is not None and order.launch_executor
        rest -= order.resources + (order.executor_resources if starts else NOTHING)
    was, now = before.filters[epoch, call.framework], after.filters[epoch, call.framework]
    if after.free(epoch, agent) != before.free(epoch, agent) + rest:
        return False
    if not (call.filtered and rest):
        return was == now
    return now.get((agent, role), ()) == (*was.get((agent, role), ()), rest)


def pool_of(s: State, epoch: Epoch, call: Accept) -> tuple[AgentId, Role, Resources]:
    """What an ACCEPT's offers have together, of which agent, in which role."""
    made = [s.offers[epoch, offer.agent][offer] for offer in call.offers]
    return call.offers[0].agent, made[0].role, total(*(offer.resources for offer in made))


def launched(before: State, after: State, epoch: Epoch, agent: AgentId) -> list[RunTask]:
    """The tasks that a master sent to an agent in this step."""
    link = link_of(before, epoch, agent)
    frames = sent(before.down, after.down, link)
    return [frame for frame in frames if isinstance(frame, RunTask)]


@each_step("calls", at="calls", cites=("KIL-3",), line=lines)
def a_kill_is_remembered(before: State, after: State, line: LineId) -> bool:
    """A KILL of a known task is not forgotten, whether its agent is there or not (KIL-3)."""
    call, epoch = served(before, after, line), hearer(after, line)
    if not isinstance(call, KillTask):
        return True
    agent = before.home[epoch, call.task]
    if call.agent not in (None, agent) or not is_active(before, epoch, call.task):
        return True
    assert agent is not None
    return after.tasks[epoch, agent][call.task].killed


@each_step("calls", at="calls", cites=("UPD-10",), line=lines)
def an_acknowledgement_is_passed_on(before: State, after: State, line: LineId) -> bool:
    """An ACKNOWLEDGE of the last update that went through goes to the agent, if it is there."""
    call, epoch = served(before, after, line), hearer(after, line)
    if not isinstance(call, Acknowledge):
        return True
    known = before.tasks[epoch, call.agent].get(call.task, None)
    if known is None or known.uuid != call.uuid or not is_connected(before, epoch, call.agent):
        return True
    link = link_of(before, epoch, call.agent)
    return sent(before.down, after.down, link) == (Ack(epoch, call.task, call.uuid),)


@each_step("calls", at="calls", cites=("FWK-5", "FWK-7", "S14"), line=lines)
def refusals_have_a_reason(before: State, after: State, line: LineId) -> bool:
    """A leader refuses what was removed or is declared wrongly, or a new one, for want of room."""
    old, new = before.calls[line].mail, after.calls[line].mail
    if not old or new != old[1:] or not isinstance(old[0], Subscribe):
        return True
    stream = after.answer[line] or NO_STREAM
    if Error() not in sent(before.events, after.events, stream):
        return True
    asked, epoch = old[0], hearer(after, line)
    standing = Standing.UNKNOWN
    if asked.framework is not None:
        standing = before.frameworks[epoch, asked.framework].standing
    is_known = standing not in (Standing.UNKNOWN, Standing.REMOVED)
    return before.reign[epoch] == Reign.LEADING and not (is_known and asked.usable)


# ---- mail ------------------------------------------------------------------------------------
def loses(before: Fifo[Any], after: Fifo[Any]) -> bool:
    """Whether a step took more from a channel than its oldest message."""
    return len(after) < len(before) - 1


@each_step("up", at="up", cites=("S9",), link=links)
def frames_up_are_lost_with_their_link(before: State, after: State, link: LinkId) -> bool:
    """What is in flight to a master is lost only when one end of the link is gone."""
    if not loses(before.up[link], after.up[link]):
        return True
    epoch = before.up[link].mail[0].epoch
    both = after.agent[link.agent].link, after.agents[epoch, link.agent].link
    return both != (link, link) or after.reign[epoch] != Reign.LEADING


@each_step("down", at="down", cites=("S9",), link=links)
def frames_down_are_lost_with_their_link(before: State, after: State, link: LinkId) -> bool:
    """What is in flight to an agent is lost only when the agent has left the link."""
    lost = loses(before.down[link], after.down[link])
    return not lost or after.agent[link.agent].link != link


@each_step("calls", at="calls", cites=("S13",), line=lines)
def calls_are_lost_with_their_line(before: State, after: State, line: LineId) -> bool:
    """What is in flight to a master is lost only when one end of the line is gone."""
    lost = loses(before.calls[line], after.calls[line])
    there = after.scheduler[line.scheduler].line == line
    return not lost or not there or after.reign[hearer(after, line)] != Reign.LEADING


@each_step("events", at="events", cites=("S13",), stream=streams)
def events_are_lost_with_their_stream(before: State, after: State, stream: StreamId) -> bool:
    """What is in flight to a scheduler is lost only when it has left the stream."""
    lost = loses(before.events[stream], after.events[stream])
    return not lost or own_stream(after, stream.scheduler) != stream


# ---- frames --------------------------------------------------------------------------------
@always(cites=("S6", "KIL-3"))
def nothing_is_sent_to_nobody(s: State) -> bool:
    """Nothing is ever sent where there is no connection."""
    return not (s.up[NO_LINK] or s.down[NO_LINK] or s.events[NO_STREAM])


@each_step("down", at="down", cites=("S19", "MFO-6"), link=links)
def only_leaders_speak(before: State, after: State, link: LinkId) -> bool:
    """A master sends frames of its own reign, while that lasts (S19)."""
    frames = sent(before.down, after.down, link)
    return all(before.reign[frame.epoch] == Reign.LEADING for frame in frames)


@each_step("down", at="down", cites=("AGT-1",), link=links)
def nobody_is_shut_out_without_reason(before: State, after: State, link: LinkId) -> bool:
    """An agent that declares itself rightly may always join (AGT-1)."""
    frames = sent(before.down, after.down, link)
    told = any(isinstance(frame, Shutdown) for frame in frames)
    return not told or link.agent in before.bounds.unusable


@always(cites=("AGT-1",), epoch=epochs, agent=agents)
def only_usable_agents_are_registered(s: State, epoch: Epoch, agent: AgentId) -> bool:
    """An agent that declares itself wrongly is never registered (AGT-1)."""
    return agent not in s.bounds.unusable or not is_connected(s, epoch, agent)


@each_step("up", at="up", cites=("AGT-2", "AGT-9"), link=links)
def a_registration_is_answered(before: State, after: State, link: LinkId) -> bool:
    """A leader that hears a Register answers it, or shuts the agent out (AGT-2)."""
    old, new = before.up[link].mail, after.up[link].mail
    if not old or new != old[1:] or not isinstance(old[0], Register):
        return True
    there = before.agent[link.agent].link == link
    if not there or before.reign[old[0].epoch] != Reign.LEADING:
        return True
    answers = sent(before.down, after.down, link)
    return any(isinstance(frame, Registered | Shutdown) for frame in answers)


@each_step("down", cites=("LCH-2", "LCH-3"), agent=agents)
def a_task_that_can_run_is_taken(before: State, after: State, agent: AgentId) -> bool:
    """A RunTask that was heard is taken if its executor is as the master thinks, and only then."""
    link = own_link(before, agent)
    if not before.down.differs(after.down, link):
        return True
    old, new = before.down[link].mail, after.down[link].mail
    stays = after.agent[agent].link == before.agent[agent].link
    if not old or new != old[1:] or not isinstance(old[0], RunTask) or not stays:
        return True
    order = old[0]
    if knows(before, agent, order.task) or not before.agent[agent].registered:
        return True
    return (order.task in after.runs[agent]) == can_run(before, agent, order)


@each_step("up", cites=("KIL-9",), agent=agents)
def only_subscribed_executors_send(before: State, after: State, agent: AgentId) -> bool:
    """A message is of an executor that has subscribed (KIL-9)."""
    link = own_link(after, agent)
    frames = sent(before.up, after.up, link)
    senders = [frame.executor for frame in frames if isinstance(frame, FromExecutor)]
    return all(before.runners[agent][key].stream is not None for key in senders)


# ---- reigns and processes ------------------------------------------------------------------
@each_step("reign newest", cites=("R2", "MFO-6"), epoch=epochs)
def reigns_are_never_taken_up_again(before: State, after: State, epoch: Epoch) -> bool:
    """Who leads no more never leads again, and newer reigns only come (MFO-6)."""
    old, new = before.reign[epoch], after.reign[epoch]
    onward = {(Reign.NONE, Reign.LEADING), (Reign.LEADING, Reign.ENDED)}
    return after.newest >= before.newest and (old == new or (old, new) in onward)


@each_step("agent runs runners updates hosted", cites=("RCV-1",), agent=agents)
def who_is_down_does_nothing(before: State, after: State, agent: AgentId) -> bool:
    """While an agent is down nothing that it knows changes; it starts with what it knew (RCV-1)."""
    if before.agent[agent].up:
        return True
    if before.agent[agent].epoch != after.agent[agent].epoch:
        return False
    both = (before, after)
    known = [(s.runs[agent], s.runners[agent], s.updates[agent], s.hosted[agent]) for s in both]
    return after.agent[agent].up or known[0] == known[1]


@each_step("scheduler", cites=("FWK-3",), scheduler=schedulers)
def who_was_replaced_stays_away(before: State, after: State, scheduler: SchedulerId) -> bool:
    """A scheduler that has stopped does not go on by itself (FWK-3)."""
    was, now = before.scheduler[scheduler], after.scheduler[scheduler]
    return was.mood != Mood.STOPPED or now in (was, Scheduler(was.framework))


# ---- executors -----------------------------------------------------------------------------
@each_step("runners", cites=("LCH-8",), agent=agents)
def only_who_never_came_is_late(before: State, after: State, agent: AgentId) -> bool:
    """An executor is given up for being late only before it ever subscribed (LCH-8)."""
    for key, runner in after.runners[agent].items():
        was = before.runners[agent].get(key, None)
        given_up = was is not None and runner.late and not was.late
        if given_up and was is not None and (was.phase != Phase.REGISTERING or was.away):
            return False
    return True


@each_step("updates", cites=("RCV-3",), agent=agents)
def only_who_is_away_is_given_up(before: State, after: State, agent: AgentId) -> bool:
    """Tasks are GONE only with an executor that has not come back (RCV-3)."""
    for task, queue in after.updates[agent].items():
        was = before.updates[agent].get(task, ())
        gone = [u for u in queue if u.reason == "REASON_EXECUTOR_REREGISTRATION_TIMEOUT"]
        if gone and not any(update in was for update in gone):
            key = ExecutorKey(task.framework, before.runs[agent][task].executor)
            if not before.runners[agent][key].away:
                return False
    return True


@each_step("runs", cites=("EXE-3", "UPD-1"), agent=agents)
def who_is_away_says_nothing(before: State, after: State, agent: AgentId) -> bool:
    """What an executor says counts only once it has subscribed (UPD-1)."""
    for task, was, run in after.runs[agent].changes(before.runs[agent]):
        if was is not None and run is not None and run.seen != was.seen:
            runners = after.runners[agent].items()
            theirs = (one for key, one in runners if key.framework == task.framework)
            if all(runner.stream is None for runner in theirs):
                return False
    return True


ALWAYS = tuple(claim for claim in list(vars().values()) if isinstance(claim, Always))
EACH_STEP = tuple(claim for claim in list(vars().values()) if isinstance(claim, EachStep))
