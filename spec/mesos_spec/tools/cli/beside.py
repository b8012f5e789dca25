"""Several models searched side by side, each in a process of its own.

A process is forked when it is given a model: what a model is made of, its functions above all,
need not be sent anywhere.  What comes back is the result without its model.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mesos_spec.kernel.model import Model
    from mesos_spec.tools.search.checker import Result

Searched = Callable[["Model[Any]"], "Result[Any]"]


def cores() -> int:
    """How many processes can run at once here."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1


def searched(
    models: Sequence[Model[Any]], search: Searched, jobs: int, stopped: Sequence[str]
) -> Iterator[Result[Any]]:
    """The result of each model, in order; up to `jobs` are searched at once, the largest first.

    Whoever interrupts them interrupts each: then each says what it knows so far.  Once `stopped`
    has a reason in it no other is begun, and there are fewer results than models.
    """
    if jobs < 2 or len(models) < 2:
        for model in models:
            yield search(model)
            if stopped:
                return
        return
    crew = _Crew(models, search)
    try:
        for at in range(len(models)):
            while at not in crew.found:
                if not crew.go_on(jobs, stopped):
                    return
            yield crew.found.pop(at)
    finally:
        crew.end()


class _Crew:
    """Models that are waiting, under way, and done."""

    def __init__(self, models: Sequence[Model[Any]], search: Searched) -> None:
        self.models, self.search = models, search
        self.waiting = sorted(range(len(models)), key=self._size)  # the last is the next
        self.running: dict[Connection, tuple[int, Any]] = {}
        self.found: dict[int, Result[Any]] = {}
        self._fork = multiprocessing.get_context("fork")

    def _size(self, at: int) -> int:
        expect = self.models[at].expect
        return expect.states if expect is not None else 0

    def go_on(self, jobs: int, stopped: Sequence[str]) -> bool:
        """Begin what may be begun, and wait for a result; whether there is anything to wait for."""
        while self.waiting and len(self.running) < jobs and not stopped:
            self._begin(self.waiting.pop())
        if not self.running:
            return False
        for done in wait(list(self.running)):
            assert isinstance(done, Connection)
            self._take(done)
        return True

    def _begin(self, at: int) -> None:
        mine, theirs = self._fork.Pipe(duplex=False)
        process = self._fork.Process(target=self._work, args=(at, theirs), daemon=True)
        process.start()
        theirs.close()
        self.running[mine] = at, process

    def _work(self, at: int, to: Connection) -> None:
        """In the process of its own."""
        try:
            result: Any = self.search(self.models[at])
            to.send_bytes(pickle.dumps(replace(result, model=None)))
        except Exception:  # the model is searched again where this can be told
            to.send_bytes(b"")

    def _take(self, done: Connection) -> None:
        at, process = self.running.pop(done)
        try:
            sent = done.recv_bytes()
        except EOFError:
            sent = b""
        done.close()
        process.join()
        model = self.models[at]
        self.found[at] = replace(pickle.loads(sent), model=model) if sent else self.search(model)

    def end(self) -> None:
        """Leave nobody behind."""
        for _, process in self.running.values():
            process.terminate()
            process.join()
