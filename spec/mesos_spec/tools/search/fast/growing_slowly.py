"""How decision trees grow without a compiler: as in `growing`, with numbers of Python."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesos_spec.tools.search.fast.trees import K1, K2, LEAF, UNKNOWN

Array = NDArray[Any]
U = np.uint64
FULL = (1 << 64) - 1
SPARE = 8  #: slots for each edge, at least: whoever tries again has gone down a step less
NODE = (1 << 32) - 1  #: the bits of a reference that say which node it is
TRY = 1 << 32  #: is taken from a reference when the slot it led to was another's
LOST = 1 << 40  #: what lacks an edge comes to here, or farther


def grow(
    items: Array, k: int, flat: Array, states: Array, fields: Any, roots: Any, reads: Array,
    nodes: Any, edges: Any, down: Any, used: Array, scratch: Any,
) -> int:  # fmt: skip
    """Put in the leaves from the `k`th on, as `growing.grow` does, with numbers of Python."""
    edge_key, edge_to, root_to = memoryview(edges[0]), memoryview(edges[1]), memoryview(roots)
    nodes = tuple(memoryview(column) for column in nodes)
    word, mask, begin, places = nodes
    layout, counts = [field.tolist() for field in fields], used.tolist()
    more, shift = len(scratch[0]), int(down)
    for root, start, end, t, leaf in items[k:].tolist():
        full = counts[0] + more >= len(word) or counts[1] + more >= len(places)
        if full or SPARE * (counts[2] + more) > len(edge_to):
            break
        state = states[t].tolist()
        paths: list[list[int]] = []
        covered: set[int] = set()
        ref, slot, key, node = root_to[root], -1, 0, 0
        while ref < LEAF:
            if ref == UNKNOWN:
                paths = paths or _paths(flat[start:end].tolist())
                sure = _sure(paths, covered, layout[2])
                ref = LEAF + leaf
                if sure:
                    ref = counts[0]
                    _add_node(sure, layout, nodes, counts)
                    reads[root, word[ref]] |= U(mask[ref])
                if slot < 0:
                    root_to[root] = ref
                else:
                    edge_key[slot], edge_to[slot] = key, (node + 1) << 32 | ref
                    counts[2] += 1
                continue
            node = ref
            covered.update(places[begin[node] : begin[node + 1]])
            key = state[word[node]] & mask[node]
            slot = _place(edge_key, edge_to, node, key, shift)
            ref = edge_to[slot] & NODE if edge_to[slot] else UNKNOWN
        k += 1
    used[:] = counts
    return k


def _paths(flat: list[int]) -> list[list[int]]:
    """The paths in a row of them."""
    found: list[list[int]] = []
    begin = 0
    while begin < len(flat):
        end = flat.index(-1, begin)
        found.append(flat[begin:end])
        begin = end + 1
    return found


def _sure(paths: list[list[int]], covered: set[int], mask: list[int]) -> list[int]:
    """The next place of each path that is not covered."""
    found = []
    for path in paths:
        for place in path:
            if mask[place] and place not in covered:
                found.append(place)
                break
    return found


def _add_node(sure: list[int], layout: list[list[int]], nodes: Any, counts: list[int]) -> None:
    """A new node, for those of some places that are in one word."""
    (word, shift, mask), (node_word, node_mask, begin, places) = layout, nodes
    node, at = counts[:2]
    node_word[node] = word[sure[0]]
    here = [place for place in dict.fromkeys(sure) if word[place] == word[sure[0]]]
    node_mask[node] = sum(mask[place] << shift[place] for place in here)
    for place in here:
        places[at] = place
        at += 1
    counts[:2] = node + 1, at
    begin[node + 1] = at


def _place(edge_key: Any, edge_to: Any, node: int, key: int, down: int) -> int:
    """The slot of an edge, or where it is to be put."""
    tries = node
    while True:
        slot = ((tries * K1 & FULL ^ key) * K2 & FULL) >> down
        to = edge_to[slot]
        if not to or (edge_key[slot] == key and to >> 32 == node + 1):
            return slot
        tries -= TRY


def rehash(key: Array, to: Array, new_key: Any, new_to: Any, down: Any) -> None:
    """Put all edges into a larger table."""
    taken = np.flatnonzero(to)
    edge_key, edge_to = memoryview(new_key), memoryview(new_to)
    for held, child in zip(key[taken].tolist(), to[taken].tolist()):
        slot = _place(edge_key, edge_to, (child >> 32) - 1, held, int(down))
        edge_key[slot], edge_to[slot] = held, child


def slots(tries: Array, key: Array, down: Any) -> Array:
    """Where edges are looked for: of nodes, each with so many tries."""
    h = tries.view(U) * U(K1) ^ key
    h *= U(K2)
    h >>= down
    return h.view(np.int64)
