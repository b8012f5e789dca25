"""A master's side of the scheduler API, as small as the tests of the scheduler core need it.

`Desk` holds one core, does what a shell would do with its effects, and keeps every message. It
decides nothing: the tests say what the environment does.
"""

from __future__ import annotations

from mesos_ref.scheduler.core import SchedulerConfig, SchedulerCore, violations
from mesos_ref.scheduler.effects import (
    CloseSubscription,
    Connect,
    Deliver,
    NotSent,
    OpenSubscription,
    SendCall,
    Stop,
)
from mesos_ref.scheduler.events import Connected, Event, EventHeard, LeaderSeen, StreamOpened, Tick
from mesos_ref.step import Effect, Persist, Recovered, Step
from mesos_ref.wire import scheduler as wire
from mesos_ref.wire.v1 import (
    FrameworkInfo,
    Launch,
    Offer,
    Operation,
    TaskInfo,
    TaskState,
    TaskStatus,
)

FRAMEWORK = "11111111-0000"
SECOND_US = 1_000_000


class CountedIds:
    """Ids 1, 2, 3, …: reproducible, and short to read."""

    def __init__(self) -> None:
        self.count = 0

    def uuid(self) -> str:
        """The next id as text."""
        self.count += 1
        return f"id-{self.count}"

    def uuid_bytes(self) -> bytes:
        """The next id as 16 bytes; its first bytes vary, as randomness would."""
        self.count += 1
        return (self.count * 0x9E3779B97F4A7C15 % (1 << 128)).to_bytes(16, "little")


class Desk:
    """A core, its clock, and everything it ever wanted."""

    def __init__(
        self,
        recovered: Recovered | None = None,
        config: SchedulerConfig | None = None,
    ) -> None:
        info = FrameworkInfo(user="u", name="demo", roles=("a",))
        self.config = config or SchedulerConfig(framework=info)
        self.core = SchedulerCore(self.config, CountedIds(), recovered)
        self.core.watched = True
        self.now_us = 0
        self.effects: list[Effect] = []
        self.did: list[str] = []
        #: Built from `take_changes` alone; must equal `core.view()`.
        self.seen_view = self.core.view()

    def hear(self, event: Event) -> Step:
        """Let the core hear `event`, and check what holds after any event."""
        step = self.core.handle(event, self.now_us)
        self.effects.extend(step.effects)
        self.did.extend(name for name, _ in step.did)
        for key, value in self.core.take_changes().items():
            if value is None:
                self.seen_view.pop(key, None)
            else:
                self.seen_view[key] = value
        assert self.seen_view == self.core.view()
        assert violations(self.core) == []
        return step

    def wait(self, us: int) -> Step:
        """Let time pass."""
        self.now_us += us
        return self.hear(Tick())

    def wait_for_deadline(self) -> Step:
        """Let time pass until the core wants to be told."""
        deadline = self.core.next_deadline
        assert deadline is not None
        return self.wait(max(0, deadline - self.now_us))

    # A master that behaves ----------------------------------------------------------------------

    def lead(self, epoch: int = 1) -> str:
        """A leader is seen. Returns the connection the core wants to it."""
        return connection_of(self.hear(LeaderSeen(epoch, f"http://m{epoch}:5050")))

    def answer(self, connection: str, stream: str) -> Step:
        """The master takes the subscription."""
        self.hear(Connected(connection))
        self.hear(StreamOpened(connection, stream))
        return self.hear(EventHeard(stream, 0, subscribed()))

    def subscribe(self, epoch: int = 1, stream: str = "s1") -> str:
        """A leader is seen, and takes the subscription. Returns the connection."""
        connection = self.lead(epoch)
        self.answer(connection, stream)
        return connection

    # What the core wanted -----------------------------------------------------------------------

    def of(self, kind: type[Effect]) -> list[Effect]:
        """All effects of one kind, oldest first."""
        return [effect for effect in self.effects if isinstance(effect, kind)]

    def calls(self, call_type: str) -> list[wire.Call]:
        """All calls of one type, oldest first."""
        made = [e.call for e in self.effects if isinstance(e, SendCall | OpenSubscription)]
        return [call for call in made if call.type == call_type]

    def delivered(self, event_type: str) -> list[wire.Event]:
        """All events of one type that the user's code got."""
        got = [e.event for e in self.effects if isinstance(e, Deliver)]
        return [event for event in got if event.type == event_type]


def connection_of(step: Step) -> str:
    """The connection a step wants; there must be one."""
    wanted = [e.connection for e in step.effects if isinstance(e, Connect)]
    assert len(wanted) == 1, f"expected one Connect, got {step.effects}"
    return wanted[0]


def kinds(step: Step) -> list[type[Effect]]:
    """What kinds of effects a step has, in order."""
    return [type(effect) for effect in step.effects]


def subscribed(heartbeat_s: float = 15.0) -> wire.Event:
    """SUBSCRIBED, as a master sends it."""
    part = wire.Subscribed(framework_id=FRAMEWORK, heartbeat_interval_seconds=heartbeat_s)
    return wire.Event(type="SUBSCRIBED", subscribed=part)


def offers(*offer_ids: str, agent: str = "a1") -> wire.Event:
    """OFFERS of one agent."""
    made = tuple(
        Offer(id=offer_id, framework_id=FRAMEWORK, agent_id=agent, hostname="h")
        for offer_id in offer_ids
    )
    return wire.Event(type="OFFERS", offers=wire.Offers(offers=made))


def rescind(offer_id: str) -> wire.Event:
    """RESCIND of one offer."""
    return wire.Event(type="RESCIND", rescind=wire.Rescind(offer_id=offer_id))


def update(task: str, state: TaskState, uuid: bytes | None, agent: str = "a1") -> wire.Event:
    """UPDATE of one task, reliable if it has a uuid."""
    status = TaskStatus(task_id=task, state=state, uuid=uuid, agent_id=agent)
    return wire.Event(type="UPDATE", update=wire.Update(status=status))


def error(message: str) -> wire.Event:
    """ERROR."""
    return wire.Event(type="ERROR", error=wire.Error(message=message))


def launch(offer_id: str, *tasks: str, agent: str = "a1") -> wire.Call:
    """ACCEPT one offer for some tasks."""
    infos = tuple(TaskInfo(name=task, task_id=task, agent_id=agent) for task in tasks)
    operation = Operation(type="LAUNCH", launch=Launch(task_infos=infos))
    accept = wire.Accept(offer_ids=(offer_id,), operations=(operation,))
    return wire.Call(type="ACCEPT", accept=accept)


__all__ = [
    "FRAMEWORK",
    "SECOND_US",
    "CloseSubscription",
    "Connect",
    "CountedIds",
    "Deliver",
    "Desk",
    "NotSent",
    "OpenSubscription",
    "Persist",
    "SendCall",
    "Stop",
    "connection_of",
    "error",
    "kinds",
    "launch",
    "offers",
    "rescind",
    "subscribed",
    "update",
]
