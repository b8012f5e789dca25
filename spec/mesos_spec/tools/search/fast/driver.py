"""The fast search: level by level, so that whatever it finds is found by a shortest way.

A level is expanded by the kernel, a stretch at a time.  The states it adds belong to the next
level; the rows of both levels' states are kept, so that a new state's rows are its parent's but for
those that the step touched.  Rows that are missed are asked for before the level is done.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from mesos_spec.kernel import Cells, Model, show
from mesos_spec.tools.search.checker import DEADLOCK, HEADS, Limits, Progress, Result
from mesos_spec.tools.search.fast.machine import MISSES, SAMPLE, Machine
from mesos_spec.tools.search.fast.saved import COUNTS, load, save
from mesos_spec.tools.search.fast.stepping import Answer, Flaw, flaw_of
from mesos_spec.tools.search.fast.two import TwoCores
from mesos_spec.tools.search.fast.ways import Ways
from mesos_spec.tools.search.worlds import Asked, Plain, Raised

S = TypeVar("S", bound=Cells)
Array = NDArray[Any]

REGROUP = (5_000, 40_000)  #: states at which questions are grouped anew
STRETCH = 1 << 15  #: states given to the kernel at once
AT_ONCE = 1 << 17  #: the same where two cores share them
STALE = -3


def kernel_named(name: str) -> ModuleType:
    """The kernel `numpy` or `numba`.  Raises ImportError where that library is not installed."""
    return import_module(f"mesos_spec.tools.search.fast.by_{name}")


class FastSearch(Generic[S]):
    """One search; begun where the one in the file `resume` was, if that is given.

    With two `jobs`, two cores are used, if the kernel can: the compiled one.  Raises `saved.Unfit`
    if it cannot be resumed.
    """

    def __init__(
        self,
        model: Model[S],
        limits: Limits,
        kernel: ModuleType,
        resume: Path | None = None,
        jobs: int = 1,
    ) -> None:
        self.model, self.limits, self.kernel = model, limits, kernel
        self.machine = Machine(model, kernel)
        self.levels = [0]  # where each level begins
        self.level_end = 1  # where the level that is being expanded ends
        self.level_counts: dict[str, Any] = {}  # as they were when it began
        self.at = 0  # the state to expand next
        self.steps = self.cut = self.deadlocks = 0
        self.deadlock: int | None = None
        self.taken: Counter[str] = Counter()
        self.guards: Counter[Asked] = Counter()
        self.witnesses: dict[str, int] = {}
        self.flaws: list[tuple[int, int, Flaw]] = []  # length of the way, state, what is wrong
        self.rows = self._fresh_rows(1)
        self.next_rows = self._fresh_rows(1)
        self.unsure = np.zeros((0, 4), np.int64)  # steps that are to be checked
        self._regroup_at = [*REGROUP]
        self._reported = 0
        self.two = TwoCores(self) if jobs > 1 and hasattr(kernel, "collect") else None
        if resume is not None:
            load(self, resume)

    # ---- the search ----------------------------------------------------------------------------
    def run(self, keep: Path | None = None) -> Result[S]:
        """Search to the end, to the first thing broken, or to a limit.

        A search that reached a limit is written to the file `keep`, if that is given.
        """
        try:
            stopped = self._go()
        finally:
            if self.two is not None:
                self.two.pool.shutdown()
        if stopped and keep is not None:
            save(self, keep)
        return self.result(stopped)

    def _go(self) -> str:
        machine = self.machine
        if self.at == 0:
            self._look_up(0, 1, self.rows, 0)
        while self.at < machine.store.n and not self._is_broken():
            self.level_counts = {name: getattr(self, name) for name in COUNTS}
            stopped = self._level(self.levels[-1], self.level_end)
            if stopped:
                return stopped
            self.levels.append(self.level_end)
            self.level_end = machine.store.n
            self.rows, self.next_rows = self.next_rows, self.rows
            if (
                self._regroup_at
                and self.level_end > self._regroup_at[0]
                and self.at < self.level_end
            ):
                self._regroup_at = [at for at in self._regroup_at if at >= self.level_end]
                self._regroup(self.at)
            if self._limit_of_depth():
                return f"depth {len(self.levels) - 1} is enough"
        return ""

    def _limit_of_depth(self) -> bool:
        most = self.limits.max_depth
        return most is not None and len(self.levels) > most and self.at < self.machine.store.n

    def _level(self, lo: int, hi: int) -> str:
        """Expand a level; why the search must stop, if it must."""
        while self.at < hi:
            most = STRETCH if self.two is None else AT_ONCE
            stretch = min(most, max(256, self.at // 4), hi - self.at)
            expand = self._expand if self.two is None else self.two.expand
            expand(lo, self.at, self.at + stretch, hi)
            stopped = self._stopped()
            if stopped:
                return stopped
        return ""

    def _expand(self, base: int, lo: int, hi: int, next_base: int) -> None:
        machine, kernel = self.machine, self.kernel
        while lo < hi:
            store = machine.store
            buffer = max(kernel.BATCH, 2 * machine.most)
            self._make_room(buffer, next_base)
            missed = self._missed(buffer)
            counts = np.array([0, 0, 0, -1, machine.most, 0], np.int64)
            unsure = self._unsure(buffer)
            stuck = np.zeros(STRETCH, np.int64)
            lo, n, misses = kernel.expand(
                *(store.states, store.n, lo, hi, self.rows, base, self.next_rows, next_base),
                *(machine.look, machine.know, store.table, store.size),
                *(self._scratch(buffer), missed, unsure, stuck, counts),
            )
            store.n = int(n)
            self.at = int(lo)
            self._count(counts, stuck)
            if misses:
                self._resolve(missed[:misses].copy(), self.next_rows, next_base)
            if counts[5]:
                self._check(unsure[: counts[5]].copy())

    def _make_room(self, buffer: int, next_base: int) -> None:
        store = self.machine.store
        store.make_room(self.kernel, 4 * buffer)
        wanted = store.n - next_base + 4 * buffer
        if wanted > len(self.next_rows):
            grown = self._fresh_rows(max(wanted, 2 * len(self.next_rows)))
            grown[: store.n - next_base] = self.next_rows[: store.n - next_base]
            self.next_rows = grown

    def _fresh_rows(self, states: int) -> Array:
        return np.empty((states, len(self.machine.groups)), np.int32)

    def _missed(self, states: int, all_rows: bool = True) -> Array:
        """Room for what so many states may miss: of all rows, or of one of each."""
        wanted = max(MISSES, 2 * states * (len(self.machine.groups) if all_rows else 1))
        if len(self.machine.missed) < wanted:
            self.machine.missed = np.zeros((wanted, 3), np.int64)
        return self.machine.missed

    def _unsure(self, buffer: int) -> Array:
        if len(self.unsure) < 4 * buffer:
            self.unsure = np.zeros((4 * buffer, 4), np.int64)
        return self.unsure

    def _scratch(self, buffer: int) -> Any:
        words = self.machine.store.words
        held = getattr(self, "_buffers", None)
        if held is None or held[0].shape != (buffer, words):
            held = self._buffers = (
                np.zeros((buffer, words), np.uint64),
                np.zeros(buffer, np.uint64),
                np.zeros((buffer, 2), np.int64),
            )
        return held

    def _count(self, counts: Array, stuck: Array) -> None:
        self.steps += int(counts[0])
        self.cut += int(counts[1])
        if counts[2]:
            self._stuck(stuck[: counts[2]].tolist())
        if counts[3] >= 0:
            self._unserved(int(counts[3]))

    # ---- rows that are not known -----------------------------------------------------------
    def _look_up(self, lo: int, hi: int, rows: Array, base: int) -> bool:
        """Look up all rows of some states; False if all has begun again meanwhile."""
        rows[lo - base : hi - base] = STALE
        machine = self.machine
        while lo < hi:
            missed = self._missed(self.kernel.BATCH)
            lo, misses = self.kernel.look_up(
                machine.store.states, lo, hi, rows, base, machine.look, missed
            )
            if misses and not self._resolve(missed[:misses].copy(), rows, base):
                return False
        return True

    def _resolve(self, pairs: Array, rows: Array, base: int) -> bool:
        """Ask for rows that were missed until none is, or the specification is found at fault.

        False if all has begun again, and `rows` are nobody's any more.
        """
        machine = self.machine
        while len(pairs):
            if self._is_wrong():
                self._give_up(pairs, rows, base)
                break
            if machine.teach(one_of_each(pairs[:, 2] * 1_000_003 + pairs[:, 1], pairs), self._tell):
                self.begin_again()
                return False
            missed = self._missed(len(pairs), machine.plan[4])
            left = self.kernel.again(machine.store.states, pairs, rows, base, machine.look, missed)
            pairs = missed[:left].copy()
        return True

    def _give_up(self, pairs: Array, rows: Array, base: int) -> None:
        """Let nothing follow from what nobody can answer: the level is expanded to its end."""
        at = np.unique(pairs[:, 0]) - base
        part = rows[at]
        part[part < 0] = 0
        rows[at] = part

    def _check(self, steps: Array) -> None:
        """Ask the claims about steps (state, effect) until each is known to hold, or not."""
        machine = self.machine
        while len(steps) and not self._is_wrong():
            broken, void = machine.check(one_of_each(steps[:, 3], steps), self._tell)
            for state in broken:
                self._broken_step(state)
            if void:
                self.begin_again()
            left = self.unsure[: len(steps)]
            n = self.kernel.check(
                machine.store.states, steps, 0, len(steps), machine.look, machine.know, left
            )
            steps = left[:n].copy()

    def _is_wrong(self) -> bool:
        """Whether the specification itself was found at fault: then nothing more is checked."""
        return any(flaw.wrong is not None for _, _, flaw in self.flaws)

    def _broken_step(self, state: int) -> None:
        """Find the step from a state that breaks a claim, as the plain search does."""
        for step in Plain(self.model).steps(self.state(state)):
            if isinstance(step, Raised) or step.breaks is None:
                continue
            self._note(state, flaw_of(*step.breaks, (step.action, step.bound)))
            return
        raise AssertionError(f"no step from state {state} breaks a claim")

    def begin_again(self) -> None:
        """Look up all rows of this level's states and the next's: there are other groups now."""
        lo, end, n = self.levels[-1], self.level_end, self.machine.store.n
        self.rows, self.next_rows = (
            self._fresh_rows(max(end - lo, 1)),
            self._fresh_rows(n - end + 1),
        )
        if self._look_up(self.at, end, self.rows, lo):
            self._look_up(end, n, self.next_rows, end)

    def _regroup(self, base: int) -> None:
        """Group questions by states of the level that comes next, and look up its rows again."""
        n = self.machine.store.n
        chosen = np.random.default_rng(1).integers(base, n, SAMPLE)
        self.machine.regroup(np.unique(chosen))
        self.rows, self.next_rows = self._fresh_rows(n - base), self._fresh_rows(1)
        self._look_up(base, n, self.rows, base)

    # ---- what is found out -----------------------------------------------------------------
    def depth_of(self, state: int) -> int:
        """The length of a shortest way to a state."""
        beyond = self.levels[-1] < self.level_end <= state
        return bisect_right(self.levels, state) - 1 + beyond

    def _tell(self, state: int, name: str, answer: Answer) -> None:
        """An answer that was not given before, first needed in `state`."""
        self.taken[name] += answer.taken
        for guard, held in answer.asked:
            self.guards[name, guard, held] += 1
        if answer.seen:
            self.witnesses.setdefault(answer.seen, state)
        if answer.flaw is not None:
            self._note(state, answer.flaw)

    def _note(self, state: int, flaw: Flaw) -> None:
        length = self.depth_of(state) + (flaw.step is not None)
        self.flaws.append((length, state, flaw))

    def _is_broken(self) -> bool:
        """Whether something is wrong that no shorter way can be found to."""
        return any(length <= len(self.levels) for length, _, _ in self.flaws)

    def _stuck(self, states: list[int]) -> None:
        """States in which nothing is possible: note them, unless the model calls them an end."""
        quiescent = self.model.quiescent
        for state in states:
            if quiescent is None or not quiescent(self.state(state)):
                self.deadlocks += 1
                if self.deadlock is None:
                    self.deadlock = state
                if quiescent is not None:
                    self._note(state, Flaw(DEADLOCK, {}, f"{DEADLOCK} does not hold"))

    def _unserved(self, state: int) -> None:
        """A state in which there is mail that no step takes."""
        machine, at = self.machine, state - self.levels[-1]
        table = machine.tables
        calm = bool((machine.store.states[state] & machine.prompt == 0).all())
        groups = range(machine.plan[0], machine.plan[2] if calm else machine.plan[1])
        need = got = 0
        for g in groups:
            row = int(self.rows[at, g])
            need |= _whole(table.row_need.held[row])
            got |= _whole(table.row_got.held[row])
        lacking = need & ~got
        bit = (lacking & -lacking).bit_length() - 1
        cell, message = machine.asker.named_letter(bit)
        if message is None:
            message = self.state(state).look(cell).mail[0]
        bound = {"channel": show(cell), "message": message}
        names = ", ".join(f"{name}={value}" for name, value in bound.items())
        self._note(state, Flaw(HEADS, bound, f"{HEADS} does not hold for {names}"))

    def state(self, number: int) -> S:
        """A state, unpacked."""
        machine = self.machine
        (row,) = machine.layout.unpack(machine.store.states[number : number + 1])
        packing = machine.asker.packing
        shown: S = packing.show(packing.widened(tuple(row)))
        return shown.copy()

    # ---- limits and reports ----------------------------------------------------------------
    def _stopped(self) -> str:
        store, limits = self.machine.store, self.limits
        if limits.progress is not None and self.at - self._reported >= 1 << 16:
            self._reported = self.at
            limits.progress(self.progress())
        return limits.reached(store.n)

    @property
    def bytes(self) -> int:
        """What the search holds: states, their table, room for the rows of two levels."""
        return self.machine.store.bytes + self.rows.nbytes + self.next_rows.nbytes

    def progress(self) -> Progress:
        """How far the search is."""
        n = self.machine.store.n
        seconds = self.limits.seconds()
        return Progress(n, self.steps, len(self.levels), n - self.at, seconds)

    def result(self, stopped: str) -> Result[S]:
        """What was found."""
        ways = Ways(self)
        flaw = min(self.flaws, key=lambda found: (found[0], found[1]), default=None)
        n = self.machine.store.n
        return Result(
            model=self.model,
            states=n,
            steps=self.steps,
            depth=self.depth_of(n - 1),
            cut=self.cut,
            finished=not stopped and flaw is None,
            stopped=stopped,
            seconds=self.limits.seconds(),
            taken=+self.taken,
            guards=+self.guards,
            witnesses={name: ways.behaviour(at) for name, at in self.witnesses.items()},
            deadlocks=self.deadlocks,
            deadlock=None if self.deadlock is None else ways.behaviour(self.deadlock),
            broken=None if flaw is None else ways.counterexample(flaw[1], flaw[2]),
        )


def one_of_each(kind: Array, of: Array) -> Array:
    """The first of each kind, in order: what lacks the same answer is asked for once."""
    return of[np.sort(np.unique(kind, return_index=True)[1])]


def _whole(words: Array) -> int:
    return sum(int(word) << 64 * at for at, word in enumerate(words))
