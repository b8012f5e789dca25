"""The kernel, compiled: expand a stretch of states, add those that are new, look up their rows.

Needs numba (extra `fast`).  What is compiled is kept beside this file, so only the first run waits
for it; numba does not look farther than at this file to see whether that is still true.  Successors
are collected by the thousand, and what is needed to look for one is fetched while others before it
are looked for.
"""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np

from mesos_spec.tools.search.fast.compiling import compiled, within
from mesos_spec.tools.search.fast.fetching import fetch
from mesos_spec.tools.search.fast.growing import ONE, grow
from mesos_spec.tools.search.fast.trees import UNKNOWN

__all__ = [
    "again", "check", "collect", "expand", "grow", "index", "inherit", "insert", "look_up",
    "parent_of", "widen",
]  # fmt: skip

BATCH = 1 << 12  #: successors collected before they are looked for: what the nearest caches hold
FAR, NEAR = 64, 24  #: successors ahead, of which the slot, and the state in it, are fetched
_u8, _i8 = nb.uint64, nb.int64

ZERO, LOW, HIGH = np.uint64(0), np.uint64(0xFFFFFFFF), np.uint64(0xFFFFFFFF00000000)
#: What states are hashed with.
K1, K2 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9)
K3 = np.uint64(0x243F6A8885A308D3)
S29, S32, WIDE = np.uint64(29), np.uint64(32), np.uint64(63)
NO_WAY = np.uint64((1 << 64) - 1)  #: from -2 it leaves -1
UNASKED, STALE = -2, -3
DE_BRUIJN, S58 = np.uint64(0x03F79D71B4CB0A89), np.uint64(58)
#: Which bit is set, by the upper bits of its product with `DE_BRUIJN`.
PLACE = np.zeros(64, np.int64)
for _bit in range(64):
    PLACE[(int(DE_BRUIJN) << _bit & (1 << 64) - 1) >> 58] = _bit


# Most states are two words: loops over words begin with the third, and what the first two need is
# written out, for no compiler knows how many there are.


@within
def mixed(h: Any, word: Any) -> Any:
    """A hash, with a word more."""
    h = (h ^ word) * K1
    return h ^ h >> S32


@within
def hashed(states: Any, i: int, words: int) -> Any:
    """The hash of a state."""
    h = mixed(K3, states[i, 0])
    if words > 1:
        h = mixed(h, states[i, 1])
    for w in range(2, words):
        h = mixed(h, states[i, w])
    h *= K2
    return h ^ h >> S29


@within
def same(states: Any, i: Any, others: Any, j: Any, words: Any) -> Any:
    """Whether one state is another."""
    differs = states[i, 0] ^ others[j, 0]
    if words > 1:
        differs |= states[i, 1] ^ others[j, 1]
    for w in range(2, words):
        differs |= states[i, w] ^ others[j, w]
    return differs == ZERO


@within
def put_after(states: Any, i: Any, e: Any, keep: Any, value: Any, to: Any, at: Any) -> None:
    """Write down the state after an effect."""
    words = states.shape[1]
    to[at, 0] = states[i, 0] & keep[e, 0] | value[e, 0]
    if words > 1:
        to[at, 1] = states[i, 1] & keep[e, 1] | value[e, 1]
    for w in range(2, words):
        to[at, w] = states[i, w] & keep[e, w] | value[e, w]


@compiled
def index(states: Any, n: int, table: Any, size: int) -> None:
    """Put the first `n` states into an empty table of 2**size slots."""
    last = _u8(len(table) - 1)
    down = _u8(64 - size)
    words = states.shape[1]
    for i in range(n):
        h = hashed(states, i, words)
        slot = h >> down
        while table[slot] != ZERO:
            slot = (slot + ONE) & last
        table[slot] = h & HIGH | _u8(i + 1)


@compiled
def widen(old: Any, table: Any, size: int) -> None:
    """Put what is in a table into a larger one of 2**size slots, which is empty.

    A slot holds the upper half of a hash, which says where it is in any table of up to 2**32 slots
    (there are no more states): what is next to each other stays so, and no state is looked at.
    """
    last = _u8(len(table) - 1)
    down = _u8(64 - size)
    some = np.empty(BATCH, np.uint64)
    for begin in range(0, len(old), BATCH):
        many = 0
        for at in range(begin, min(begin + BATCH, len(old))):
            some[many] = old[at]
            many += old[at] != ZERO  # counted rather than asked: nobody can foresee the answer
        for k in range(many):
            slot = some[k] >> down
            while table[slot] != ZERO:
                slot = (slot + ONE) & last
            table[slot] = some[k]


