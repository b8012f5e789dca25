"""How decision trees grow: leaves are put in, each with what was read on the way to it.

One function that both kernels share.  It speaks of arrays and numbers alone, so that it can be
compiled as it is; `trees.Trees` sees to it that there is room.
"""

from __future__ import annotations

from typing import Any

import numpy as np

UNKNOWN = -1  #: where nothing leads yet
LEAF = 1 << 31  #: a reference from here on is the row at a leaf, below it a node
K1, K2 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9)
ZERO, ONE, S32, LOW = np.uint64(0), np.uint64(1), np.uint64(32), np.uint64(0xFFFFFFFF)


def grow(
    items: Any, k: int, flat: Any, states: Any, fields: Any, roots: Any, reads: Any, nodes: Any,
    edges: Any, down: Any, used: Any, scratch: Any,
) -> int:  # fmt: skip
    """Put in the leaves from the `k`th on; how many are in when there may be no more room.

    An item is (root, where its paths are in `flat`, where they end, a state, the leaf); each path
    ends with a -1.  `used`: nodes, their places, edges.  What a node asks for is what every state
    that comes by must read: the next place of each path.  `reads`: all bits that a tree asks for.
    """
    word, shift, mask = fields
    node_word, node_mask, node_from, node_places = nodes
    edge_key, edge_to = edges
    at, sure, covered = scratch
    last = np.uint64(len(edge_to) - 1)
    while k < len(items):
        root, begin, end, t, leaf = items[k]
        more = end - begin + 1
        if (
            used[0] + more >= len(node_word)
            or used[1] + more >= len(node_places)
            or 2 * (used[2] + more) > len(edge_to)
        ):
            break
        covered[:] = False
        paths = 0
        for i in range(begin, end):
            if i == begin or flat[i - 1] < 0:
                at[paths] = i
                paths += 1
        node, inside, slot, key = (
            0,
            False,
            ZERO,
            ZERO,
        )  # the link that leads here: the root, or an edge
        while True:
            n = 0
            for path in range(paths):
                i = at[path]
                while flat[i] >= 0 and (covered[flat[i]] or mask[flat[i]] == ZERO):
                    i += 1
                at[path] = i
                if flat[i] >= 0:
                    sure[n] = flat[i]
                    n += 1
            ref = roots[root]
            if inside:
                ref = np.int64(edge_to[slot] & LOW) if edge_to[slot] != ZERO else np.int64(UNKNOWN)
            if ref == UNKNOWN:
                ref = np.int64(LEAF + leaf if n == 0 else used[0])
                if inside:
                    edge_key[slot] = key
                    edge_to[slot] = np.uint64(node + 1) << S32 | np.uint64(ref)
                    used[2] += 1
                else:
                    roots[root] = ref
                if n > 0:
                    node_word[ref] = word[sure[0]]
                    node_mask[ref] = ZERO
                    for j in range(n):
                        place = sure[j]
                        if word[place] == node_word[ref] and not covered[place]:
                            covered[place] = True
                            node_mask[ref] |= mask[place] << shift[place]
                            node_places[used[1]] = place
                            used[1] += 1
                    reads[root, node_word[ref]] |= node_mask[ref]
                    used[0] += 1
                    node_from[used[0]] = used[1]
            if n == 0:
                break
            node = int(ref)
            for j in range(node_from[node], node_from[node + 1]):
                covered[node_places[j]] = True
            key = states[t, node_word[node]] & node_mask[node]
            h = (key ^ np.uint64(node) * K1) * K2
            h ^= h >> S32
            slot = (h * K1) >> down
            while edge_to[slot] != ZERO and (
                edge_key[slot] != key or np.int64(edge_to[slot] >> S32) != node + 1
            ):
                slot = (slot + ONE) & last
            inside = True
        k += 1
    return k


def rehash(key: Any, to: Any, new_key: Any, new_to: Any, down: Any) -> None:
    """Put all edges into a larger table."""
    last = np.uint64(len(new_to) - 1)
    for old in range(len(to)):
        if to[old] == ZERO:
            continue
        h = (key[old] ^ ((to[old] >> S32) - ONE) * K1) * K2
        h ^= h >> S32
        slot = (h * K1) >> down
        while new_to[slot] != ZERO:
            slot = (slot + ONE) & last
        new_key[slot] = key[old]
        new_to[slot] = to[old]
