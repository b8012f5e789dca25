"""How decision trees grow without a compiler: as in `growing`, with numbers of Python."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def grow(
    items: Array, k: int, flat: Array, states: Array, pieces: Any, roots: Any, reads: Array,
    nodes: Any, ways: Any, span: int, used: Array, scratch: Any,
) -> int:  # fmt: skip
    """Put in the leaves from the `k`th on, as `growing.grow` does, with numbers of Python."""
    roots, ways = memoryview(roots), memoryview(ways)
    nodes = tuple(memoryview(column) for column in nodes)
    asks, begin, asked = nodes
    parts, counts = [part.tolist() for part in pieces], used.tolist()
    more = len(scratch[0])
    for root, start, end, t, leaf in items[k:].tolist():
        full = counts[0] + more >= len(begin) or counts[1] + more >= len(asked)
        if full or counts[2] + (more << span) > len(ways):
            break
        state = states[t].tolist()
        paths: list[list[int]] = []
        covered: set[int] = set()
        ref, way = roots[root], -1
        while ref >= 0:
            if ref == 0:
                paths = paths or _paths(flat[start:end].tolist(), parts[0])
                sure = _sure(paths, covered)
                ref = -1 - leaf
                if sure:
                    word, bits = _add_node(sure, parts, nodes, span, counts)
                    reads[root, word] |= np.uint64(bits)
                    ref = counts[0]
                if way < 0:
                    roots[root] = ref
                else:
                    ways[way] = ref
                continue
            node = ref - 1
            covered.update(asked[begin[node] : begin[ref]])
            way = asks[node, 3] + (state[asks[node, 0]] >> asks[node, 1] & asks[node, 2])
            ref = ways[way]
        k += 1
    used[:] = counts
    return k


def _paths(flat: list[int], first: list[int]) -> list[list[int]]:
    """The paths in a row of them, each as pieces."""
    found: list[list[int]] = []
    begin = 0
    while begin < len(flat):
        end = flat.index(-1, begin)
        places = flat[begin:end]
        found.append([p for place in places for p in range(first[place], first[place + 1])])
        begin = end + 1
    return found


def _sure(paths: list[list[int]], covered: set[int]) -> list[int]:
    """The next piece of each path that is not covered."""
    found = []
    for path in paths:
        for piece in path:
            if piece not in covered:
                found.append(piece)
                break
    return found


def _add_node(
    sure: list[int], parts: list[list[int]], nodes: Any, span: int, counts: list[int]
) -> tuple[int, int]:
    """A new node, for those of some pieces that are near each other in one word; which bits."""
    (_, word, shift, bits), (asks, begin, asked) = parts, nodes
    node, at, first = counts
    low, high = shift[sure[0]], shift[sure[0]] + bits[sure[0]]
    whole = 0
    for piece in dict.fromkeys(sure):
        least, most = min(low, shift[piece]), max(high, shift[piece] + bits[piece])
        if word[piece] == word[sure[0]] and most - least <= span:
            low, high = least, most
            whole |= ((1 << bits[piece]) - 1) << shift[piece]
            asked[at] = piece
            at += 1
    asks[node, 0], asks[node, 1], asks[node, 2], asks[node, 3] = (
        word[sure[0]], low, whole >> low, first,
    )  # fmt: skip
    begin[node + 1] = at
    counts[:] = node + 1, at, first + (1 << (high - low))
    return word[sure[0]], whole