@within
def walk(states: Any, t: Any, ref: Any, trees: Any) -> Any:
    """The row at the leaf a state comes to from a node; below 0 if there is none yet.

    States that lack the same way come to the same negative number.
    """
    _, asks, ways = trees
    way = NO_WAY
    while ref > 0:
        node = _u8(ref - 1)
        asked = states[t, asks[node, 0]] >> asks[node, 1] & asks[node, 2]
        way = asks[node, 3] + asked
        ref = _i8(ways[way])
    return -1 - ref if ref < 0 else -2 - _i8(way)


@within
def waits(states: Any, t: Any, prompt: Any) -> Any:
    """Whether a state has prompt mail."""
    found = ZERO
    for w in range(len(prompt)):
        found |= states[t, w] & prompt[w]
    return found != ZERO


@within
def find(states: Any, t: Any, g: Any, rows: Any, at: Any, trees: Any, missed: Any, nm: Any) -> Any:
    """Look up one row; how many are missed then, of which each is (state, group, which way)."""
    row = walk(states, t, trees[0][g], trees)
    if row < 0:
        missed[nm, 0] = t
        missed[nm, 1] = g
        missed[nm, 2] = row
        nm += 1
        row = UNKNOWN
    rows[at, g] = row
    return nm


@compiled
def settle(states: Any, t: Any, rows: Any, at: Any, look: Any, missed: Any, nm: Any) -> Any:
    """Look up every row of state `t` that is not known: those that are -3 in `rows[at]`.

    What is not found is -1, and (state, group, which way) is added to `missed`; what nobody needs,
    since the state is beyond the cut or has prompt mail, is -2.
    """
    (hurry, calm, groups, marked, alone), prompt, trees, flags = look
    needed = groups
    if marked and states[t, 0] & ONE != ZERO:
        needed = hurry
    elif waits(states, t, prompt):
        needed = calm
    for g in range(groups):
        if g >= needed:
            if rows[at, g] == STALE:
                rows[at, g] = UNASKED
            continue
        if rows[at, g] == STALE:
            nm = find(states, t, g, rows, at, trees, missed, nm)
        if g == 0 and alone:
            if rows[at, 0] < 0:
                for other in range(1, groups):
                    rows[at, other] = STALE
                return nm
            if flags[rows[at, 0]] & 1:
                needed = hurry
    return nm


@compiled
def look_up(
    states: Any, lo: Any, hi: Any, rows: Any, base: Any, look: Any, missed: Any
) -> tuple[int, int]:
    """Look up the rows of states from `lo` on; how far, and how many were missed."""
    nm = 0
    groups = look[0][2]
    while lo < hi and nm + groups <= len(missed):
        nm = settle(states, lo, rows, lo - base, look, missed, nm)
        lo += 1
    return lo, nm


@compiled
def again(states: Any, pairs: Any, rows: Any, base: Any, look: Any, missed: Any) -> int:
    """Look up what was missed before; how many still are."""
    alone, nm = look[0][4], 0
    for k in range(len(pairs)):
        t, g = pairs[k, 0], pairs[k, 1]
        if alone:
            rows[t - base, g] = STALE
            nm = settle(states, t, rows, t - base, look, missed, nm)
        else:
            nm = find(states, t, g, rows, t - base, look[2], missed, nm)
    return nm


