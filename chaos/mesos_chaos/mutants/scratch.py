"""Scratch processes: forked from a warm one, planted with a mutant, and thrown away.

Starting Python, reading the specification and getting to know the wire format take seconds; a
mutant is often caught in less.  So a warm process has run one plan already.  For each mutant it is
forked, and the child forgets the implementation (all of `mesos_ref` but the wire format, and the
simulation that holds on to it), plants the mutant, and imports it anew.
"""

from __future__ import annotations

import os
import pickle
import resource
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any, TypeVar

from mesos_chaos.mutants import Mutant
from mesos_chaos.mutants.planting import plant

T = TypeVar("T")

WIRE = "mesos_ref.wire"
HOLDERS = ("mesos_ref", "mesos_chaos.sim")
GRACE_S = 5
MOST_MEMORY = 4 << 30  #: bytes of addresses; a mutant may hoard without end


class ScratchError(Exception):
    """The scratch process failed, and why."""


def warm_up() -> None:
    """Run one small plan, so that the processes forked from this one need not learn so much."""
    from mesos_chaos.plan import Cluster, Plan, Workload
    from mesos_chaos.search.breaking import what_broke

    work = [Workload(name="warm", items=3, executor=kind) for kind in ("command", "custom")]
    named = [w.model_copy(update={"name": f"{w.name}{n}"}) for n, w in enumerate(work)]
    what_broke(Plan(cluster=Cluster(masters=1, agents=1, foreign=1), workload=named))


def forget_implementation(module: str) -> None:
    """Have everything imported anew that may hold on to `module`."""
    keeps_wire = not module.startswith(WIRE)
    for name in [*sys.modules]:
        if not any(name == holder or name.startswith(f"{holder}.") for holder in HOLDERS):
            continue
        if keeps_wire and (name == WIRE or name.startswith(f"{WIRE}.")):
            continue
        parent, _, child = name.rpartition(".")
        if parent in sys.modules and hasattr(sys.modules[parent], child):
            delattr(sys.modules[parent], child)
        del sys.modules[name]
    if keeps_wire and WIRE in sys.modules:
        import mesos_ref

        mesos_ref.wire = sys.modules[WIRE]


def in_scratch(
    mutant: Mutant | None,
    work: Callable[..., T],
    *args: Any,
    cpu_s: float,
    patience: float = 12,
    before: Callable[[], object] | None = None,
) -> T:
    """What `work(*args)` returns in a scratch process with the mutant in it.

    Instead of a mutant it may be given what plants something else (`before`).

    `work` must import the implementation itself.  The process may use `cpu_s` CPU seconds and a
    few, and `patience` times as long by the clock.  Raises `ScratchError` when it fails.
    """
    reader, writer = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _child(writer, mutant, work, args, cpu_s, before)
    os.close(writer)
    try:
        said = _read_all(reader, time.monotonic() + cpu_s * patience + 60, child)
    finally:
        os.close(reader)
    _, status = os.waitpid(child, 0)
    if not said:
        raise ScratchError(f"it ended without a word, with status {status:#x}")
    good, result = pickle.loads(said)
    if not good:
        raise ScratchError(result)
    answer: T = result
    return answer


def _child(
    writer: int,
    mutant: Mutant | None,
    work: Callable[..., Any],
    args: Any,
    cpu_s: float,
    before: Callable[[], object] | None,
) -> None:
    """The scratch process; it does not return."""
    code = 1
    try:
        most_s = int(cpu_s) + GRACE_S  # CPU time starts again with a fork
        resource.setrlimit(resource.RLIMIT_CPU, (most_s, most_s + GRACE_S))
        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
        signal.signal(signal.SIGXCPU, signal.SIG_DFL)
        forget_implementation("" if mutant is None else mutant.module)
        if before is not None:
            before()
        if mutant is not None:
            plant(mutant)
        result = pickle.dumps((True, work(*args)))
        code = 0
    except BaseException as error:  # whatever it is, the parent is told
        result = pickle.dumps((False, _in_a_line(error)))
    with os.fdopen(writer, "wb") as out:
        out.write(result)
    os._exit(code)


def _in_a_line(error: BaseException) -> str:
    return traceback.format_exception_only(error)[-1].strip()


def _read_all(reader: int, until_s: float, child: int) -> bytes:
    parts: list[bytes] = []
    while True:
        ready, _, _ = select.select([reader], [], [], max(0.0, until_s - time.monotonic()))
        if not ready:
            os.kill(child, signal.SIGKILL)
            return b""
        part = os.read(reader, 1 << 16)
        if not part:
            return b"".join(parts)
        parts.append(part)
