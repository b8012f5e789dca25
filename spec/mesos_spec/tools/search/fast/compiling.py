"""How functions of the compiled kernel are compiled.  Needs numba (extra `fast`).

What is compiled is kept beside the source, so only the first run waits for it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba as nb

F = TypeVar("F", bound=Callable[..., Any])


def compiled(body: F) -> F:
    """`body`, compiled; it lets other threads run meanwhile."""
    made: Any = nb.njit(cache=True, nogil=True)
    return cast(F, made(body))


def within(body: F) -> F:
    """`body`, compiled into whatever calls it, since handing on many arrays takes its time."""
    made: Any = nb.njit(inline="always")
    return cast(F, made(body))
