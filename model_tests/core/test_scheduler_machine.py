"""The scheduler core in a world that repeats, reorders, delays and breaks everything it can.

The rules are what the environment does, stale connections and streams included. The invariants are
the library's promises: nothing is delivered twice, nothing is acknowledged unseen, no call goes out
in the name of a subscription that is over. And from wherever the rules have led, one good master is
enough to be subscribed again.
"""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from mesos_ref.scheduler.events import (
    Asked,
    CallAnswered,
    Connected,
    EventHeard,
    Heartbeat,
    LeaderSeen,
    Seen,
    StreamEnded,
    StreamOpened,
    SubscribeFailed,
    Tick,
)
from mesos_ref.step import NOTHING, Step
from mesos_ref.wire import scheduler as wire
from mesos_ref.wire.v1 import TaskState
from model_tests.core.scheduler_world import (
    FRAMEWORK,
    SECOND_US,
    CloseSubscription,
    Connect,
    Deliver,
    Desk,
    OpenSubscription,
    SendCall,
    Stop,
    error,
    launch,
    offers,
    rescind,
    subscribed,
    update,
)

TASKS = st.sampled_from(["t1", "t2"])
OFFERS = st.sampled_from(["o1", "o2", "o3"])
UUIDS = st.sampled_from([bytes([i]) * 16 for i in range(2)])
STATES: st.SearchStrategy[TaskState] = st.sampled_from(
    ["TASK_RUNNING", "TASK_FINISHED", "TASK_UNREACHABLE", "TASK_UNKNOWN"]
)


#: Which connection or stream: 0 is the current one, 1 the one before it, …
AGE = st.sampled_from([0, 0, 0, 1, 2])


def nth(age: int, current: str | None, known: list[str]) -> str:
    """The current one, or of the others the newest, the one before it, …"""
    if age == 0 and current is not None:
        return current
    others = [name for name in known if name != current]
    return others[max(0, len(others) - max(1, age))]


