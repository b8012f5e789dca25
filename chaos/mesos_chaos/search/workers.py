"""Executors for campaigns: processes of this machine, this very process, or a Dask cluster.

A campaign needs nothing of an executor but `submit`, so anything that implements
`concurrent.futures.Executor` and can import this package will do.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from typing import Any

from mesos_chaos.mutants import Mutant
from mesos_chaos.mutants.planting import plant


class Here(Executor):
    """Does everything at once, in this process."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Do it now."""
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


def processes(jobs: int, mutant: Mutant | None = None) -> Executor:
    """So many fresh processes of this machine, with a mutant planted in each."""
    fresh = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(jobs, fresh, initializer=begin, initargs=(mutant,))


def begin(mutant: Mutant | None) -> None:
    """What a process does first."""
    if mutant is not None:
        plant(mutant)


def dask(address: str) -> Executor:
    """The workers of a Dask cluster, at the address of its scheduler.  Raises OSError."""
    from distributed import Client  # of the extra `dask`

    return OnCluster(Client(address, set_as_default=False))


class OnCluster(Executor):
    """The executor of a Dask client, which ends when nobody needs it any more.

    What is submitted is done in a thread of a worker, where no signal reaches it: nothing there
    ends a plan that does not come to its end.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self._executor: Executor = client.get_executor()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Do it on a worker."""
        return self._executor.submit(fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Leave the cluster, which goes on."""
        self._executor.shutdown(wait=wait)
        self._client.close()
