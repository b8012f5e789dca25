"""The agent, without sockets, clocks, disks or processes.

Feed it events with `handle`, do what the step says: what is to be kept first, then the rest, in
order. It is deterministic, and never fails on what masters or executors send. The subjects are in
modules of their own; here is who hears what.
"""

from __future__ import annotations

from typing import Any, assert_never

from mesos_ref import link
from mesos_ref.agent import (
    calls,
    checks,
    executors,
    frameworks,
    launching,
    recovery,
    registration,
    tasks,
    updates,
    view,
)
from mesos_ref.agent.config import AgentConfig
from mesos_ref.agent.events import (
    Event,
    ExecutorCall,
    ExecutorExited,
    ExecutorStreamEnded,
    Frame,
    LeaderSeen,
    Linked,
    LinkEnded,
    Started,
    Tick,
)
from mesos_ref.agent.state import Agent
from mesos_ref.agent.timers import Name
from mesos_ref.step import NOTHING, IdSource, Recovered, Step


class AgentCore:
    """One agent. `recovered` is what the `Persist` effects of its earlier lives add up to."""

    def __init__(self, config: AgentConfig, ids: IdSource, recovered: Recovered) -> None:
        self._agent = Agent(config, ids)
        self._recovered: Recovered | None = dict(recovered)

    # Asking -----------------------------------------------------------------------------------

    @property
    def state(self) -> Agent:
        """All the core knows; for tests, and for read-only pages about the agent."""
        return self._agent

    @property
    def watched(self) -> bool:
        """Whether somebody takes the changes of the view."""
        return self._agent.watched

    @watched.setter
    def watched(self, watched: bool) -> None:
        self._agent.watched = watched

    @property
    def next_deadline(self) -> int | None:
        """When a Tick is wanted, in microseconds."""
        return self._agent.timers.next_us

    def view(self) -> dict[str, Any]:
        """The whole view, computed afresh: keys and values of docs/reference/trace.md."""
        return view.whole(self._agent)

    def take_changes(self) -> dict[str, Any]:
        """What has changed in the view since this was asked last, if `watched`; None: gone."""
        return view.take_changes(self._agent)

    # Telling ----------------------------------------------------------------------------------

    def handle(self, event: Event, now_us: int) -> Step:
        """Take one event. Nothing is heard before `Started`, or after `Exit`."""
        agent = self._agent
        agent.now_us = now_us
        if self._recovered is not None:
            if isinstance(event, Started):
                recovery.start(agent, self._recovered, event)
                self._recovered = None
        elif not agent.over:
            self._hear(event)
        if not agent.effects and not agent.did:
            return NOTHING
        step = Step(tuple(agent.effects), tuple(agent.did))
        agent.effects.clear()
        agent.did.clear()
        return step

    def _hear(self, event: Event) -> None:
        agent = self._agent
        match event:
            case Frame():
                self._hear_frame(event)
            case ExecutorCall():
                calls.hear_call(agent, event)
                recovery.settle(agent)
            case Tick():
                while (name := agent.timers.take_due(agent.now_us)) is not None:
                    self._do_what_is_due(name)
            case ExecutorExited():
                executors.hear_exit(agent, event.container, event.status, event.why)
                recovery.settle(agent)
            case LeaderSeen():
                registration.hear_leader(agent, event.epoch, event.url)
            case Linked():
                registration.hear_linked(agent, event.link)
            case LinkEnded():
                registration.hear_link_ended(agent, event.link)
            case ExecutorStreamEnded() | Started():
                pass
            case _:
                assert_never(event)

    def _hear_frame(self, event: Frame) -> None:
        agent = self._agent
        frame = event.frame
        if not self._is_to_be_heard(event):
            agent.decided("ignore_frame")
            return
        match frame:
            case link.Ack():
                updates.hear_ack(agent, frame)
            case link.RunTask():
                launching.hear_run_task(agent, frame)
            case link.Ping():
                registration.hear_ping(agent, frame)
            case link.Kill():
                tasks.hear_kill(agent, frame)
            case link.Message():
                frameworks.hear_message(agent, frame)
            case link.UpdateFramework():
                frameworks.hear_update_framework(agent, frame)
            case link.ShutdownExecutor():
                executors.hear_shutdown_executor(agent, frame)
            case link.ShutdownFramework():
                frameworks.hear_shutdown_framework(agent, frame)
            case link.Registered():
                registration.hear_registered(agent, frame)
            case link.Shutdown():
                registration.hear_shutdown(agent, frame)
            case _:
                assert_never(frame)

    def _is_to_be_heard(self, event: Frame) -> bool:
        """Whether the frame is of the newest leader, and the agent ready for it (S19, LCH-1)."""
        agent = self._agent
        if event.link != agent.link or agent.epoch is None or event.frame.epoch < agent.epoch:
            return False
        if isinstance(event.frame, link.Registered | link.Ping | link.Shutdown):
            return True
        return agent.registered and event.frame.epoch == agent.epoch

    def _do_what_is_due(self, name: Name) -> None:
        agent = self._agent
        match name[0]:
            case updates.RESEND:
                updates.resend(agent, *name[1:])
            case executors.REGISTER:
                executors.give_up(agent, *name[1:])
            case executors.DESTROY:
                executors.destroy(agent, *name[1:])
            case registration.CONNECT:
                registration.connect(agent)
            case registration.SILENCE:
                registration.give_up_silent(agent)
            case _:
                recovery.give_up_awaited(agent)


def violations(core: AgentCore) -> list[str]:
    """What does not hold of a core, as sentences; for tests and simulation only."""
    return checks.violations(core.state)
