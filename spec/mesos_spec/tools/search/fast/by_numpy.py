"""The kernel with numpy alone: what `by_numba` does state by state, column by column.

Same arguments, same results, also in order: states are numbered as they are found.  Whatever is
taken from an array is taken with `take`, along one axis: `array[many, w]` costs ten times as much.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesos_spec.tools.search.fast.growing_slowly import grow
from mesos_spec.tools.search.fast.layout import MARK
from mesos_spec.tools.search.fast.tables import UNASKED
from mesos_spec.tools.search.fast.trees import UNKNOWN

__all__ = ["again", "check", "expand", "grow", "index", "look_up", "parent_of", "widen"]

Array = NDArray[Any]
U = np.uint64
_K1, _K2, _K3 = U(0x9E3779B97F4A7C15), U(0xBF58476D1CE4E5B9), U(0x243F6A8885A308D3)
LOW, HIGH = U(0xFFFFFFFF), U(0xFFFFFFFF00000000)
STALE = -3  #: a row to look up again
NODE = 4  #: numbers that a node is: word, shift, mask, where its ways begin
LOST = 1 << 40  #: no row: what lacks a way comes to here, or farther
BATCH = 3 << 15  #: successors collected at once: of few, a call of numpy costs more than its work
AT_ONCE = 1 << 16  #: look-ups done side by side: what is known of so many stays in a near cache


# ---- states, and the table to know them again -------------------------------------------------
def hashed(states: Array) -> Array:
    """The hash of each state."""
    h = np.full(len(states), _K3, U)
    for w in range(states.shape[1]):
        h ^= states[:, w]
        h *= _K1
        h ^= h >> U(32)
    h *= _K2
    h ^= h >> U(29)
    return h


def index(states: Array, n: int, table: Array, size: int) -> None:
    """Put the first `n` states, which all differ, into an empty table of 2**size slots."""
    for lo in range(0, n, 1 << 18):
        hi = min(n, lo + (1 << 18))
        held = hashed(states[lo:hi]) & HIGH | np.arange(lo + 1, hi + 1, dtype=U)
        _put_in(held, table, size)


def widen(old: Array, table: Array, size: int) -> None:
    """Put what is in a table into a larger one of 2**size slots, which is empty."""
    for lo in range(0, len(old), 1 << 18):
        held = old[lo : lo + (1 << 18)]
        _put_in(held[held != 0], table, size)


def _put_in(held: Array, table: Array, size: int) -> None:
    """Put entries into a table; each says by its upper bits where it belongs."""
    slot = (held >> U(64 - size)).view(np.int64)
    while len(held):
        free = np.flatnonzero(table.take(slot) == 0)
        table[slot.take(free)] = held.take(free)
        left = np.flatnonzero(table.take(slot) != held)
        held, slot = held.take(left), (slot.take(left) + 1) & (len(table) - 1)


def add(states: Array, n: int, more: int, table: Array, size: int) -> tuple[int, Array]:
    """Of `more` states that stand behind the first `n`, keep those that are new, in order.

    How many states there are then, and which of the candidates were kept.
    """
    fresh = states[n : n + more]
    h = hashed(fresh)
    mine = h & HIGH
    mine |= np.arange(n + 1, n + more + 1, dtype=U)
    won = np.full(more, -1, np.int64)  # the slot of each that is new
    at, me, slot = np.arange(more), mine, (h >> U(64 - size)).view(np.int64)
    while len(at):
        held = table.take(slot)
        free = np.flatnonzero(held == 0)
        if len(free):
            # the first candidate of several alike must win: numpy lets the last one write
            back = free[::-1]
            there = slot.take(back)
            table[there] = me.take(back)
            held[back] = table.take(there)
        differs = held ^ me
        going = differs > LOW
        near = np.flatnonzero(~going)  # what looks the same; or itself, if it was put in
        which = at.take(near)
        new = np.flatnonzero(differs.take(near) == 0)
        won[which.take(new)] = slot.take(near.take(new))
        other = (held.take(near) & LOW).view(np.int64) - 1
        going[near[~_same(states, other, n + which)]] = True
        on = np.flatnonzero(going)
        at, me, slot = at.take(on), me.take(on), (slot.take(on) + 1) & (len(table) - 1)
    kept = np.flatnonzero(won >= 0)
    now = n + len(kept)
    states[n:now] = fresh.take(kept, axis=0)
    table[won.take(kept)] = mine.take(kept) & HIGH | np.arange(n + 1, now + 1, dtype=U)
    return now, kept


def _same(states: Array, some: Array, others: Array) -> Array:
    """Which of some states are the others."""
    words, width = states.reshape(-1), states.shape[1]
    some, others = some * width, others * width
    same: Array = words.take(some) == words.take(others)
    for _ in range(1, width):
        some += 1
        others += 1
        same &= words.take(some) == words.take(others)
    return same


# ---- decision trees, and the rows at their leaves ---------------------------------------------
def walk(states: Array, at: Array, tree: Array, trees: Any, runs: Sequence[int] = ()) -> Array:
    """The row each of some states comes to, in a tree each; from `LOST` on if to none yet.

    States that lack the same way come to the same number.  From one of `runs` to the next, all
    have the same tree.
    """
    words, here = states.reshape(-1), at * states.shape[1]
    roots = np.where(trees[0] == 0, ~LOST, trees[0])
    found = roots.take(tree)
    for lo, hi in pairwise(runs):
        if lo < hi and found[lo] > 0:
            found[lo:hi] = _step(words, here[lo:hi], found[lo : lo + 1], trees)
    on, few = np.flatnonzero(found > 0), AT_ONCE // 16
    while len(on):
        later = []  # of few, a call of numpy costs more than its work: they are put together
        for lo in range(0, len(on), AT_ONCE):
            some = on[lo : lo + AT_ONCE]
            while len(some) > few:
                some = _go_on(words, here, some, found, trees)
            later.append(some)
        on = np.concatenate(later)
        while 0 < len(on) <= few:
            on = _go_on(words, here, on, found, trees)
    return np.invert(found, out=found)


def _go_on(words: Array, here: Array, on: Array, found: Array, trees: Any) -> Array:
    """Take a step from the nodes that some have `found`; which of them are to go on."""
    found[on] = to = _step(words, here.take(on), found.take(on), trees)
    return on.take(np.flatnonzero(to > 0))


def _step(words: Array, here: Array, ref: Array, trees: Any) -> Array:
    """Where ways lead to from nodes: to a node, to a leaf, or, below all of them, to none."""
    nodes, at = trees[1].reshape(-1), ref * NODE - NODE
    asked = words.take(nodes.take(at).view(np.int64) + here)
    at += 1
    asked >>= nodes.take(at)
    at += 1
    asked &= nodes.take(at)
    at += 1
    asked += nodes.take(at)
    way = asked.view(np.int64)
    found: Array = trees[2].take(way).astype(np.int64)
    if not found.all():
        lost = np.flatnonzero(found == 0)
        found[lost] = -2 - LOST - way.take(lost)
    return found


def settle(states: Array, first: Array, rows: Array, stale: Array, look: Any) -> list[Array]:
    """Look up in `rows`, of the states `first`, what is `stale`; what is missed.

    Of that: state, group, and a number for the way that is lacking.
    """
    (hurry, calm, groups, marked, alone), prompt, trees, flags = look
    needed = np.full(len(rows), groups, np.int16)
    needed[_waits(states, prompt)] = calm
    if marked:
        needed[states[:, 0] & U(MARK) != 0] = hurry
    missed: list[Array] = []
    if alone:
        only = np.zeros_like(stale)
        only[:, 0] = stale[:, 0]
        missed = _find(states, first, rows, only, trees)
        needed[(rows[:, 0] >= 0) & (flags.take(rows[:, 0], mode="clip") & 1 != 0)] = hurry
        blank = np.flatnonzero(rows[:, 0] < 0)
        rows[blank, 1:] = STALE
        stale[blank] = False
        stale[:, 0] = False
    unasked = np.arange(groups, dtype=np.int16) >= needed[:, None]
    unasked &= stale
    np.copyto(rows, UNASKED, where=unasked)
    stale ^= unasked
    return missed + _find(states, first, rows, stale, trees)


def _find(states: Array, number: Array, rows: Array, stale: Array, trees: Any) -> list[Array]:
    """Look up what is `stale`, group by group; what is missed."""
    by_group = np.ascontiguousarray(stale.T)
    many = np.count_nonzero(by_group, axis=1)
    group = np.repeat(np.arange(len(many)), many)
    at = np.flatnonzero(by_group) - group * len(rows)
    row = walk(states, at, group, trees, [0, *many.cumsum().tolist()])
    bad = np.flatnonzero(row >= LOST)
    missed = np.stack([number.take(at.take(bad)), group.take(bad), row.take(bad)], axis=1)
    row[bad] = UNKNOWN
    rows.reshape(-1)[at * rows.shape[1] + group] = row
    return [missed] if len(bad) else []


def _waits(states: Array, prompt: Array) -> Array:
    """Which states have prompt mail."""
    waits = np.zeros(len(states), bool)
    for w in np.flatnonzero(prompt):
        waits |= states[:, w] & prompt[w] != 0
    return waits


def _put(missed: Array, found: list[Array]) -> int:
    """Write what is missed, group by group, into `missed`, state by state."""
    if not found:
        return 0
    every = np.concatenate(found)
    missed[: len(every)] = every.take(every[:, 0].argsort(kind="stable"), axis=0)
    return len(every)


def look_up(
    states: Array, lo: int, hi: int, rows: Array, base: int, look: Any, missed: Array
) -> tuple[int, int]:
    """Look up the rows of states from `lo` on; how far, and how many were missed."""
    hi = min(hi, lo + min(BATCH, len(missed) // look[0][2]))
    mine = rows[lo - base : hi - base]
    found = settle(states[lo:hi], np.arange(lo, hi), mine, mine == STALE, look)
    return hi, _put(missed, found)


def again(states: Array, pairs: Array, rows: Array, base: int, look: Any, missed: Array) -> int:
    """Look up what was missed before; how many still are."""
    rows[pairs[:, 0] - base, pairs[:, 1]] = STALE
    t = np.unique(pairs[:, 0])
    mine = rows.take(t - base, axis=0)
    found = settle(states.take(t, axis=0), t, mine, mine == STALE, look)
    rows[t - base] = mine
    return _put(missed, found)


# ---- successors -----------------------------------------------------------------------------
def successors(
    states: Array, lo: int, hi: int, rows: Array, room: int, look: Any, row_table: Any,
    counts: Any = None, stuck: Any = None,
) -> tuple[int, Array, Array]:  # fmt: skip
    """(How far, parent, effect) of each way on from states from `lo` on, at most `room`.

    `rows` are those of these states.
    """
    (hurry, calm, groups, marked, alone), prompt, _, flags = look
    row_start, row_effect, row_need, row_got = row_table
    needed = np.full(hi - lo, groups, np.int16)
    needed[_waits(states[lo:hi], prompt)] = calm
    cut = np.zeros(hi - lo, bool)
    if marked:
        cut |= states[lo:hi, 0] & U(MARK) != 0
    if alone:
        cut |= flags.take(rows[:, 0]) & 1 != 0
    needed[cut] = 0
    live = np.arange(groups, dtype=np.int16) < needed[:, None]
    live[:, :hurry] = False
    live &= rows > 0  # row 0 is empty
    flat = np.flatnonzero(live)
    whose, row = flat // groups, rows.reshape(-1).take(flat).astype(np.int64)
    begin = row_start.take(row)
    each = row_start.take(row + 1) - begin
    total = each.cumsum()
    if len(total) and total[-1] > room:
        far = int(whose[np.searchsorted(total, room, side="right")])
        return successors(states, lo, lo + far, rows[:far], room, look, row_table, counts, stuck)
    if counts is not None:
        ends = ~cut
        ends[whose[each > 0]] = False
        found = np.flatnonzero(ends)
        stuck[: len(found)] = lo + found
        fault = _unserved(whose, row, row_need, row_got)
        if fault >= 0 and counts[3] < 0:
            counts[3] = lo + fault
        counts[:3] += int(each.sum()), int(cut.sum()), len(found)
    begin -= total
    begin += each
    at = np.repeat(begin, each)
    at += np.arange(len(at))
    return hi, np.repeat(whose + lo, each), row_effect.take(at)


def _unserved(whose: Array, row: Array, row_need: Array, row_got: Array) -> int:
    """The first of some states (`whose`, in order) with a row that needs what none gets, or -1."""
    some = np.flatnonzero((row_need | row_got).any(axis=1).take(row))
    whose, row = whose.take(some), row.take(some)
    begin = np.flatnonzero(np.diff(whose, prepend=-1))
    if not len(begin):
        return -1
    first = len(begin)
    for w in range(row_need.shape[1]):
        need = np.bitwise_or.reduceat(row_need[:, w].take(row), begin)
        need &= ~np.bitwise_or.reduceat(row_got[:, w].take(row), begin)
        faults = np.flatnonzero(need)
        if len(faults):
            first = min(first, int(faults[0]))
    return int(whose[begin[first]]) if first < len(begin) else -1


def check(
    states: Array, steps: Array, lo: int, hi: int, look: Any, know: Any, unsure: Array
) -> int:
    """Check the steps `lo` to `hi`; those that are not known to pass are `unsure`.

    Those are (state, effect, which of its checks, a number for the way that is lacking).
    """
    whose, effect = np.ascontiguousarray(steps[lo:hi, :2].T)
    return _check(states, whose, effect, know, unsure)


def _check(states: Array, whose: Array, effect: Array, know: Any, unsure: Array) -> int:
    """Check steps from the states `whose`, with an effect each."""
    begin, many, check_of, trees = know[2]
    each = many.take(effect)
    step = np.repeat(np.arange(len(whose)), each)
    at = np.repeat(begin.take(effect) - (each.cumsum() - each), each)
    at += np.arange(len(step))
    asked = check_of.take(at)
    row = walk(states, whose.take(step), asked, trees)
    bad = np.flatnonzero(row >= LOST)
    lost, first = np.unique(step[bad], return_index=True)
    at, bad = at[bad[first]], bad[first]
    n = len(lost)
    unsure[:n, 0], unsure[:n, 1] = whose[lost], effect[lost]
    unsure[:n, 2] = at - begin[effect[lost]]
    unsure[:n, 3] = row[bad] * 1_000_003 + asked[bad]
    return n


def expand(
    states: Array, n: int, lo: int, hi: int, rows: Array, base: int, next_rows: Array,
    next_base: int, look: Any, know: Any, table: Array, size: int, scratch: Any, missed: Array,
    unsure: Array, stuck: Array, counts: Array,
) -> tuple[int, int, int]:  # fmt: skip
    """Expand states from `lo` on; how far, how many states there are now, how many rows missed."""
    groups = look[0][2]
    row_table, (keep, value, touches), _ = know
    room = min(len(states) - n, len(next_rows) - (n - next_base), len(missed) // groups)
    room = min(room, len(unsure))
    hi = min(hi, lo + len(stuck))
    mine = rows[lo - base : hi - base]
    lo, whose, effect = successors(states, lo, hi, mine, room, look, row_table, counts, stuck)
    more = len(effect)
    if not more:
        return lo, n, 0
    counts[5] = _check(states, whose, effect, know, unsure)
    after = states.take(whose, axis=0)
    after &= keep.take(effect, axis=0)
    after |= value.take(effect, axis=0)
    states[n : n + more] = after
    now, kept = add(states, n, more, table, size)
    parent, effect = whose.take(kept) - base, effect.take(kept)
    fresh = next_rows[n - next_base : now - next_base]
    fresh[:] = rows.take(parent, axis=0)
    touched = touches.take(effect, axis=0).view(np.uint8)
    stale = np.unpackbits(touched, axis=1, count=groups, bitorder="little").view(bool)
    stale |= fresh < 0
    found = settle(states[n:now], np.arange(n, now), fresh, stale, look)
    return lo, now, _put(missed, found)


def parent_of(
    states: Array, lo: int, hi: int, rows: Array, base: int, target: int, look: Any, know: Any
) -> int:
    """The first of some states that has `target` as a successor; -1 if none has."""
    row_table, (keep, value, _), _ = know
    mine = rows[lo - base : hi - base]
    _, whose, effect = successors(states, lo, hi, mine, 1 << 62, look, row_table)
    after = states.take(whose, axis=0) & keep.take(effect, axis=0) | value.take(effect, axis=0)
    at = np.flatnonzero((after == states[target]).all(axis=1))
    return int(whose[at[0]]) if len(at) else -1
