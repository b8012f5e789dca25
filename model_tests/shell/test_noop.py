"""Executors that are not there: what they do when they are destroyed at a bad moment."""

from __future__ import annotations

from mesos_ref.agent.effects import StartExecutor
from mesos_ref.agent.events import Event, ExecutorExited
from mesos_ref.agent.noop import NoopContainers
from mesos_ref.ports.clock import TrioClock
from mesos_ref.wire import executor as wire
from model_tests.shell.memory_cluster import Ids

START = StartExecutor("c", "F", "E", None, None, None, False, 0, {})


def test_one_destroyed_before_its_subscribe_is_answered_ends_once() -> None:
    """The answer finds it dead: it neither reports anything nor ends a second time."""
    posted: list[Event] = []
    noop = NoopContainers(posted.append, lambda: ("r", ("door", 1)), Ids(0), TrioClock())
    noop.start(START)
    noop.destroy("c")
    assert noop.opens("r", "s")
    assert noop.hears("s", wire.Event(type="SHUTDOWN"))
    assert [each for each in posted if isinstance(each, ExecutorExited)] == [ExecutorExited("c", 9)]
