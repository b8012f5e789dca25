"""Wanted work as a pure state machine: items, their attempts, and when an item is done.

A task is not what its owner wants; an *item* is: work to be done once, by as many tasks as it
takes. Each task is an *attempt*. One that ends without TASK_FINISHED is followed by another. An
attempt that is out of sight (TASK_UNREACHABLE, TASK_UNKNOWN) counts as ended, so an item may run
twice; the first attempt that finishes settles it.

What happens is an `Entry`. The state is what the entries so far add up to, so a journal of entries
is all there is to keep: `Items` read from any prefix of it is what `Items` was then.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

import msgspec

from mesos_ref.wire.v1 import TERMINAL_STATES, TaskStatus

#: States after which an attempt is not waited for any more.
OVER = TERMINAL_STATES | {"TASK_UNREACHABLE", "TASK_UNKNOWN"}


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """Something to be done: a shell command, and what it needs (`mem_mb` in MiB)."""

    name: str
    command: str
    cpus: float = 0.1
    mem_mb: float = 32.0


# Entries ------------------------------------------------------------------------------------------


class Wanted(msgspec.Struct, frozen=True, tag="wanted", tag_field="entry"):
    """This is to be done."""

    item: Item


class Attempt(msgspec.Struct, frozen=True, tag="attempt", tag_field="entry"):
    """A task is about to be launched for an item. Kept before the launch leaves."""

    item: str
    task: str
    agent: str


class Ended(msgspec.Struct, frozen=True, tag="ended", tag_field="entry"):
    """An attempt is over. Kept before its update is acknowledged.

    `own_fault`: the item itself failed, rather than what it ran on.
    """

    task: str
    state: str
    own_fault: bool = False


class Kept(msgspec.Struct, frozen=True, tag="kept", tag_field="entry"):
    """What the scheduler core wants kept; None: forgotten."""

    key: str
    value: Any


Entry: TypeAlias = Wanted | Attempt | Ended | Kept


def ended_of(status: TaskStatus) -> Ended:
    """What an update that ends an attempt comes to."""
    own = status.state == "TASK_ERROR" or (
        status.state == "TASK_FAILED" and status.source == "SOURCE_EXECUTOR"
    )
    return Ended(status.task_id, status.state, own)


# State --------------------------------------------------------------------------------------------


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far it is. `wanted` = `done` + `given_up` + `running` + `waiting`."""

    wanted: int
    done: int
    given_up: int
    #: Items with an attempt under way, and without.
    running: int
    waiting: int
    #: Tasks launched so far, and those of them that ended without being finished.
    attempts: int
    lost: int


class Items:
    """All items and attempts. Changed by `apply` alone, which takes entries in any order they were
    written in; an entry that says nothing new changes nothing.
    """

    def __init__(self, entries: Iterable[Entry] = (), max_failures: int = 10) -> None:
        #: An item that has failed so often by its own fault is given up.
        self.max_failures = max_failures
        #: Name -> item, in the order they were wanted.
        self.wanted: dict[str, Item] = {}
        #: Names of items without an attempt under way that need one, first come first served.
        self.waiting: dict[str, None] = {}
        self.done: set[str] = set()
        self.given_up: set[str] = set()
        #: Task -> its attempt, of attempts that are not over.
        self.live: dict[str, Attempt] = {}
        self.kept: dict[str, Any] = {}
        self.attempts = 0
        self.lost = 0
        #: Items that more than one attempt has finished.
        self.twice: set[str] = set()
        self._item_of: dict[str, str] = {}
        #: Item -> its live tasks.
        self._live_of: dict[str, dict[str, None]] = {}
        self._finished: set[str] = set()
        self._failures: dict[str, int] = {}
        for entry in entries:
            self.apply(entry)

    def apply(self, entry: Entry) -> None:
        """Let it have happened."""
        match entry:
            case Wanted(item):
                if item.name not in self.wanted:
                    self.wanted[item.name] = item
                    self.waiting[item.name] = None
            case Attempt():
                self._apply_attempt(entry)
            case Ended():
                self._apply_end(entry)
            case Kept(key, None):
                self.kept.pop(key, None)
            case Kept(key, value):
                self.kept[key] = value

    def _apply_attempt(self, attempt: Attempt) -> None:
        if attempt.item in self.wanted and attempt.task not in self._item_of:
            self._item_of[attempt.task] = attempt.item
            self.live[attempt.task] = attempt
            self._live_of.setdefault(attempt.item, {})[attempt.task] = None
            self.attempts += 1
            self.waiting.pop(attempt.item, None)

    def _apply_end(self, ended: Ended) -> None:
        """An attempt may end more than once: unreachable, then finished after all."""
        name = self._item_of.get(ended.task)
        if name is None or ended.task in self._finished:
            return
        was_live = self.live.pop(ended.task, None) is not None
        self._live_of.get(name, {}).pop(ended.task, None)
        if ended.state == "TASK_FINISHED":
            self._finish(name, ended.task, was_live)
            return
        if not was_live:
            return
        self.lost += 1
        if ended.own_fault:
            self._failures[name] = self._failures.get(name, 0) + 1
        if name in self.done or name in self.given_up:
            return
        if self._failures.get(name, 0) >= self.max_failures:
            self.given_up.add(name)
        elif not self._live_of[name]:
            self.waiting[name] = None

    def _finish(self, name: str, task: str, was_live: bool) -> None:
        self._finished.add(task)
        if not was_live:
            self.lost -= 1
        if name in self.done:
            self.twice.add(name)
        self.done.add(name)
        self.given_up.discard(name)
        self.waiting.pop(name, None)

    # Asking -------------------------------------------------------------------------------------

    @property
    def is_settled(self) -> bool:
        """Whether nothing is left to be tried."""
        return len(self.done) + len(self.given_up) == len(self.wanted)

    def is_news(self, status: TaskStatus) -> bool:
        """Whether an update ends an attempt that was thought alive, or finishes one after all."""
        if status.task_id in self.live:
            return status.state in OVER
        return (
            status.state == "TASK_FINISHED"
            and status.task_id in self._item_of
            and status.task_id not in self._finished
        )

    def rivals(self, task: str) -> list[str]:
        """The other live tasks of this task's item: needless once it has finished."""
        return list(self._live_of.get(self._item_of.get(task, ""), {}))

    def progress(self) -> Progress:
        """The numbers now."""
        settled = len(self.done) + len(self.given_up)
        return Progress(
            wanted=len(self.wanted),
            done=len(self.done),
            given_up=len(self.given_up),
            running=len(self.wanted) - settled - len(self.waiting),
            waiting=len(self.waiting),
            attempts=self.attempts,
            lost=self.lost,
        )

    def recovered(self) -> dict[str, Any]:
        """What a scheduler core is to know when it starts anew."""
        tasks = {task: attempt.agent for task, attempt in self.live.items()}
        return {**self.kept, "tasks": tasks}
