"""How the compiled kernel lets decision trees grow: leaves are put in, with what was read for them.

`trees.Trees` sees to it that there is room; `growing_slowly` does the same without a compiler.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mesos_spec.tools.search.fast.compiling import compiled, within

ONE = np.uint64(1)


@compiled
def grow(
    items: Any, k: int, flat: Any, states: Any, pieces: Any, roots: Any, reads: Any, nodes: Any,
    ways: Any, span: Any, used: Any, scratch: Any,
) -> int:  # fmt: skip
    """Put in the leaves from the `k`th on; how many are in when there may be no more room.

    An item is (root, where its paths are in `flat`, where they end, a state, the leaf); each path
    ends with a -1.  `used`: nodes, pieces they ask for, ways.  What a node asks for is what every
    state that comes by must read: the next piece of each path.  `reads`: all bits that a tree asks
    for.
    """
    asks, node_from, node_pieces = nodes
    at, _, covered = scratch
    more = len(at)
    while k < len(items):
        full = used[0] + more >= len(asks) or used[1] + more >= len(node_pieces)
        if full or used[2] + (more << span) > len(ways):
            break
        root, begin, end, t, leaf = items[k]
        covered[:] = False
        paths = 0
        for i in range(begin, end):
            if i == begin or flat[i - 1] < 0:
                at[paths] = i
                paths += 1
        way = np.int64(-1)  # what leads here: the root, or a way of a node
        while True:
            n = sure(paths, flat, pieces[0], scratch)
            ref = roots[root] if way < 0 else np.int64(ways[way])
            if ref == 0:
                ref = np.int64(-1 - leaf if n == 0 else used[0] + 1)
                if way < 0:
                    roots[root] = ref
                else:
                    ways[way] = ref
                if n > 0:
                    add_node(n, pieces, nodes, span, used, scratch)
                    reads[root, asks[ref - 1, 0]] |= asks[ref - 1, 2] << asks[ref - 1, 1]
            if n == 0 or ref < 0:
                break
            node = ref - 1
            for j in range(node_from[node], node_from[node + 1]):
                covered[node_pieces[j]] = True
            asked = states[t, asks[node, 0]] >> asks[node, 1] & asks[node, 2]
            way = np.int64(asks[node, 3] + asked)
        k += 1
    return k


@within
def sure(paths: Any, flat: Any, first: Any, scratch: Any) -> Any:
    """Find the next piece of each path that is not covered; how many there are."""
    at, found, covered = scratch
    n = 0
    for path in range(paths):
        i = at[path]
        piece = end = 0
        while flat[i] >= 0 and piece == end:
            piece, end = first[flat[i]], first[flat[i] + 1]
            while piece < end and covered[piece]:
                piece += 1
            if piece == end:
                i += 1
        at[path] = i
        if flat[i] >= 0:
            found[n] = piece
            n += 1
    return n


@within
def add_node(n: Any, pieces: Any, nodes: Any, span: Any, used: Any, scratch: Any) -> None:
    """A new node, that asks for those of `n` pieces that are near each other in one word."""
    _, word, shift, bits = pieces
    asks, node_from, node_pieces = nodes
    _, found, covered = scratch
    here = word[found[0]]
    low, high = shift[found[0]], shift[found[0]] + bits[found[0]]
    mask = np.uint64(0)
    for j in range(n):
        piece = found[j]
        least = min(low, shift[piece])
        most = max(high, shift[piece] + bits[piece])
        if word[piece] == here and not covered[piece] and most - least <= span:
            low, high = least, most
            covered[piece] = True
            mask |= ((ONE << np.uint64(bits[piece])) - ONE) << np.uint64(shift[piece])
            node_pieces[used[1]] = piece
            used[1] += 1
    asks[used[0], 0], asks[used[0], 1] = np.uint64(here), np.uint64(low)
    asks[used[0], 2], asks[used[0], 3] = mask >> np.uint64(low), np.uint64(used[2])
    used[2] += np.int64(1) << (high - low)
    used[0] += 1
    node_from[used[0]] = used[1]
