"""How far it is, on stderr: a bar where somebody watches, else a line now and then."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from mesos_ref.scheduler.items import Progress

#: Between two lines, where nobody watches.
_PAUSE_S: Final = 1.0

Show = Callable[[Progress], None]


@contextmanager
def open_progress(total: int, *, quiet: bool) -> Iterator[Show]:
    """Something to call with each `Progress` while the block lasts."""
    if quiet:
        yield lambda progress: None
    elif sys.stderr.isatty():
        with _bar(total) as show:
            yield show
    else:
        yield _Lines().show


@contextmanager
def _bar(total: int) -> Iterator[Show]:
    from rich.console import Console  # it takes a while to import
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
    with Bar(*columns, TimeElapsedColumn(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("waiting for offers", total=total)

        def show(progress: Progress) -> None:
            bar.update(task, completed=progress.done, description=_running(progress))

        yield show


class _Lines:
    """A line when something has changed, but not too often."""

    def __init__(self) -> None:
        self._said_at_s = time.monotonic()

    def show(self, progress: Progress) -> None:
        now_s = time.monotonic()
        if now_s - self._said_at_s >= _PAUSE_S:
            self._said_at_s = now_s
            line = f"{progress.done} of {progress.wanted} finished, {_running(progress)}"
            print(line, file=sys.stderr, flush=True)


def _running(progress: Progress) -> str:
    said = f"{progress.running} running"
    return f"{said}, {progress.lost} lost" if progress.lost else said
