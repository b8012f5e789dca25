"""The kernel with numpy alone: what `by_numba` does state by state, column by column.

Same arguments, same results, also in order: states are numbered as they are found.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesos_spec.tools.search.fast.layout import MARK
from mesos_spec.tools.search.fast.tables import UNASKED
from mesos_spec.tools.search.fast.trees import K1, K2, LEAF, UNKNOWN

Array = NDArray[Any]
U = np.uint64
_K1, _K2, _K3 = U(K1), U(K2), U(0x243F6A8885A308D3)
LOW, HIGH = U(0xFFFFFFFF), U(0xFFFFFFFF00000000)
FULL = (1 << 64) - 1
STALE = -3  #: a row to look up again
BATCH = 1 << 16  #: successors collected at once: of few, a call of numpy costs more than its work


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
        held = hashed(states[lo:hi]) & HIGH | np.arange(lo + 1, hi + 1, dtype=U)
        _put_in(held, table, size)


def widen(old: Array, table: Array, size: int) -> None:
    """Put what is in a table into a larger one of 2**size slots, which is empty."""
    for lo in range(0, len(old), 1 << 18):
        held = old[lo : lo + (1 << 18)]
        _put_in(held[held != 0], table, size)


def _put_in(held: Array, table: Array, size: int) -> None:
    """Put entries into a table; each says by its upper bits where it belongs."""
    slot = (held >> U(64 - size)).astype(np.int64)
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
    mine = h & HIGH | np.arange(n + 1, n + more + 1, dtype=U)
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
        alike = np.flatnonzero(~ours & (held & HIGH == mine[at] & HIGH))
        same = np.zeros(len(at), bool)
        if len(alike):
            other = (held[alike] & LOW).astype(np.int64) - 1
            same[alike] = (states[other] == fresh[at[alike]]).all(axis=1)
        on = np.flatnonzero(~(ours | same))
        at, slot = at[on], (slot[on] + 1) & (len(table) - 1)
    kept = np.flatnonzero(won >= 0)
    count = len(kept)
    states[n : n + count] = fresh[kept]
    table[won[kept]] = mine[kept] & HIGH | np.arange(n + 1, n + count + 1, dtype=U)
    return n + count, kept


def walk(states: Array, at: Array, ref: Array, trees: Any) -> Array:
    """The row each of some states comes to from its root; below 0 if to none yet.

    States that lack the same edge come to the same negative number.
    """
    _, node_word, node_mask, edge_key, edge_to, down = trees
    found = np.where(ref >= LEAF, ref - LEAF, UNKNOWN)
    who = np.flatnonzero((ref >= 0) & (ref < LEAF))
    node, here = ref[who], at[who] * states.shape[1]
    words, last = states.reshape(-1), len(edge_to) - 1
    while len(who):
        if (node == node[0]).all():
            node = node[:1]  # one for all of them
        key = words.take(here + node_word[node])
        key &= node_mask[node]
        h = node.astype(U) * _K1 ^ key
        h *= _K2
        h ^= h >> U(32)
        slot = (h * _K1 >> down).astype(np.int64)
        to, mine = edge_to.take(slot), (node + 1).astype(U)
        bad = np.flatnonzero((to >> U(32) != mine) | (edge_key.take(slot) != key))
        bad = bad[to[bad] != 0]
        while len(bad):
            slot[bad] = (slot[bad] + 1) & last
            to[bad] = step = edge_to[slot[bad]]
            own = mine if len(mine) == 1 else mine[bad]
            hit = (step >> U(32) == own) & (edge_key[slot[bad]] == key[bad])
            bad = bad[(step != 0) & ~hit]
        node = (to & LOW).astype(np.int64)
        leaf = np.flatnonzero(node >= LEAF)
        found[who[leaf]] = node[leaf] - LEAF
        none = np.flatnonzero(to == 0)
        found[who[none]] = -2 - (h[none] >> U(2)).astype(np.int64)
        on = np.flatnonzero((node < LEAF) & (to != 0))
        who, here, node = who[on], here[on], node[on]
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
        needed = np.ones(len(part), bool)
        if g >= hurry:
            needed = open_[part] if g < calm else open_[part] & quiet[part]
        rows[at[part[~needed]], g] = UNASKED
        part = part[needed]
        if len(part):
            row = walk(states, t[part], np.full(len(part), trees[0][g]), trees)
            bad = np.flatnonzero(row < 0)
            if len(bad):
                lost = part[bad]
                missed.append(np.stack([t[lost], np.full(len(bad), g), row[bad]], axis=1))
                row[bad] = UNKNOWN
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
    row_table: Any,
    counts: Any = None,
    stuck: Any = None,
) -> tuple[int, Array, Array]:
    """(How far, parent, effect) of each way on from states from `lo` on, at most `room`."""
    (hurry, calm, groups, marked, alone), prompt, _, flags = look
    row_start, row_effect, row_need, row_got = row_table
    t = np.arange(lo, hi)
    cut = np.zeros(hi - lo, bool)
    if marked:
        cut |= states[lo:hi, 0] & U(MARK) != 0
    if alone:
        cut |= flags[rows[lo - base : hi - base, 0]] & 1 != 0
    mine = rows[lo - base : hi - base, hurry:].astype(np.int64)
    waits = _waits(states, t, prompt)
    mine[np.ix_(waits, np.arange(calm - hurry, groups - hurry))] = 0
    mine[cut] = 0
    starts = row_start[mine]
    number = row_start[mine + 1] - starts
    each = number.sum(axis=1)
    total = np.cumsum(each)
    if len(total) and total[-1] > room:
        far = int(np.searchsorted(total, room, side="right"))
        hi, mine, starts, number, each = (
            lo + far,
            mine[:far],
            starts[:far],
            number[:far],
            each[:far],
        )
        cut = cut[:far]
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
    begin = np.repeat(starts.ravel() - (np.cumsum(flat) - flat), flat)
    return hi, whose, row_effect[begin + np.arange(len(begin))]


def check(
    states: Array, steps: Array, lo: int, hi: int, look: Any, know: Any, unsure: Array
) -> int:
    """Check the steps `lo` to `hi`; those that are not known to pass are `unsure`.

    Those are (state, effect, which of its checks, a number for the edge that is lacking).
    """
    begin, many, check_of, trees = know[2]
    whose, effect = steps[lo:hi, 0], steps[lo:hi, 1]
    each = many[effect]
    step = np.repeat(np.arange(hi - lo), each)
    at = np.repeat(begin[effect] - (np.cumsum(each) - each), each) + np.arange(len(step))
    asked = check_of[at]
    row = walk(states, whose[step], trees[0][asked], trees)
    bad = np.flatnonzero(row < 0)
    lost, first = np.unique(step[bad], return_index=True)
    at, bad = at[bad[first]], bad[first]
    n = len(lost)
    unsure[:n, :2] = steps[lo:hi, :2][lost]
    unsure[:n, 2] = at - begin[effect[lost]]
    unsure[:n, 3] = row[bad] * 1_000_003 + asked[bad]
    return n


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
    row_table, (keep, value, touches), _ = know
    room = min(len(states) - n, len(next_rows) - (n - next_base), len(missed) // groups)
    room = min(room, len(unsure))
    hi = min(hi, lo + len(stuck))
    ways = successors(states, lo, hi, rows, base, room, look, row_table, counts, stuck)
    lo, whose, effect = ways
    more = len(effect)
    if not more:
        return lo, n, 0
    steps = np.stack([whose, effect], axis=1)
    counts[5] = check(states, steps, 0, more, look, know, unsure)
    for w in range(states.shape[1]):
        states[n : n + more, w] = states[whose, w] & keep[effect, w] | value[effect, w]
    now, kept = add(states, n, more, table, size)
    parent, effect = whose[kept] - base, effect[kept]
    at = np.arange(n, now) - next_base
    fresh = rows[parent]
    for g in range(groups):
        hit = touches[effect, g >> 6] >> U(g & 63) & U(1) != 0
        fresh[hit, g] = STALE
    fresh[fresh < 0] = STALE
    next_rows[at] = fresh
    return lo, now, _put(missed, settle(states, np.arange(n, now), next_rows, at, look))


def parent_of(
    states: Array, lo: int, hi: int, rows: Array, base: int, target: int, look: Any, know: Any
) -> int:
    """The first of some states that has `target` as a successor; -1 if none has."""
    row_table, (keep, value, _), _ = know
    _, whose, effect = successors(states, lo, hi, rows, base, 1 << 62, look, row_table)
    same = (states[whose] & keep[effect] | value[effect] == states[target]).all(axis=1)
    at = np.flatnonzero(same)
    return int(whose[at[0]]) if len(at) else -1


def grow(
    items: Array, k: int, flat: Array, states: Array, fields: Any, roots: Array, reads: Array,
    nodes: Any, edges: Any, down: Any, used: Array, scratch: Any,
) -> int:  # fmt: skip
    """Put in the leaves from the `k`th on, as `growing.grow` does, with numbers of Python."""
    edge_key, edge_to = memoryview(edges[0]), memoryview(edges[1])
    layout = [field.tolist() for field in fields]
    more = len(scratch[0])
    while k < len(items):
        nodes_, places, links = used.tolist()
        full = nodes_ + more >= len(nodes[0]) or places + more >= len(nodes[3])
        if full or 2 * (links + more) > len(edge_to):
            break
        root, begin, end, t, leaf = items[k].tolist()
        paths = _paths(flat[begin:end].tolist())
        state = states[t].tolist()
        covered: set[int] = set()
        ref, slot, key, node = int(roots[root]), -1, 0, 0
        while True:
            sure = _sure(paths, covered, layout[2])
            if ref == UNKNOWN:
                ref = _node(sure, layout, root, reads, nodes, used) if sure else LEAF + leaf
                if slot < 0:
                    roots[root] = ref
                else:
                    edge_key[slot], edge_to[slot] = key, (node + 1) << 32 | ref
                    used[2] += 1
            if not sure:
                break
            node = ref
            covered.update(nodes[3][nodes[2][node] : nodes[2][node + 1]].tolist())
            key = state[int(nodes[0][node])] & int(nodes[1][node])
            slot = _slot(node, key, int(down))
            while edge_to[slot] and (edge_key[slot] != key or edge_to[slot] >> 32 != node + 1):
                slot = (slot + 1) & (len(edge_to) - 1)
            ref = edge_to[slot] & 0xFFFFFFFF if edge_to[slot] else UNKNOWN
        k += 1
    return k


def _paths(flat: list[int]) -> list[list[int]]:
    """The paths in a row of them, last place first, each as a stack."""
    found: list[list[int]] = []
    begin = 0
    while begin < len(flat):
        end = flat.index(-1, begin)
        found.append(flat[begin:end][::-1])
        begin = end + 1
    return found


def _sure(paths: list[list[int]], covered: set[int], mask: list[int]) -> list[int]:
    """The next place of each path."""
    found = []
    for path in paths:
        while path and (path[-1] in covered or not mask[path[-1]]):
            path.pop()
        if path:
            found.append(path[-1])
    return found


def _node(
    sure: list[int], layout: list[list[int]], root: int, reads: Array, nodes: Any, used: Array
) -> int:
    """A new node, for those of some places that are in one word."""
    word, shift, mask = layout
    node = int(used[0])
    here = [place for place in dict.fromkeys(sure) if word[place] == word[sure[0]]]
    bits = U(sum(mask[place] << shift[place] for place in here))
    nodes[0][node], nodes[1][node] = word[sure[0]], bits
    nodes[3][used[1] : used[1] + len(here)] = here
    used[:2] += 1, len(here)
    nodes[2][node + 1] = used[1]
    reads[root, word[sure[0]]] |= bits
    return node


def _slot(node: int, key: int, down: int) -> int:
    """Where an edge is looked for first."""
    mixed = (key ^ node * K1 & FULL) * K2 & FULL
    mixed ^= mixed >> 32
    return (mixed * K1 & FULL) >> down


def rehash(key: Array, to: Array, new_key: Array, new_to: Array, down: Any) -> None:
    """Put all edges into a larger table."""
    for old in np.flatnonzero(to).tolist():
        node, held = (int(to[old]) >> 32) - 1, int(key[old])
        slot = _slot(node, held, int(down))
        while new_to[slot]:
            slot = (slot + 1) & (len(new_to) - 1)
        new_key[slot], new_to[slot] = held, to[old]
