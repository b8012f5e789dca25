"""The master without sockets, clocks or threads.

Feed it events with `handle`; do what the returned step's effects say, in order. It is deterministic
(the same events give the same steps) and never fails on what a peer sends. What each event comes to
is in the modules beside this one; here is who takes it.
"""

from collections.abc import Callable
from typing import Any, Final

from mesos_ref import link as frames
from mesos_ref.allocator import Allocator
from mesos_ref.allocator.drf import Drf
from mesos_ref.master import agents, calls, checks, frameworks, offers, tasks
from mesos_ref.master import view as views
from mesos_ref.master.config import MasterConfig
from mesos_ref.master.effects import Answer
from mesos_ref.master.events import (
    Call,
    Deposed,
    Elected,
    Event,
    Frame,
    LinkEnded,
    OperatorTeardown,
    StreamEnded,
    Tick,
)
from mesos_ref.master.state import State
from mesos_ref.step import NOTHING, IdSource, Step

#: Of each kind, what one tick does. Thousands may be due in one moment, and whoever runs the core
#: has other things to do as well: a lease to renew.
AT_ONCE: Final = 250


class MasterCore:
    """All of the master's state, and the only way to change it.

    `node_id` is this master's uuid: offer ids are ``<node_id>-O<n>``, framework ids
    ``<node_id>-NNNN``. Before `Elected` and after `Deposed` it answers no one.
    """

    def __init__(
        self,
        config: MasterConfig,
        ids: IdSource,
        node_id: str,
        allocator: Allocator | None = None,
    ) -> None:
        #: Read it freely (operator endpoints do); only `handle` changes it.
        self.state = State(config, ids, node_id, allocator or Drf())

    # Time and views -----------------------------------------------------------------------------

    @property
    def next_deadline(self) -> int | None:
        """When a `Tick` is wanted, in microseconds of the caller's clock."""
        m = self.state
        if m.epoch is None:
            return None
        due_us = m.allocation_us
        for timers in m.timers:
            next_us = timers.next_us
            if next_us is not None and (due_us is None or next_us < due_us):
                due_us = next_us
        return due_us

    @property
    def watched(self) -> bool:
        """Whether changes of the view are kept for `take_changes`."""
        return self.state.watched

    @watched.setter
    def watched(self, on: bool) -> None:
        self.state.watched = on

    def view(self) -> dict[str, Any]:
        """The whole state as plain data, computed afresh."""
        return views.view(self.state)

    def take_changes(self) -> dict[str, Any]:
        """The keys of `view` that changed since the last call; None: gone."""
        return views.changes(self.state)

    # Events -------------------------------------------------------------------------------------

    def handle(self, event: Event, now_us: int) -> Step:
        """Take one event. Never raises on what a peer sends."""
        m = self.state
        m.now_us = max(m.now_us, now_us)
        hear = _HEAR.get(type(event))
        if hear is not None and (m.epoch is not None or hear is _elected):
            hear(m, event)
        elif isinstance(event, Call | OperatorTeardown):
            m.effects.append(Answer(event.request, 503, "This master does not lead"))
        if not m.effects and not m.did:
            return NOTHING
        step = Step(tuple(m.effects), tuple(m.did))
        m.effects.clear()
        m.did.clear()
        return step


def violations(core: MasterCore) -> list[str]:
    """What does not hold though it must, as sentences: for tests and simulation."""
    return checks.violations(core.state)


def _elected(m: State, event: Elected) -> None:
    """The master starts to lead, knowing nothing (R1, MFO-6). It leads at most once."""
    if m.was_leader:
        return
    m.was_leader = True
    m.act("lead")
    m.epoch = event.epoch
    m.master_info = event.master_info
    m.elected_us = m.now_us
    m.mark("epoch")


def _deposed(m: State, event: Deposed) -> None:
    """What it knew is another's business now."""
    m.act("end_reign")
    for key in views.keys(m):
        m.mark(*key)
    m.end()


def _tick(m: State, event: Tick) -> None:
    """What is due, in a fixed order; of each kind no more than a step should take.

    The rest is still due, and is the next tick's: `next_deadline` says so.
    """
    for number in m.filter_timers.due(m.now_us, AT_ONCE):
        offers.forget_filter(m, number)
    for offer_id in m.offer_timers.due(m.now_us, AT_ONCE):
        offers.rescind(m, offer_id)
    for agent_id in m.ping_timers.due(m.now_us, AT_ONCE):
        agents.ping_or_miss(m, agent_id)
    for agent_id in m.unreachable_timers.due(m.now_us, AT_ONCE):
        agents.mark_unreachable(m, agent_id)
    for framework_id in m.give_up_timers.due(m.now_us, AT_ONCE):
        frameworks.give_up_framework(m, framework_id)
    if m.allocation_us is not None and m.allocation_us <= m.now_us:
        offers.allocate(m, AT_ONCE)


# Agent links --------------------------------------------------------------------------------------


def _frame(m: State, event: Frame) -> None:
    """Frames count on an agent's current link and in this reign only (S19)."""
    frame, link = event.frame, event.link
    if isinstance(frame, frames.Register):
        agents.hear_register(m, link, frame)
        return
    agent = m.links.get(link)
    if agent is None or frame.epoch != m.epoch:
        m.act("ignore_frame_up", link=link)
        return
    match frame:
        case frames.Update():
            tasks.forward(m, agent, frame)
        case frames.Pong():
            agents.hear_pong(m, agent)
        case frames.Exited():
            if not tasks.lose_executor(m, agent, frame):
                m.act("ignore_frame_up", link=link)
        case frames.Message():
            tasks.pass_up(m, agent, frame)


def _link_ended(m: State, event: LinkEnded) -> None:
    agent = m.links.get(event.link)
    if agent is not None:
        agents.lose_agent(m, agent)


def _stream_ended(m: State, event: StreamEnded) -> None:
    framework = m.streams.get(event.stream)
    if framework is not None:
        frameworks.lose_framework(m, framework)


def _operator_teardown(m: State, event: OperatorTeardown) -> None:
    framework = m.frameworks.get(event.framework_id)
    if framework is None:
        m.effects.append(Answer(event.request, 400, "No framework found with specified ID"))
        return
    m.effects.append(Answer(event.request, 200))
    frameworks.tear_down_by_operator(m, framework)


_HEAR: dict[type[Event], Callable[[State, Any], None]] = {
    Elected: _elected,
    Deposed: _deposed,
    Tick: _tick,
    Frame: _frame,
    LinkEnded: _link_ended,
    Call: calls.hear_call,
    StreamEnded: _stream_ended,
    OperatorTeardown: _operator_teardown,
}
