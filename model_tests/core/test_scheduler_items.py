"""Wanted work: what entries add up to, and a journal cut anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from mesos_ref.scheduler.items import (
    OVER,
    Attempt,
    Ended,
    Entry,
    Item,
    Items,
    Kept,
    Wanted,
    ended_of,
)
from mesos_ref.scheduler.journal import JournalError, lines_of, open_journal, read
from mesos_ref.wire.v1 import TaskState, TaskStatus
from model_tests.shell.memory_cluster import MemoryDisk

PATH = Path("/items.ndjson")
NAMES = ["i1", "i2", "i3"]
TASKS = ["t1", "t2", "t3", "t4", "t5"]

ENTRIES: st.SearchStrategy[Entry] = st.one_of(
    st.builds(Wanted, st.builds(Item, name=st.sampled_from(NAMES), command=st.just("é true"))),
    st.builds(Attempt, st.sampled_from(NAMES), st.sampled_from(TASKS), st.just("a1")),
    st.builds(Ended, st.sampled_from(TASKS), st.sampled_from(sorted(OVER)), st.booleans()),
    st.builds(Kept, st.just("framework_id"), st.sampled_from([None, "F1"])),
)


def wanted(*names: str) -> list[Entry]:
    return [Wanted(Item(name=name, command="true")) for name in names]


def snapshot(items: Items) -> tuple[object, ...]:
    """All that can be seen of items."""
    return (items.progress(), sorted(items.done), sorted(items.given_up), items.recovered())


# Items --------------------------------------------------------------------------------------------


def test_an_item_waits_runs_and_is_done() -> None:
    items = Items(wanted("i1", "i2"))
    assert list(items.waiting) == ["i1", "i2"]
    items.apply(Attempt("i1", "t1", "a1"))
    assert list(items.waiting) == ["i2"]
    assert items.recovered() == {"tasks": {"t1": "a1"}}
    items.apply(Ended("t1", "TASK_FINISHED"))
    assert items.done == {"i1"}
    assert items.recovered() == {"tasks": {}}
    assert not items.is_settled


@pytest.mark.parametrize("state", sorted(OVER - {"TASK_FINISHED"}))
def test_an_attempt_that_comes_to_nothing_is_followed_by_another(state: str) -> None:
    items = Items([*wanted("i1"), Attempt("i1", "t1", "a1"), Ended("t1", state)])
    assert list(items.waiting) == ["i1"]
    assert items.progress().lost == 1


def test_an_attempt_out_of_sight_may_finish_after_all() -> None:
    """Then its successor is needless, and if that finishes too, the item ran twice."""
    items = Items([*wanted("i1"), Attempt("i1", "t1", "a1"), Ended("t1", "TASK_UNREACHABLE")])
    items.apply(Attempt("i1", "t2", "a2"))
    items.apply(Ended("t1", "TASK_FINISHED"))
    assert items.done == {"i1"}
    assert items.is_settled
    assert items.rivals("t1") == ["t2"]
    assert items.twice == set()
    assert items.progress().lost == 0
    items.apply(Ended("t2", "TASK_FINISHED"))
    assert items.twice == {"i1"}


def test_only_its_own_faults_give_an_item_up() -> None:
    items = Items(wanted("i1"), max_failures=2)
    for task, own in (("t1", False), ("t2", True), ("t3", False), ("t4", True)):
        assert not items.is_settled
        items.apply(Attempt("i1", task, "a1"))
        items.apply(Ended(task, "TASK_FAILED", own))
    assert items.given_up == {"i1"}
    assert items.is_settled


@pytest.mark.parametrize(
    ("state", "source", "own"),
    [
        ("TASK_FAILED", "SOURCE_EXECUTOR", True),
        ("TASK_FAILED", "SOURCE_AGENT", False),
        ("TASK_ERROR", "SOURCE_MASTER", True),
        ("TASK_KILLED", "SOURCE_EXECUTOR", False),
        ("TASK_LOST", "SOURCE_MASTER", False),
    ],
)
def test_whose_fault_it_was(state: TaskState, source: str, own: bool) -> None:
    status = TaskStatus(task_id="t", state=state, source=source)  # type: ignore[arg-type]
    assert ended_of(status) == Ended("t", state, own)


@pytest.mark.parametrize(
    ("entries", "state", "is_news"),
    [
        ([], "TASK_RUNNING", False),
        ([], "TASK_FAILED", True),
        ([], "TASK_UNREACHABLE", True),
        ([Ended("t1", "TASK_UNREACHABLE")], "TASK_UNREACHABLE", False),
        ([Ended("t1", "TASK_UNREACHABLE")], "TASK_FAILED", False),
        ([Ended("t1", "TASK_UNREACHABLE")], "TASK_FINISHED", True),
        ([Ended("t1", "TASK_FINISHED")], "TASK_FINISHED", False),
    ],
)
def test_what_is_news(entries: list[Entry], state: TaskState, is_news: bool) -> None:
    items = Items([*wanted("i1"), Attempt("i1", "t1", "a1"), *entries])
    assert items.is_news(TaskStatus(task_id="t1", state=state)) is is_news
    assert not items.is_news(TaskStatus(task_id="foreign", state=state))


@given(st.lists(ENTRIES, max_size=30))
def test_any_entries_add_up(entries: list[Entry]) -> None:
    items = Items(max_failures=2)
    done_before: set[str] = set()
    for entry in entries:
        items.apply(entry)
        p = items.progress()
        assert p.wanted == p.done + p.given_up + p.running + p.waiting
        assert min(p.running, p.waiting, p.lost) >= 0
        assert items.done.isdisjoint(items.given_up)
        assert items.done.isdisjoint(items.waiting)
        assert done_before <= items.done, "what is done stays done"
        done_before = set(items.done)
        before = snapshot(items)
        items.apply(entry)
        assert snapshot(items) == before, "an entry read twice says nothing new"


# The journal --------------------------------------------------------------------------------------


@given(st.lists(ENTRIES, max_size=8))
def test_a_journal_cut_anywhere_is_an_earlier_journal(entries: list[Entry]) -> None:
    """A kill at any byte: what had been returned from is there, the torn line is not."""
    data = lines_of(entries)
    for cut in range(len(data) + 1):
        survived, is_torn = read(data[:cut])
        assert survived == entries[: len(survived)]
        assert len(lines_of(survived)) <= cut
        assert is_torn is (len(lines_of(survived)) < cut)
        assert len(survived) == data[:cut].count(b"\n")


@given(entries=st.lists(ENTRIES, min_size=1, max_size=8), data=st.data())
def test_a_torn_journal_is_mended_and_goes_on(entries: list[Entry], data: st.DataObject) -> None:
    disk = MemoryDisk()
    whole = lines_of(entries)
    disk.files[PATH] = whole[: data.draw(st.integers(0, len(whole)))]
    survived, _ = read(disk.files[PATH])
    more: Sequence[Entry] = [Kept("after", "the crash")]

    async def go_on() -> Items:
        journal = await open_journal(disk, PATH, [])
        assert snapshot(journal.items) == snapshot(Items(survived))
        await journal.append(more)
        await journal.aclose()
        return journal.items

    items = trio.run(go_on)
    assert read(disk.files[PATH]) == ([*survived, *more], False)
    assert snapshot(items) == snapshot(Items([*survived, *more]))


def test_damage_is_reported_with_its_line() -> None:
    data = lines_of(wanted("i1")) + b'{"entry":"guess"}\n' + lines_of(wanted("i2"))
    with pytest.raises(JournalError, match="line 2 is no entry"):
        read(data)


def test_wanting_the_same_again_adds_nothing_and_other_work_is_refused() -> None:
    disk = MemoryDisk()
    item = Item(name="i1", command="true")

    async def open_with(*items: Item) -> None:
        await (await open_journal(disk, PATH, items)).aclose()

    trio.run(open_with, item)
    first = disk.files[PATH]
    trio.run(open_with, item, item)
    assert disk.files[PATH] == first
    trio.run(open_with, item, Item(name="i2", command="true"))
    assert len(read(disk.files[PATH])[0]) == 2
    with pytest.raises(JournalError, match="item 'i1' is wanted as"):
        trio.run(open_with, Item(name="i1", command="false"))


def test_without_a_path_nothing_is_written() -> None:
    disk = MemoryDisk()

    async def main() -> None:
        journal = await open_journal(disk, None, [Item(name="i1", command="true")])
        await journal.keep({"framework_id": "F"})
        assert journal.items.recovered() == {"framework_id": "F", "tasks": {}}

    trio.run(main)
    assert disk.files == {}