class SchedulerMachine(RuleBasedStateMachine):
    """One scheduler, and all that can befall it."""

    @initialize(known=st.booleans(), subscribed_at_once=st.booleans())
    def start(self, known: bool, subscribed_at_once: bool) -> None:
        """A first start, or a restart that remembers its framework and two tasks."""
        recovered = {"framework_id": FRAMEWORK, "tasks": {"t1": "a1", "t2": None}}
        self.desk = Desk(recovered=recovered if known else None)
        self.current: str | None = None
        self.next_call = 0
        self.newest = 0
        self.connections = ["none"]
        self.streams = ["none"]
        self.offered: set[str] = set()
        self.delivered: list[tuple[str, bytes]] = []
        self.seen: set[tuple[str, bytes]] = set()
        if subscribed_at_once:
            self.all_goes_well()

    def hear(self, event: object) -> Step:
        """Let the core hear it, and check each effect against what may be said now."""
        step = self.desk.hear(event)  # type: ignore[arg-type]
        for effect in step.effects:
            match effect:
                case Connect(epoch=epoch, connection=connection):
                    assert epoch >= self.newest, "S19: an older leader is turned to"
                    assert self.current is None, "two attempts at once"
                    self.newest, self.current, self.next_call = epoch, connection, 0
                    self.connections.append(connection)
                case CloseSubscription(connection=connection):
                    assert connection == self.current
                    self.current = None
                case OpenSubscription(connection=connection):
                    assert (connection, self.next_call) == (self.current, 0)
                    self.next_call = 1
                case SendCall(connection=connection, n=n, call=call):
                    assert (connection, n) == (self.current, self.next_call)
                    self.next_call += 1
                    self.check_acknowledgement(call)
                case Deliver(event=heard):
                    self.note_delivery(heard)
                case Stop():
                    assert self.current is None
                case _:
                    pass
        if self.desk.core.state.connection is None:
            self.current = None
        return step

    def check_acknowledgement(self, call: wire.Call) -> None:
        """UPD-12: only what was seen."""
        if call.acknowledge is not None:
            assert (call.acknowledge.task_id, call.acknowledge.uuid) in self.seen

    def note_delivery(self, heard: wire.Event) -> None:
        """UPD-21: once."""
        if heard.update is not None and heard.update.status.uuid is not None:
            key = (heard.update.status.task_id, heard.update.status.uuid)
            assert key not in self.delivered, "an update was delivered twice"
            self.delivered.append(key)

    # The network and the masters ----------------------------------------------------------------

    @rule(epoch=st.integers(1, 6))
    def see_leader(self, epoch: int) -> None:
        """In any order, and again."""
        newest = self.newest
        step = self.hear(LeaderSeen(epoch, f"http://m{epoch}"))
        assert epoch > newest or step is NOTHING, "S19: an older leader is listened to"

    @rule()
    def all_goes_well(self) -> None:
        """Whatever had gone wrong: the attempt under way, or the next one, succeeds."""
        if self.newest == 0:
            self.see_leader(1)
        if self.current is None:
            self.reach_deadline()
        self.hear(Connected(self.connection(0)))
        self.open_stream(0)
        self.say(0, subscribed())

    @rule(trouble=st.sampled_from(["stream ends", "attempt fails", "call is lost", "silence"]))
    def meet_trouble(self, trouble: str) -> None:
        """What ends a subscription, or an attempt at one."""
        match trouble:
            case "stream ends":
                self.hear(StreamEnded(self.stream(0)))
            case "attempt fails":
                self.hear(SubscribeFailed(self.connection(0), 503))
            case "call is lost":
                self.hear(CallAnswered(self.connection(0), 1, 0))
            case _:
                self.pass_time(61 * SECOND_US)

    @rule()
    def reach_deadline(self) -> None:
        """Time passes until the core has something to do; the master is alive meanwhile."""
        self.hear(Heartbeat(self.stream(0)))
        deadline = self.desk.core.next_deadline or 0
        self.pass_time(max(0, deadline - self.desk.now_us))

    @rule(us=st.sampled_from([1, 199_999, SECOND_US, 14 * SECOND_US]))
    def pass_time(self, us: int) -> None:
        """Time passes, and a tick comes, wanted or not."""
        self.desk.now_us += us
        self.hear(Tick())

    @rule(age=AGE)
    def connect(self, age: int) -> None:
        """An attempt, this one or an old one, succeeds."""
        self.hear(Connected(self.connection(age)))

    @rule(age=AGE)
    def open_stream(self, age: int) -> None:
        """SUBSCRIBE is answered with 200, and an id never used before."""
        self.streams.append(f"s{len(self.streams)}")
        self.hear(StreamOpened(self.connection(age), self.streams[-1]))

    @rule(age=st.integers(1, 3), n=st.integers(0, 5), status=st.sampled_from([0, 202, 400, 503]))
    def hear_from_the_past(self, age: int, n: int, status: int) -> None:
        """What belonged to an attempt given up since changes nothing."""
        connection, stream = self.connection(age), self.stream(age)
        before = self.desk.core.view()
        for event in (
            Connected(connection),
            SubscribeFailed(connection, status),
            CallAnswered(connection, n, status),
            EventHeard(stream, 0, subscribed()),
            EventHeard(stream, n, error("Framework failed over")),
            Heartbeat(stream),
            StreamEnded(stream),
        ):
            assert self.hear(event) is NOTHING
        assert self.desk.core.view() == before

    # What masters say ---------------------------------------------------------------------------

    def say(self, age: int, event: wire.Event) -> Step:
        """Any event on any stream."""
        return self.hear(EventHeard(self.stream(age), 0, event))

    def connection(self, age: int) -> str:
        """The connection under way, or one wanted before."""
        return nth(age, self.desk.core.state.connection, self.connections)

    def stream(self, age: int) -> str:
        """The stream under way, or one opened before."""
        return nth(age, self.desk.core.state.opened, self.streams)

    def is_heard(self, age: int) -> bool:
        """Whether events of this stream are heard."""
        return self.stream(age) == self.desk.core.state.stream

    @rule(age=AGE)
    def say_subscribed(self, age: int) -> None:
        """SUBSCRIBED, at any time."""
        self.say(age, subscribed())

    @rule(age=AGE, offer=OFFERS)
    def make_offer(self, age: int, offer: str) -> None:
        """An offer, of an id used before perhaps."""
        if self.is_heard(age):
            self.offered.add(offer)
        self.say(age, offers(offer))

    @rule(age=AGE, offer=OFFERS)
    def rescind_offer(self, age: int, offer: str) -> None:
        """RESCIND, of an offer never made perhaps."""
        if self.is_heard(age):
            self.offered.discard(offer)
        self.say(age, rescind(offer))

    @rule(task=TASKS, state=STATES, uuid=UUIDS)
    def say_and_handle_update(self, task: str, state: TaskState, uuid: bytes) -> None:
        """An update that the user's code handles at once, and that comes again."""
        self.say_update(0, task, state, uuid)
        self.handle_update(len(self.delivered) - 1)
        self.say_update(0, task, state, uuid)

    @rule(age=AGE, task=TASKS, state=STATES, uuid=st.none() | UUIDS)
    def say_update(self, age: int, task: str, state: TaskState, uuid: bytes | None) -> None:
        """An update; one seen before is acknowledged again at once."""
        is_heard = self.is_heard(age)
        step = self.say(age, update(task, state, uuid))
        if is_heard and (task, uuid) in self.seen:
            assert [name for name, _ in step.did] == ["hear_update", "ack"]

    @rule(age=AGE)
    def say_something_new(self, age: int) -> None:
        """An event of a type nobody knows."""
        self.say(age, wire.Event(type="GREETINGS"))

    # The user's code ----------------------------------------------------------------------------

    @rule(offer=OFFERS, task=TASKS)
    def accept(self, offer: str, task: str) -> None:
        """Launch a task, on an offer that may be gone."""
        self.hear(Asked(launch(offer, task)))
        if self.desk.core.state.standing == "subscribed":
            self.offered.discard(offer)

    @rule(call_type=st.sampled_from(["REVIVE", "SUPPRESS", "KILL"]))
    def ask(self, call_type: str) -> None:
        """Any other call, whole or not."""
        self.hear(Asked(wire.Call(type=call_type)))

    @rule(index=st.integers(0, 20))
    def handle_update(self, index: int) -> None:
        """The user's code is done with an update, early or late."""
        if self.delivered:
            task, uuid = self.delivered[index % len(self.delivered)]
            self.seen.add((task, uuid))
            self.hear(Seen(task, "a1", uuid))

    # Promises -----------------------------------------------------------------------------------

    @invariant()
    def offers_are_those_made_on_this_subscription(self) -> None:
        """OFR-6: offers end with the subscription they were made on."""
        if self.desk.core.state.stream is None:
            self.offered.clear()
        assert set(self.desk.core.state.held) == self.offered

    def teardown(self) -> None:
        """From here, a good master is enough."""
        if not hasattr(self, "desk"):
            return
        self.hear(LeaderSeen(7, "http://m7"))
        self.all_goes_well()
        state = self.desk.core.view()["scheduler"]
        assert (state["standing"], state["epoch"]) == ("subscribed", 7)
        self.say(0, error("Framework failed over"))
        assert self.desk.core.view()["scheduler"]["standing"] == "stopped"
        assert self.desk.core.next_deadline is None


TestScheduler = SchedulerMachine.TestCase
TestScheduler.settings = settings(max_examples=200, stateful_step_count=60)
