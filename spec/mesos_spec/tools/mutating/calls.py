"""Which functions a function may run: what a mutant of one of them can make a difference to.

Read off the code: every global name that it mentions and that is a function or an action, and so on
from there.
A function that comes as an argument, or as a method, is not seen; whoever relies on this looks at
what really ran (`ground.Ground` does).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from types import CodeType, FunctionType, ModuleType
from typing import Any

from mesos_spec.kernel import Action


@cache
def may_run(function: FunctionType) -> frozenset[FunctionType]:
    """The function, and all it may call."""
    found = {function}
    left = [function]
    while left:
        for called in _called(left.pop()):
            if called not in found:
                found.add(called)
                left.append(called)
    return frozenset(found)


def _called(function: FunctionType) -> Iterator[FunctionType]:
    """The functions that its code names; as names of a module, too."""
    names = {*_names(function.__code__)}
    spaces = [function.__globals__]
    named = (function.__globals__.get(name) for name in names)
    spaces += [vars(one) for one in named if isinstance(one, ModuleType)]
    for space in spaces:
        for name in names:
            called: Any = space.get(name)
            called = called.body if isinstance(called, Action) else called
            if isinstance(called, FunctionType):
                yield called


def _names(code: CodeType) -> Iterator[str]:
    """The names in some code, and in what is defined within."""
    yield from code.co_names
    for part in code.co_consts:
        if isinstance(part, CodeType):
            yield from _names(part)