@compiled
def inherit(
    states: Any, n: Any, end: Any, origin: Any, rows: Any, base: Any, next_rows: Any,
    next_base: Any, look: Any, touches: Any, missed: Any, nm: Any,
) -> Any:  # fmt: skip
    """The rows of the states from `n` on, which are new: their parents', but for what was touched.

    `origin` has their parents and effects.  How many rows are missed then.  Group by group, for the
    processor foresees the way through one tree better than through many in turn.
    """
    (hurry, calm, groups, marked, alone), prompt, trees, _ = look
    waiting = np.empty((groups, end - n), np.int32)
    many = np.zeros(groups, np.int64)
    for k in range(end - n):
        parent, to = origin[k, 0] - base, n + k - next_base
        e = origin[k, 1]
        sign = np.int32(0)
        for g in range(groups):
            row = rows[parent, g]
            next_rows[to, g] = row
            sign |= row
        if alone:
            for g in range(groups):
                touched = touches[e, g >> 6] >> (_u8(g) & WIDE) & ONE != ZERO
                if touched or next_rows[to, g] < 0:
                    next_rows[to, g] = STALE
            nm = settle(states, n + k, next_rows, to, look, missed, nm)
            continue
        needed = groups
        if marked and states[n + k, 0] & ONE != ZERO:
            needed = hurry
        elif waits(states, n + k, prompt):
            needed = calm
        for w in range(touches.shape[1]):
            bits = touches[e, w]
            if sign < 0 and needed == groups:  # what the parent did not need
                for g in range(max(calm, w << 6), min(groups, (w + 1) << 6)):
                    if next_rows[to, g] < 0:
                        bits |= ONE << (_u8(g) & WIDE)
            while bits != ZERO:
                low = bits & (~bits + ONE)
                bits ^= low
                g = (w << 6) + PLACE[(low * DE_BRUIJN) >> S58]
                if g >= needed:
                    next_rows[to, g] = UNASKED
                else:
                    waiting[g, many[g]] = k
                    many[g] += 1
    for g in range(groups):
        for at in range(many[g]):
            t = n + waiting[g, at]
            nm = find(states, t, g, next_rows, t - next_base, trees, missed, nm)
    return nm


@within
def is_cut(states: Any, i: Any, rows: Any, at: Any, look: Any) -> Any:
    """Whether a state is beyond the cut."""
    (_, _, _, marked, alone), _, _, flags = look
    return (marked and states[i, 0] & ONE != ZERO) or (alone and flags[rows[at, 0]] & 1 != 0)


@compiled
def insert(states: Any, n: Any, filled: Any, scratch: Any, table: Any, size: Any) -> Any:
    """Add those of the collected successors that are new; how many states there are then.

    The parents and effects of those are moved to the front of what was collected.
    """
    buf, hashes, origin = scratch
    words = states.shape[1]
    last = _u8(len(table) - 1)
    down = _u8(64 - size)
    first = n
    for q in range(min(FAR, filled)):
        look_ahead(buf, q, words, hashes, table, down)
    for q in range(filled):
        if q + FAR < filled:
            look_ahead(buf, q + FAR, words, hashes, table, down)
        if q + NEAR < filled:
            fetch(states, (table[hashes[q + NEAR] >> down] & LOW) - ONE)
        mark = hashes[q] & HIGH
        slot = hashes[q] >> down
        while True:
            held = table[slot]
            if held == ZERO:
                break
            if held & HIGH == mark and same(states, _i8(held & LOW) - 1, buf, q, words):
                break
            slot = (slot + ONE) & last
        if held != ZERO:
            continue
        table[slot] = mark | _u8(n + 1)
        states[n, 0] = buf[q, 0]
        if words > 1:
            states[n, 1] = buf[q, 1]
        for w in range(2, words):
            states[n, w] = buf[q, w]
        origin[n - first, 0], origin[n - first, 1] = origin[q, 0], origin[q, 1]
        n += 1
    return n


@within
def look_ahead(buf: Any, q: Any, words: Any, hashes: Any, table: Any, down: Any) -> None:
    """Hash a successor, and fetch its slot."""
    h = hashed(buf, q, words)
    hashes[q] = h
    fetch(table, h >> down)


@within
def spread(
    states: Any, i: Any, rows: Any, at: Any, begin: Any, end: Any, know: Any, scratch: Any,
    filled: Any, mail: Any,
) -> Any:  # fmt: skip
    """Collect the successors of a state behind those that are there; how many there are then.

    `mail` is made what must be taken, and what is.
    """
    (row_start, row_effect, row_need, row_got), (keep, value, _), _ = know
    buf, _, origin = scratch
    mail[:] = ZERO
    for g in range(begin, end):
        row = rows[at, g]
        if row == 0:
            continue
        for w in range(row_need.shape[1]):
            mail[0, w] |= row_need[row, w]
            mail[1, w] |= row_got[row, w]
        for o in range(row_start[row], row_start[row + 1]):
            e = row_effect[o]
            put_after(states, i, e, keep, value, buf, filled)
            origin[filled, 0] = i
            origin[filled, 1] = e
            filled += 1
    return filled


