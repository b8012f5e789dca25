"""What comes after a path: time passes and nobody says a word; and what is over is said once more.

A path ends where its way is taken, and the specification goes on from there.  First the cores are
left alone: whatever their timers bring about is recorded, and is the judge's to follow.  Then each
hears again what it has heard on connections that are no more, of executors that have ended, or
before its own end; and calls and declarations that are of another stream, or of another reign (S13,
S19).  The specification has no step for any of that, so nothing may come of it; nor of what is
heard by who has not begun.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace

from mesos_ref.agent import events as to_agents
from mesos_ref.agent.core import AgentCore
from mesos_ref.link import Exited, Register, Registered
from mesos_ref.master import events as to_masters
from mesos_ref.master.core import MasterCore
from mesos_ref.scheduler import events as to_schedulers
from mesos_ref.scheduler.core import SchedulerCore
from mesos_ref.wire import scheduler
from model_tests.paths.players import Players, Process

DEADLINES = 24  #: of each core, while it is left alone

#: What may be noted of a message that has no effect (S13, S19).
TURNED_AWAY = frozenset({"ignore_frame", "ignore_frame_up", "turn_away"})


def left_alone(players: Players) -> None:
    """Time passes for all who are there, and nobody answers; or nobody but to say no."""
    for by, one in list(players.now.items()):
        for refusal in players.refusals(by):
            players.hear(by, refusal)
        for _ in range(DEADLINES):
            due_us = one.core.next_deadline
            if due_us is None:
                break
            players.now_us = max(players.now_us, due_us)
            players.hear(by, players.tick)
            for event in players.consequences(by):
                players.hear(by, event)


def told_again(players: Players) -> int:
    """Everybody hears again what is over; how much that was.  Nothing may come of it."""
    told = 0
    for one in players.now.values():
        for event in said_again(players, one):
            if is_over(one.core, event):
                nothing_comes_of(one.core, event, players.now_us)
                assert one.violations(one.core) == []
                told += 1
    for one in players.all:
        unborn = players.unborn()
        for event in said_again(players, one) if unborn is not None else ():
            if not isinstance(event, to_masters.Elected | to_agents.Started):
                assert unborn.next_deadline is None
                nothing_comes_of(unborn, event, players.now_us)
                told += 1
    return told


def nothing_comes_of(core: Any, event: Any, now_us: int) -> None:
    """The core does nothing, but may say that it has turned something away."""
    did = {name for name, _ in core.handle(event, now_us).did}
    assert did <= TURNED_AWAY, f"{did} came of {event}, which is over"


def said_again(players: Players, one: Process) -> Iterator[Any]:
    """What it has heard, and what is like it and of no effect."""
    for who, event in players.events:
        if who is not one:
            continue
        yield event
        match event:
            case to_schedulers.StreamOpened(stream=stream):
                yield to_schedulers.Heartbeat(stream)
                for own in ("SUBSCRIBE", "ACKNOWLEDGE"):  # which no user makes
                    yield to_schedulers.Asked(scheduler.Call(type=own))
            case to_agents.Frame(frame=Registered() as frame):
                yield replace(event, frame=replace(frame, agent_id="another"))
            case to_agents.ExecutorCall(new_stream=stream, call=call):
                yield to_agents.ExecutorStreamEnded(stream)
                yield replace(event, call=replace(call, type="HEARTBEAT"))
            case to_masters.Call(call=call):
                yield replace(event, stream="another" if call.type == "SUBSCRIBE" else None)
            case to_masters.Frame(frame=Register() as said):
                yield replace(event, frame=replace(said, agent_id="another"))
                for epoch in (said.epoch - 1, said.epoch + 1):
                    other = replace(said, epoch=epoch, newest_epoch=epoch)
                    yield replace(event, link="another", frame=other)
            case _:
                pass


def is_over(core: Any, event: Any) -> bool:
    """Whether there is nothing to an event any more."""
    match core:
        case MasterCore():
            return core.state.epoch is None or _is_over_for_master(core, event)
        case AgentCore():
            return core.state.over or _is_over_for_agent(core, event)
        case SchedulerCore():
            return core.is_over or _is_over_for_scheduler(core, event)
        case _:
            raise AssertionError(f"nobody knows what is over for {core}")


def _is_over_for_master(core: MasterCore, event: Any) -> bool:
    m = core.state
    match event:
        case to_masters.Elected():
            return True
        case to_masters.Frame(link=link, frame=Register() as said):
            agent = m.links.get(link)
            is_anothers = agent is not None and agent.agent_id != said.agent_id
            return is_anothers or (link == "another" and said.epoch != m.epoch)
        case to_masters.Frame(link=link, frame=Exited() as exited) if link in m.links:
            key = exited.framework_id, exited.executor_id
            return key not in m.links[link].executors
        case to_masters.Frame(link=link):
            return link not in m.links
        case to_masters.LinkEnded(link=link):
            return link not in m.links
        case to_masters.StreamEnded(stream=stream):
            return stream not in m.streams
        case to_masters.OperatorTeardown(framework_id=framework_id):
            return framework_id not in m.frameworks
        case to_masters.Call(call=call) if call.type == "SUBSCRIBE":
            return event.stream is not None or event.new_stream in m.streams
        case to_masters.Call():
            return event.stream not in m.streams
        case _:
            return False


def _is_over_for_agent(core: AgentCore, event: Any) -> bool:
    agent = core.state
    match event:
        case to_agents.Started() | to_agents.ExecutorStreamEnded():
            return True
        case to_agents.LeaderSeen(epoch=epoch):
            return agent.epoch is not None and epoch <= agent.epoch
        case to_agents.Linked(link=link) | to_agents.LinkEnded(link=link):
            return link not in (agent.link, agent.dialling)
        case to_agents.Frame(link=link, frame=Registered() as frame) if link == agent.link:
            return frame.agent_id != agent.agent_id
        case to_agents.Frame(link=link):
            return link != agent.link
        case to_agents.ExecutorExited(container=container):
            return container not in agent.containers
        case to_agents.ExecutorCall(call=call) if call.type == "HEARTBEAT":
            return True
        case to_agents.ExecutorCall(framework_id=framework_id, executor_id=executor_id):
            framework = agent.frameworks.get(framework_id)
            return framework is None or executor_id not in framework.executors
        case _:
            return False


def _is_over_for_scheduler(core: SchedulerCore, event: Any) -> bool:
    state = core.state
    match event:
        case to_schedulers.Heartbeat():
            return True
        case to_schedulers.LeaderSeen(epoch=epoch):
            return state.epoch is not None and epoch <= state.epoch
        case (
            to_schedulers.Connected(connection=connection)
            | to_schedulers.StreamOpened(connection=connection)
            | to_schedulers.SubscribeFailed(connection=connection)
            | to_schedulers.CallAnswered(connection=connection)
        ):
            return connection != state.connection
        case to_schedulers.StreamEnded(stream=stream) | to_schedulers.EventHeard(stream=stream):
            return stream != state.opened
        case to_schedulers.Asked(call=call) if call.type in ("SUBSCRIBE", "ACKNOWLEDGE"):
            return True
        case to_schedulers.Asked() | to_schedulers.Seen():
            return state.standing != "subscribed"
        case _:
            return False
