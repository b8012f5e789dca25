"""The kernel with numpy alone: what `by_numba` does state by state, column by column.

Same arguments, same results, also in order: states are numbered as they are found.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesos_spec.tools.search.fast.layout import MARK
from mesos_spec.tools.search.fast.tables import K1, K2, LEAF, UNASKED, UNKNOWN

Array = NDArray[Any]
U = np.uint64
_K1, _K2, _K3 = U(K1), U(K2), U(0x243F6A8885A308D3)
LOW = U(0xFFFFFFFF)
STALE = -3  #: a row to look up again


def hashed(states: Array) -> Array:
    """The hash of each state."""
    h = np.full(len(states), _K3, U)
    for w in range(states.shape[1]):
        h ^= states[:, w]
        h *= _K1
        h ^= h >> U(32)
    h *= _K2
    return h ^ (h >> U(29))


def index(states: Array, n: int, table: Array, size: int) -> None:
    """Put the first `n` states, which all differ, into an empty table of 2**size slots."""
    for lo in range(0, n, 1 << 18):
        hi = min(n, lo + (1 << 18))
        h = hashed(states[lo:hi])
        held = (h & LOW) << U(32) | np.arange(lo + 1, hi + 1, dtype=U)
        slot = (h >> U(64 - size)).astype(np.int64)
        while len(held):
            free = np.flatnonzero(table[slot] == 0)
            table[slot[free]] = held[free]
            left = np.flatnonzero(table[slot] != held)
            held, slot = held[left], (slot[left] + 1) & (len(table) - 1)


def add(states: Array, n: int, more: int, table: Array, size: int) -> tuple[int, Array]:
    """Of `more` states that stand behind the first `n`, keep those that are new, in order.

    How many states there are then, and which of the candidates were kept.
    """
    fresh = states[n : n + more]
    h = hashed(fresh)
    mine = (h & LOW) << U(32) | np.arange(n + 1, n + more + 1, dtype=U)
    slot = (h >> U(64 - size)).astype(np.int64)
    won = np.full(more, -1, np.int64)  # the slot of each that is new
    at = np.arange(more)
    while len(at):
        held = table[slot]
        free = np.flatnonzero(held == 0)
        if len(free):
            # the first candidate of several alike must win: numpy lets the last one write
            back = free[::-1]
            table[slot[back]] = mine[at[back]]
            held = table[slot]
        ours = held == mine[at]
        won[at[ours]] = slot[ours]
        alike = np.flatnonzero(~ours & (held >> U(32) == mine[at] >> U(32)))
        same = np.zeros(len(at), bool)
        if len(alike):
            other = (held[alike] & LOW).astype(np.int64) - 1
            same[alike] = (states[other] == fresh[at[alike]]).all(axis=1)
        on = np.flatnonzero(~(ours | same))
        at, slot = at[on], (slot[on] + 1) & (len(table) - 1)
    kept = np.flatnonzero(won >= 0)
    count = len(kept)
    states[n : n + count] = fresh[kept]
    table[won[kept]] = mine[kept] >> U(32) << U(32) | np.arange(n + 1, n + count + 1, dtype=U)
    return n + count, kept


def walk(states: Array, at: Array, ref: Array, trees: Any) -> Array:
    """The row each of some states comes to from its root; below 0 if to none yet.

    States that lack the same edge come to the same negative number.
    """
    _, node_mask, edges, down = trees
    found = np.where(ref >= LEAF, ref - LEAF, UNKNOWN)
    who = np.flatnonzero((ref >= 0) & (ref < LEAF))
    node = ref[who]
    last = len(edges) - 1
    while len(who):
        key = np.bitwise_or.reduce(states[at[who]] & node_mask[node], axis=1)
        h = (key ^ (node.astype(U) * _K1)) * _K2
        h ^= h >> U(32)
        lacks = -2 - (h >> U(2)).astype(np.int64)
        slot = ((h * _K1) >> down).astype(np.int64)
        to = edges[slot, 1]
        ours = (to >> U(32)).astype(np.int64) == node + 1
        bad = np.flatnonzero((to != 0) & ~(ours & (edges[slot, 0] == key)))
        while len(bad):
            slot[bad] = (slot[bad] + 1) & last
            step = edges[slot[bad], 1]
            to[bad] = step
            hit = ((step >> U(32)).astype(np.int64) == node[bad] + 1) & (
                edges[slot[bad], 0] == key[bad]
            )
            bad = bad[(step != 0) & ~hit]
        ref_to = (to & LOW).astype(np.int64)
        leaf = ref_to >= LEAF
        found[who[leaf]] = ref_to[leaf] - LEAF
        none = to == 0
        found[who[none]] = lacks[none]
        on = np.flatnonzero((to != 0) & ~leaf)
        who, node = who[on], ref_to[on]
    return found


def settle(states: Array, t: Array, rows: Array, at: Array, look: Any) -> list[Array]:
    """Look up what is `STALE` in the rows `at` of states `t`; what is missed.

    Of that: state, group, and a number for the edge that is lacking.
    """
    (hurry, calm, count, marked, alone), prompt, trees, flags = look
    missed: list[Array] = []
    open_ = np.ones(len(t), bool)  # not beyond the cut
    if marked:
        open_ = states[t, 0] & U(MARK) == 0
    quiet = ~_waits(states, t, prompt)
    for g in range(count):
        part = np.flatnonzero(rows[at, g] == STALE)
        if g >= hurry:
            part = part[open_[part]]
        if g >= calm:
            rows[at[part[~quiet[part]]], g] = UNASKED
            part = part[quiet[part]]
        if len(part):
            row = walk(states, t[part], np.full(len(part), trees[0][g]), trees)
            lost = np.flatnonzero(row < 0)
            if len(lost):
                missed.append(np.stack([t[part[lost]], np.full(len(lost), g), row[lost]], axis=1))
                row[lost] = UNKNOWN
            rows[at[part], g] = row
        if g == 0 and alone:
            first = rows[at, 0]
            open_ = open_ & ((first < 0) | (flags[first] & 1 == 0))
            blank = np.flatnonzero(first < 0)
            if len(blank):
                rows[np.ix_(at[blank], np.arange(1, count))] = STALE
                going = np.flatnonzero(first >= 0)
                t, at, open_, quiet = t[going], at[going], open_[going], quiet[going]
    return missed


def _waits(states: Array, t: Array, prompt: Array) -> Array:
    """Which states have prompt mail."""
    waits = np.zeros(len(t), bool)
    for w in np.flatnonzero(prompt):
        waits |= states[t, w] & prompt[w] != 0
    return waits


def _put(missed: Array, found: list[Array]) -> int:
    """Write what is missed, state by state, into `missed`."""
    if not found:
        return 0
    every = np.concatenate(found)
    every = every[np.lexsort((every[:, 1], every[:, 0]))]
    missed[: len(every)] = every
    return len(every)


def look_up(
    states: Array, lo: int, hi: int, rows: Array, base: int, look: Any, missed: Array
) -> tuple[int, int]:
    """Look up the rows of states from `lo` on; how far, and how many were missed."""
    hi = min(hi, lo + len(missed) // look[0][2])
    t = np.arange(lo, hi)
    return hi, _put(missed, settle(states, t, rows, t - base, look))


def again(states: Array, pairs: Array, rows: Array, base: int, look: Any, missed: Array) -> int:
    """Look up what was missed before; how many still are."""
    rows[pairs[:, 0] - base, pairs[:, 1]] = STALE
    t = np.unique(pairs[:, 0])
    return _put(missed, settle(states, t, rows, t - base, look))


def successors(
    states: Array,
    lo: int,
    hi: int,
    rows: Array,
    base: int,
    room: int,
    look: Any,
    leaves: Any,
    counts: Any = None,
    stuck: Any = None,
) -> tuple[int, Array, Array, Array]:
    """(How far, parent, group, effect) of each way on from states from `lo` on, at most `room`."""
    (hurry, calm, groups, marked, alone), prompt, _, flags = look
    leaf_row, _, _, row_start, row_effect, row_need, row_got = leaves
    t = np.arange(lo, hi)
    cut = np.zeros(hi - lo, bool)
    if marked:
        cut |= states[lo:hi, 0] & U(MARK) != 0
    if alone:
        cut |= flags[rows[lo - base : hi - base, 0]] & 1 != 0
    mine = leaf_row[rows[lo - base : hi - base, hurry:groups]]
    waits = _waits(states, t, prompt)
    mine[np.ix_(waits, np.arange(calm - hurry, groups - hurry))] = 0
    mine[cut] = 0
    number = row_start[mine + 1] - row_start[mine]
    each = number.sum(axis=1)
    total = np.cumsum(each)
    if len(total) and total[-1] > room:
        far = int(np.searchsorted(total, room, side="right"))
        hi, mine, number, each, cut = lo + far, mine[:far], number[:far], each[:far], cut[:far]
    if counts is not None:
        counts[0] += int(each.sum())
        counts[1] += int(cut.sum())
        ends = np.flatnonzero((each == 0) & ~cut)
        stuck[: len(ends)] = lo + ends
        counts[2] += len(ends)
        lacking = np.bitwise_or.reduce(row_need[mine], axis=1)
        lacking &= ~np.bitwise_or.reduce(row_got[mine], axis=1)
        faults = np.flatnonzero(lacking.any(axis=1) & ~cut)
        if len(faults) and counts[3] < 0:
            counts[3] = lo + int(faults[0])
    flat = number.ravel()
    whose = np.repeat(np.arange(lo, hi), each)
    group = np.repeat(np.arange(len(flat)) % (groups - hurry) + hurry, flat)
    begin = np.repeat(row_start[mine].ravel() - (np.cumsum(flat) - flat), flat)
    return hi, whose, group, row_effect[begin + np.arange(len(begin))]


def check(
    states: Array,
    steps: Array,
    lo: int,
    hi: int,
    look: Any,
    know: Any,
    unsure: Array,
    came: Array | None = None,
) -> int:
    """Check the steps `lo` to `hi`; those that are not known to pass are `unsure`.

    Those are (state, effect, which of its checks, a number for the edge that is lacking).  Where
    an effect `came` before, and the step was possible before it, it may matter to few checks.
    """
    begin, many, check_of, root, mask, _ = know[2]
    whose, effect = steps[lo:hi, 0], steps[lo:hi, 1]
    each = many[effect]
    step = np.repeat(np.arange(hi - lo), each)
    at = np.repeat(begin[effect] - (np.cumsum(each) - each), each) + np.arange(len(step))
    asked = check_of[at]
    if came is not None:
        before = came[step]
        matters = (before < 0) | (~know[1][0][before] & mask[asked] != 0).any(axis=1)
        step, at, asked = step[matters], at[matters], asked[matters]
    row = walk(states, whose[step], root[asked], look[2])
    bad = np.flatnonzero(row < 0)
    lost, first = np.unique(step[bad], return_index=True)
    at, bad = at[bad[first]], bad[first]
    n = len(lost)
    unsure[:n, :2] = steps[lo:hi, :2][lost]
    unsure[:n, 2] = at - begin[effect[lost]]
    unsure[:n, 3] = row[bad] * 1_000_003 + asked[bad]
    return n


def found_before(
    mine: Array, kept: Array, group: Array, effect: Array, look: Any, know: Any
) -> Any:
    """Which steps lead to what was found another way for certain.

    `mine` is what is known of the state, `kept` whether the step was possible before the effect
    that led there: then the two in the other order come to the same state, and if that other way
    round came first, it was taken.
    """
    (_, calm, groups, marked, alone), prompt, _, _ = look
    (_, leaf_group, leaf_mask, *_), (keep, _, _), _ = know
    if alone:
        return np.zeros(len(kept), bool)
    came, leaf = mine[:, groups], mine[:, groups + 1]
    before = leaf_group[leaf]
    far = leaf_mask[leaf] | ~keep[came]
    far[before >= calm] |= prompt
    if marked:
        far[:, 0] |= U(MARK)
    return kept & (group < before) & (~keep[effect] & far == 0).all(axis=1)


def inherited(
    states: Array, new: Array, parent: Array, mine: Array, effect: Array, look: Any, know: Any
) -> Array:
    """What is known of new states: as of their parents, but for leaves where a cell read differs.

    `mine` is what is known of their parents, with the leaf the step was on as the last column.
    """
    (_, calm, groups, marked, alone), prompt, _, _ = look
    leaf_mask = know[0][2]
    fresh = mine[:, :-1].copy()
    leaves = fresh[:, :groups]
    differs = states[new] ^ states[parent]
    stale = leaves < 0
    for w in range(states.shape[1]):
        stale |= leaf_mask[:, w][leaves] & differs[:, w, None] != 0
    leaves[stale] = STALE
    kept = ~stale
    kept[:, calm:] &= ~_waits(states, parent, prompt)[:, None]
    fresh[:, groups], fresh[:, groups + 1] = effect, mine[:, -1]
    if alone:
        fresh[:, groups] = UNKNOWN
    elif marked:
        fresh[states[new, 0] & U(MARK) != 0, groups] = UNKNOWN
    for part in range(0, groups, 32):
        some = kept[:, part : part + 32].astype(np.uint32)
        bits = (some << np.arange(some.shape[1], dtype=np.uint32)).sum(axis=1, dtype=np.uint32)
        fresh[:, groups + 2 + part // 32] = bits.view(np.int32)
    return fresh


def expand(
    states: Array,
    n: int,
    lo: int,
    hi: int,
    rows: Array,
    base: int,
    next_rows: Array,
    next_base: int,
    look: Any,
    know: Any,
    table: Array,
    size: int,
    scratch: Any,
    missed: Array,
    unsure: Array,
    stuck: Array,
    counts: Array,
) -> tuple[int, int, int]:
    """Expand states from `lo` on; how far, how many states there are now, how many rows missed."""
    groups = look[0][2]
    leaves, (keep, value, _), _ = know
    room = min(len(states) - n, len(next_rows) - (n - next_base), len(missed) // groups)
    room = min(room, len(unsure))
    hi = min(hi, lo + len(stuck))
    lo, whose, group, effect = successors(
        states, lo, hi, rows, base, room, look, leaves, counts, stuck
    )
    if not len(effect):
        return lo, n, 0
    mine = rows[whose - base]
    came = mine[:, groups]
    bits = np.take_along_axis(mine, groups + 2 + (group >> 5)[:, None], 1)[:, 0]
    kept = (came >= 0) & (bits >> (group & 31) & 1 != 0)
    steps = np.stack([whose, effect], axis=1)
    counts[5] = check(
        states, steps, 0, len(steps), look, know, unsure, np.where(kept, came, UNKNOWN)
    )
    on = np.flatnonzero(~found_before(mine, kept, group, effect, look, know))
    whose, effect, more = whose[on], effect[on], len(on)
    states[n : n + more] = states[whose] & keep[effect] | value[effect]
    now, new = add(states, n, more, table, size)
    parent, on = whose[new], on[new]
    leaf = np.take_along_axis(mine[on], group[on][:, None], 1)
    mine = np.concatenate([mine[on], leaf], axis=1)
    t = np.arange(n, now)
    next_rows[t - next_base] = inherited(states, t, parent, mine, effect[new], look, know)
    return lo, now, _put(missed, settle(states, t, next_rows, t - next_base, look))


def parent_of(
    states: Array, lo: int, hi: int, rows: Array, base: int, target: int, look: Any, know: Any
) -> int:
    """The first of some states that has `target` as a successor; -1 if none has."""
    leaves, (keep, value, _), _ = know
    _, whose, _, effect = successors(states, lo, hi, rows, base, 1 << 62, look, leaves)
    same = (states[whose] & keep[effect] | value[effect] == states[target]).all(axis=1)
    at = np.flatnonzero(same)
    return int(whose[at[0]]) if len(at) else -1