@within
def lacks(mail: Any) -> Any:
    """Whether a state has mail that no step takes."""
    left = ZERO
    for w in range(mail.shape[1]):
        left |= mail[0, w] & ~mail[1, w]
    return left != ZERO


@compiled
def check(states: Any, origin: Any, lo: Any, hi: Any, look: Any, know: Any, unsure: Any) -> int:
    """Check the steps `lo` to `hi` of `origin`; those that are not known to pass are `unsure`.

    Those are (state, effect, which of its checks, a number for the way that is lacking).
    """
    _, _, (check_from, check_many, check_of, trees) = know
    unknown = 0
    for q in range(lo, hi):
        i, e = origin[q, 0], origin[q, 1]
        begin = check_from[e]
        for c in range(check_many[e]):
            asked = check_of[begin + c]
            row = walk(states, i, trees[0][asked], trees)
            if row < 0:
                unsure[unknown, 0] = i
                unsure[unknown, 1] = e
                unsure[unknown, 2] = c
                unsure[unknown, 3] = row * 1_000_003 + asked
                unknown += 1
                break
    return unknown


@compiled
def collect(
    states: Any, lo: Any, hi: Any, rows: Any, base: Any, look: Any, know: Any, scratch: Any,
    unsure: Any, stuck: Any, counts: Any,
) -> tuple[int, int]:  # fmt: skip
    """Collect the successors of states from `lo` on, and check the steps to them.

    How far, and how many; it stops before there are more than there is room for.  `counts`: steps,
    cut states, stuck ones, the first state whose mail nobody takes (-1: none), the most successors
    a state may have, and steps `unsure`.
    """
    (hurry, calm, groups, _, _), prompt, _, _ = look
    mail = np.zeros((2, know[0][2].shape[1]), np.uint64)
    filled = 0
    limit = len(scratch[0]) - 1 - counts[4]
    while lo < hi and filled < limit and counts[2] < len(stuck):
        at = lo - base
        if is_cut(states, lo, rows, at, look):
            counts[1] += 1
        else:
            end = calm if waits(states, lo, prompt) else groups
            before = filled
            filled = spread(states, lo, rows, at, hurry, end, know, scratch, filled, mail)
            counts[0] += filled - before
            if filled == before:
                stuck[counts[2]] = lo
                counts[2] += 1
            if counts[3] < 0 and lacks(mail):
                counts[3] = lo
        lo += 1
    counts[5] += check(states, scratch[2], 0, filled, look, know, unsure[counts[5] :])
    return lo, filled


@compiled
def expand(
    states: Any, n: Any, lo: Any, hi: Any, rows: Any, base: Any, next_rows: Any, next_base: Any,
    look: Any, know: Any, table: Any, size: Any, scratch: Any, missed: Any, unsure: Any,
    stuck: Any, counts: Any,
) -> tuple[int, int, int]:  # fmt: skip
    """Expand states from `lo` on; how far, how many states there are now, how many rows missed.

    Stops where there may be no room.  `counts` as `collect` has them.
    """
    room, groups, nm = len(scratch[0]), look[0][2], 0
    while lo < hi:
        lo, filled = collect(states, lo, hi, rows, base, look, know, scratch, unsure, stuck, counts)
        first, n = n, insert(states, n, filled, scratch, table, size)
        nm = inherit(
            states, first, n, scratch[2], rows, base, next_rows, next_base, look, know[1][2],
            missed, nm,
        )  # fmt: skip
        full = n + room > len(states) or n - next_base + room > len(next_rows)
        if full or nm + room * groups > len(missed) or counts[5] + room > len(unsure):
            break
    return lo, n, nm


@compiled
def parent_of(
    states: Any, lo: Any, hi: Any, rows: Any, base: Any, target: Any, look: Any, know: Any
) -> int:
    """The first of some states that has `target` as a successor; -1 if none has."""
    (hurry, calm, groups, _, _), prompt, _, _ = look
    (row_start, row_effect, _, _), (keep, value, _), _ = know
    words = states.shape[1]
    after = np.empty((1, words), np.uint64)
    for i in range(lo, hi):
        if is_cut(states, i, rows, i - base, look):
            continue
        end = calm if waits(states, i, prompt) else groups
        for g in range(hurry, end):
            row = rows[i - base, g]
            for o in range(row_start[row], row_start[row + 1]):
                e = row_effect[o]
                put_after(states, i, e, keep, value, after, 0)
                if same(after, 0, states, target, words):
                    return i
    return -1
