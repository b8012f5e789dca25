"""How decision trees grow without a compiler: as in `growing`, with numbers of Python."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesos_spec.tools.search.fast.trees import K1, K2, LEAF, UNKNOWN

Array = NDArray[Any]
U = np.uint64
FULL = (1 << 64) - 1
NODE = (1 << 32) - 1  #: the bits of a reference that say which node it is
TRY = 1 << 32  #: is taken from a reference when the slot it led to was another's
LOST = -1 << 48  #: what lacks an edge comes to here, or farther down


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
            slot = _place(edge_key, edge_to, node, key, int(down))
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
