"""The simulated network: order and delay, cuts that hold back, resets that lose, and closes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mesos_chaos.sim.loop import Loop
from mesos_chaos.sim.network import End, Network

SECOND_US = 1_000_000


class Line:
    """One connection between `a` and `b`, and what each end has heard."""

    def __init__(self, seed: int = 0) -> None:
        self.loop = Loop(seed)
        self.network = Network(self.loop)
        self.a: End[str]
        self.b: End[str]
        self.a, self.b = self.network.connect("a", "b")
        self.heard_a: list[str] = []
        self.heard_b: list[str] = []
        for end, heard in ((self.a, self.heard_a), (self.b, self.heard_b)):
            end.hear = heard.append
            end.ended = lambda heard=heard: heard.append("(ended)")  # type: ignore[misc]

    def run(self) -> None:
        self.loop.run(self.loop.now_us + SECOND_US)


@given(st.integers(0, 1000), st.lists(st.text(max_size=2), max_size=20))
def test_messages_arrive_in_order_whatever_their_delays(seed: int, messages: list[str]) -> None:
    line = Line(seed)
    for message in messages:
        line.a.send(message)
    line.run()
    assert line.heard_b == messages
    assert line.heard_a == []


@given(st.integers(0, 1000), st.integers(2, 6))
def test_what_is_sent_loose_arrives_once_after_what_was_in_order_and_before_the_end(
    seed: int, times: int
) -> None:
    line = Line(seed)
    line.a.send("first")
    for n in range(times):
        line.a.send_loose(str(n))
    line.a.close()
    line.run()
    assert line.heard_b[0] == "first"
    assert line.heard_b[-1] == "(ended)"
    assert sorted(line.heard_b[1:-1]) == [str(n) for n in range(times)]


def test_what_is_sent_loose_comes_in_every_order() -> None:
    orders = set()
    for seed in range(60):
        line = Line(seed)
        for message in "xyz":
            line.a.send_loose(message)
        line.run()
        orders.add("".join(line.heard_b))
    assert len(orders) == 6


def test_what_was_sent_loose_is_lost_with_its_connection_and_held_by_a_cut() -> None:
    line = Line()
    mend = line.network.cut(("a", "b"))
    line.a.send_loose("held")
    line.run()
    assert line.heard_b == []
    mend()
    line.run()
    assert line.heard_b == ["held"]
    line.a.send_loose("lost")
    line.network.reset("a", "b")
    line.run()
    assert line.heard_b == ["held", "(ended)"]


def test_calls_on_connections_of_their_own_overtake_each_other() -> None:
    """So the calls of foreign schedulers, which make a connection for each, are a bag (D5)."""
    loop, heard = Loop(0), list[int]()
    network = Network(loop)
    for n in range(20):
        ends: tuple[End[int], End[int]] = network.connect("x1", "m1")
        near, far = ends
        far.hear = heard.append
        near.send(n)
    loop.run(SECOND_US)
    assert sorted(heard) == list(range(20)) != heard


def test_a_close_lets_what_was_sent_before_arrive() -> None:
    line = Line()
    line.a.send("one")
    line.a.close()
    line.a.send("too late")
    line.b.send("to nobody")
    line.run()
    assert line.heard_b == ["one", "(ended)"]
    assert line.heard_a == []


def test_a_cut_holds_back_one_way_only_until_it_is_mended() -> None:
    line = Line()
    mend = line.network.cut(("a", "b"))
    line.a.send("held")
    line.b.send("through")
    line.run()
    assert (line.heard_a, line.heard_b) == (["through"], [])
    line.a.send("behind it")
    mend()
    line.run()
    assert line.heard_b == ["held", "behind it"]


def test_a_reset_loses_what_is_in_flight_and_both_ends_hear_of_it() -> None:
    line = Line()
    line.a.send("lost")
    assert line.network.reset("b", "a") == 1
    line.run()
    assert line.heard_a == line.heard_b == ["(ended)"]


@given(st.integers(0, 1000))
def test_what_is_heard_is_a_prefix_of_what_was_sent_also_around_a_reset(seed: int) -> None:
    line = Line(seed)
    sent = [f"{n}" for n in range(20)]
    for n, message in enumerate(sent):
        line.loop.at(n * 200, lambda message=message: line.a.send(message))  # type: ignore[misc]

    def reset() -> None:
        line.network.reset("a", "b")

    line.loop.at(seed * 4, reset)
    line.run()
    heard = [message for message in line.heard_b if message != "(ended)"]
    assert heard == sent[: len(heard)]
    assert line.heard_b[-1] == "(ended)"


def test_a_break_behind_a_cut_is_heard_of_when_the_cut_is_mended() -> None:
    line = Line()
    mend = line.network.cut(("a", "b"), ("b", "a"))
    line.network.drop_node("a")
    line.run()
    assert line.heard_b == []
    mend()
    line.run()
    assert line.heard_b == ["(ended)"]
    assert line.heard_a == [], "the dead hear nothing"


def test_a_delay_is_added_on_its_way_only_and_can_be_undone() -> None:
    line = Line()
    undo = line.network.delay(SECOND_US // 2, ("a", "b"))
    line.a.send("slow")
    line.b.send("quick")
    line.loop.run(SECOND_US // 10)
    assert (line.heard_a, line.heard_b) == (["quick"], [])
    line.run()
    undo()
    line.a.send("quick again")
    line.loop.run(line.loop.now_us + SECOND_US // 10)
    assert line.heard_b == ["slow", "quick again"]
