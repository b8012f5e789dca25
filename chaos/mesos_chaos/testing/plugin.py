"""The pytest plugin: run your own framework against a judged, faulty cluster.

    @pytest.mark.mesos("everything_dies", seeds=3)
    def test_it_survives(mesos):
        mesos.run(my_framework, goal=nothing_is_left)

`my_framework` is an async function of a `Site`; it runs in virtual time, with real masters, agents
and HTTP, under the faults of the scenario.  What is no Python, or not on this library, runs on real
processes: `mesos.run_command("./mine")`, with MESOS_REF_MASTER set.  A test that fails says what is
wrong, whose fault it is, and under which smallest plan it happens; `--mesos-plan` runs that again.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from mesos_chaos.testing.judged import Mesos

MARKER = (
    "mesos(*scenarios, seeds=1): the scenarios (names, TOML files or `Plan`s) that the `mesos` "
    "fixture runs a framework under, each with so many seeds"
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """What can be asked on the command line."""
    add = parser.getgroup("mesos", "frameworks against a judged, faulty cluster").addoption
    add("--mesos-seed", type=int, metavar="N", help="this seed only, instead of a test's own")
    add("--mesos-plan", metavar="FILE", help="this scenario only, instead of a test's own")
    add(
        "--mesos-shrink",
        type=int,
        metavar="RUNS",
        default=60,
        help="runs to make a plan smaller that something is wrong under (default 60; 0: none)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Tell pytest of the marker."""
    config.addinivalue_line("markers", MARKER)


@pytest.fixture
def mesos(request: pytest.FixtureRequest, tmp_path: Path) -> Mesos:
    """Runs a framework under the scenarios of the test's marker, and fails the test if it must."""
    from mesos_chaos.plan import PlanError
    from mesos_chaos.testing.judged import Asked, Mesos, plans_of, seeds_of

    option = request.config.getoption
    marker = request.node.get_closest_marker("mesos")
    scenarios: tuple[Any, ...] = marker.args if marker is not None else ()
    try:
        seeds = seeds_of(marker.kwargs if marker is not None else {})
        if option("--mesos-plan") is not None:
            scenarios, seeds = (option("--mesos-plan"),), 1
        plans = plans_of(scenarios, seeds, option("--mesos-seed"))
    except PlanError as error:
        raise pytest.UsageError(f"{request.node.nodeid}: {error}") from None
    cache = request.config.cache
    folder = Path(cache.mkdir("mesos")) if cache is not None else tmp_path
    return Mesos(Asked(request.node.nodeid, plans, folder, tmp_path, option("--mesos-shrink")))
