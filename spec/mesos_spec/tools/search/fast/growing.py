"""How the compiled kernel lets decision trees grow: leaves are put in, with what was read for them.

`trees.Trees` sees to it that there is room, and `by_numpy.grow` does the same without a compiler.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mesos_spec.tools.search.fast import trees
from mesos_spec.tools.search.fast.compiling import compiled, within

UNKNOWN, LEAF = trees.UNKNOWN, np.int64(trees.LEAF)
K1, K2 = np.uint64(trees.K1), np.uint64(trees.K2)
ZERO, ONE, S32, LOW = np.uint64(0), np.uint64(1), np.uint64(32), np.uint64(0xFFFFFFFF)


@compiled
def grow(
    items: Any, k: int, flat: Any, states: Any, fields: Any, roots: Any, reads: Any, nodes: Any,
    edges: Any, down: Any, used: Any, scratch: Any,
) -> int:  # fmt: skip
    """Put in the leaves from the `k`th on; how many are in when there may be no more room.

    An item is (root, where its paths are in `flat`, where they end, a state, the leaf); each path
    ends with a -1.  `used`: nodes, their places, edges.  What a node asks for is what every state
    that comes by must read: the next place of each path.  `reads`: all bits that a tree asks for.
    """
    node_word, node_mask, node_from, node_places = nodes
    edge_key, edge_to = edges
    at, _, covered = scratch
    more = len(at)
    while k < len(items):
        full = used[0] + more >= len(node_word) or used[1] + more >= len(node_places)
        if full or 2 * (used[2] + more) > len(edge_to):
            break
        root, begin, end, t, leaf = items[k]
        covered[:] = False
        paths = 0
        for i in range(begin, end):
            if i == begin or flat[i - 1] < 0:
                at[paths] = i
                paths += 1
        node, slot, key = -1, ZERO, ZERO  # what leads here: the root, or an edge of a node
        while True:
            n = sure(paths, flat, fields[2], scratch)
            ref = roots[root]
            if node >= 0:
                ref = np.int64(edge_to[slot] & LOW) if edge_to[slot] != ZERO else np.int64(UNKNOWN)
            if ref == UNKNOWN:
                ref = np.int64(LEAF + leaf if n == 0 else used[0])
                if node < 0:
                    roots[root] = ref
                else:
                    edge_key[slot] = key
                    edge_to[slot] = np.uint64(node + 1) << S32 | np.uint64(ref)
                    used[2] += 1
                if n > 0:
                    add_node(n, fields, nodes, used, scratch)
                    reads[root, node_word[ref]] |= node_mask[ref]
            if n == 0:
                break
            node = int(ref)
            for j in range(node_from[node], node_from[node + 1]):
                covered[node_places[j]] = True
            key = states[t, node_word[node]] & node_mask[node]
            slot = slot_of(key, np.uint64(node), down)
            while edge_to[slot] != ZERO and (
                edge_key[slot] != key or np.int64(edge_to[slot] >> S32) != node + 1
            ):
                slot = (slot + ONE) & np.uint64(len(edge_to) - 1)
        k += 1
    return k


@within
def sure(paths: Any, flat: Any, mask: Any, scratch: Any) -> Any:
    """Find the next place of each path that is not covered; how many there are."""
    at, found, covered = scratch
    n = 0
    for path in range(paths):
        i = at[path]
        while flat[i] >= 0 and (covered[flat[i]] or mask[flat[i]] == ZERO):
            i += 1
        at[path] = i
        if flat[i] >= 0:
            found[n] = flat[i]
            n += 1
    return n


@within
def add_node(n: Any, fields: Any, nodes: Any, used: Any, scratch: Any) -> None:
    """A new node, that asks for those of `n` places that are in one word."""
    word, shift, mask = fields
    node_word, node_mask, node_from, node_places = nodes
    _, found, covered = scratch
    node = used[0]
    node_word[node] = word[found[0]]
    node_mask[node] = ZERO
    for j in range(n):
        place = found[j]
        if word[place] == node_word[node] and not covered[place]:
            covered[place] = True
            node_mask[node] |= mask[place] << shift[place]
            node_places[used[1]] = place
            used[1] += 1
    used[0] += 1
    node_from[used[0]] = used[1]


@within
def slot_of(key: Any, node: Any, down: Any) -> Any:
    """Where an edge is looked for first."""
    h = (key ^ node * K1) * K2
    h ^= h >> S32
    return (h * K1) >> down


@compiled
def rehash(key: Any, to: Any, new_key: Any, new_to: Any, down: Any) -> None:
    """Put all edges into a larger table."""
    last = np.uint64(len(new_to) - 1)
    for old in range(len(to)):
        if to[old] == ZERO:
            continue
        slot = slot_of(key[old], (to[old] >> S32) - ONE, down)
        while new_to[slot] != ZERO:
            slot = (slot + ONE) & last
        new_key[slot] = key[old]
        new_to[slot] = to[old]
