"""Past one machine: a campaign on a Dask cluster finds what it finds without.

The cluster is one of two worker processes on this machine, without dashboards.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mesos_chaos.__main__ import main
from mesos_chaos.mutants import find_mutant
from mesos_chaos.search import workers
from mesos_chaos.search.campaign import Campaign, Report
from mesos_chaos.search.portfolio import Strategy

pytestmark = [pytest.mark.live, pytest.mark.slow, pytest.mark.needs("dask")]

#: Strategies of which a plan follows from the seed and its number, whoever runs it, and when.
DRAWN = [Strategy.RANDOM, Strategy.SWARM]


@pytest.fixture
def cluster() -> Iterator[Any]:
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        dashboard_address=None,
        worker_dashboard_address=None,
    ) as cluster:
        cluster.wait_for_workers(2, timeout=120)
        yield cluster


def searched(executor: Any, jobs: int, runs: int) -> Report:
    """A small campaign, and whoever ran it is left."""
    with executor:
        return Campaign(executor, jobs=jobs, seed="d", strategies=DRAWN).run(runs=runs)


@pytest.mark.bulk
def test_a_campaign_on_a_cluster_shows_what_it_shows_here(cluster: Any) -> None:
    there = searched(workers.dask(cluster.scheduler_address), jobs=2, runs=12)
    here = searched(workers.Here(), jobs=1, runs=12)
    assert there.exit_code == here.exit_code == 0
    assert {s: t.runs for s, t in there.tallies.items()} == dict(zip(DRAWN, (10, 2)))
    assert there.coverage.marks == here.coverage.marks
    assert len(here.coverage.marks) > 300


@pytest.mark.bulk
def test_what_breaks_on_a_cluster_is_found_made_small_and_kept(
    cluster: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The workers have a bug, this process has not: so it is they who found it and shrank it."""
    from distributed import Client

    with Client(cluster, set_as_default=False) as client:
        planted = client.run(workers.begin, find_mutant("old_leader_is_obeyed"))
    assert len(planted) == 2, "in both"
    words = ["search", "--runs", "10", "--strategy", "swarm", "--json", "--jobs", "2"]
    folder = tmp_path / "found"
    address = cluster.scheduler_address
    assert main([*words, "--dask", address, "--dir", str(folder)]) == 4
    [found] = [
        f for f in json.loads(capsys.readouterr().out)["found"] if "turn_to" in f["property"]
    ]
    assert found["size"]["faults"] == 1
    assert main(["shrink", found["files"]["corpus"], "--json", "--dir", str(folder)]) == 0
    assert json.loads(capsys.readouterr().out)["broken"] is False


def test_a_mutant_is_not_planted_on_a_cluster(capsys: pytest.CaptureFixture[str]) -> None:
    """It would stay there, in processes that are others', too."""
    words = ["search", "--dask", "tcp://127.0.0.1:1", "--mutant", "old_leader_is_obeyed"]
    assert main(words) == 5
    assert "not for --dask" in capsys.readouterr().err


def test_a_cluster_that_is_not_there_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    import dask

    with dask.config.set({"distributed.comm.timeouts.connect": "0.5s"}):
        assert main(["search", "--dask", "tcp://127.0.0.1:1", "--runs", "1"]) == 5
    assert "tcp://127.0.0.1:1" in capsys.readouterr().err
