"""A simulated process: record, keep, perform; and a death in between."""

from __future__ import annotations

from typing import Any

import pytest

from mesos_chaos.sim import node
from mesos_chaos.sim.loop import Loop
from mesos_chaos.sim.node import Moment, Node, SimIds
from mesos_ref import trace
from mesos_ref.master.config import MasterConfig
from mesos_ref.master.core import MasterCore
from mesos_ref.master.effects import AskElection
from mesos_ref.master.events import Deposed, StreamEnded, Tick
from mesos_ref.step import NOTHING, Effect, Persist, Step


class Plain:
    """A core that does what it is told: keep something, and send something."""

    watched = False

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self.next_deadline: int | None = None

    def handle(self, event: Any, now_us: int) -> Step:
        self.heard.append((now_us, event))
        if isinstance(event, Deposed):
            return Step((Persist("key", event.why), AskElection(2)), (("end_reign", {}),))
        return NOTHING

    def view(self) -> dict[str, Any]:
        return {}

    def take_changes(self) -> dict[str, Any]:
        return {}


class Process(Node):
    """A node around it, which writes down what it does, in order."""

    role = "master"
    tick = Tick()

    def __init__(self) -> None:
        super().__init__(Loop(0), "p", self._listen)
        self.deeds: list[str] = []
        self.core: Plain | None = None

    def _listen(self, incarnation: str, lines: bytes) -> None:
        self.deeds += [f"{incarnation} writes" for line in lines.splitlines() if b'"seq"' in line]

    def start(self) -> Plain:
        ids = trace.RecordedIds(SimIds(self.loop.random("ids")))
        made = Plain()
        self.begin(made, ids, {}, "p")
        return made

    def _keep(self, effect: Persist) -> None:
        self.deeds.append(f"keeps {effect.value}")
        super()._keep(effect)

    def perform(self, effect: Effect) -> None:
        self.deeds.append(f"does {type(effect).__name__}")


DO = Deposed("why")
ONE, TWO = StreamEnded("one"), StreamEnded("two")


def test_a_record_is_written_then_kept_then_done() -> None:
    process = Process()
    process.start()
    process.hear(DO)
    assert process.deeds == ["p.1 writes", "keeps why", "does AskElection"]
    assert process.kept == {"key": "why"}


@pytest.mark.parametrize(
    ("moment", "deeds"),
    [(Moment.UNKEPT, ["p.1 writes"]), (Moment.UNSENT, ["p.1 writes", "keeps why"])],
)
def test_a_process_can_die_between_two_deeds(moment: Moment, deeds: list[str]) -> None:
    process = Process()
    process.start()
    process.doom(moment, process.kill)
    process.hear(DO)
    assert process.deeds == deeds
    assert not process.alive
    process.start()
    process.hear(DO)
    assert process.deeds[-3:] == ["p.2 writes", "keeps why", "does AskElection"]


def test_a_paused_process_hears_everything_when_it_goes_on() -> None:
    process = Process()
    core = process.start()
    core.next_deadline = 50
    process.hear(ONE)
    process.pause()
    process.hear(TWO)
    process.loop.run(100)
    assert [event for _, event in core.heard] == [ONE]
    core.next_deadline = None
    process.resume()
    assert [event for _, event in core.heard] == [ONE, TWO, Tick()]


def test_a_killed_process_hears_nothing_and_its_timer_is_gone() -> None:
    process = Process()
    core = process.start()
    core.next_deadline = 50
    process.hear(ONE)
    process.kill()
    process.hear(TWO)
    process.loop.run(100)
    assert [event for _, event in core.heard] == [ONE]


def test_a_tick_comes_when_the_core_wants_it() -> None:
    process = Process()
    core = process.start()
    core.next_deadline = 70
    process.hear(ONE)
    core.next_deadline = None
    process.loop.run(100)
    assert core.heard == [(0, ONE), (70, Tick())]


def test_a_timer_may_have_run_out_when_it_is_called_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the tick comes for nothing, which is nobody's fault."""
    monkeypatch.setattr(node, "TOO_LATE", 1.0)
    process = Process()
    core = process.start()
    core.next_deadline = 70
    process.hear(ONE)
    core.next_deadline = None
    process.hear(TWO)
    process.loop.run(100)
    assert core.heard == [(0, ONE), (0, TWO), (70, Tick())]
    assert process.astray == []


def test_a_core_that_wants_to_be_woken_should_have_something_to_do() -> None:
    process = Process()
    process._has_idle_timer = False
    core = process.start()
    for may in (1, 0):
        process._may_wake_idly = may
        core.next_deadline = process.loop.now_us + 10
        process.hear(ONE)
        core.next_deadline = None
        assert process.astray == []
        process.loop.run(process.loop.now_us + 10)
    [says] = process.astray
    assert says.startswith("woke up, and there was nothing to do")


def test_ids_are_a_function_of_seed_and_stream() -> None:
    ids = [SimIds(Loop(seed).random(name)).uuid() for seed in (1, 2) for name in ("a", "b")]
    assert len(set(ids)) == 4
    assert ids[0] == SimIds(Loop(1).random("a")).uuid()
    core = MasterCore(MasterConfig(), SimIds(Loop(1).random("a")), ids[0])
    assert core.next_deadline is None
