"""What holds for every test: how hard Hypothesis tries, what a machine must have, no orphans.

Three promises.  A run names its Hypothesis profile and seed first, and the same two give the same
examples again.  A test that this machine cannot run is skipped with the reason and the remedy in
the closing summary, and where `MESOS_REF_NO_SKIPS=1` is set it fails instead.  And a session that
leaves a process behind fails, names it, and ends it: everything the tests start inherits
`MESOS_REF_TEST_SESSION`, so that even a process that has lost its parent is found.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import sys
import time
import uuid
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, settings

# --- how hard Hypothesis tries -----------------------------------------------------------------

#: Tests that draw whole clusters are slow to draw, and no reason to stop: they say so by `slow`.
TOO_SLOW = [HealthCheck.too_slow]

settings.register_profile(
    "dev",
    max_examples=50,
    stateful_step_count=30,
    deadline=None,
    derandomize=False,  # Hypothesis changes its own default where it sees CI; the seed is ours
    suppress_health_check=TOO_SLOW,
)
settings.register_profile("ci", settings.get_profile("dev"), max_examples=100, database=None)
settings.register_profile(
    "nightly", settings.get_profile("dev"), max_examples=2_000, stateful_step_count=100
)
settings.load_profile("ci" if os.environ.get("CI") else "dev")

#: CI judges a commit, not the day's luck: its seed is fixed.  New seeds are for dev and nightly.
CI_SEED = 0


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Choose the seed before Hypothesis' own plugin looks for one."""
    if config.getoption("hypothesis_profile"):
        settings.load_profile(config.getoption("hypothesis_profile"))
    if config.getoption("hypothesis_seed") is None:
        in_ci = settings.get_current_profile_name() == "ci"
        # As text, like from the command line: Hypothesis' plugin takes the number 0 for "none".
        config.option.hypothesis_seed = str(CI_SEED if in_ci else secrets.randbelow(2**32))


def pytest_report_header(config: pytest.Config) -> str:
    """How to draw the same examples again; said first, and last if something failed."""
    profile, seed = settings.get_current_profile_name(), config.getoption("hypothesis_seed")
    return f"again: pytest --hypothesis-profile={profile} --hypothesis-seed={seed}"


# --- side by side -------------------------------------------------------------------------------


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: with real processes, some test is always waiting."""
    return 1 + (len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take long come first, or one worker would be left alone with them in the end."""
    long = {item.path for item in items if any(map(item.get_closest_marker, ("slow", "live")))}
    items.sort(key=lambda item: item.path not in long)


# --- what a machine must have ------------------------------------------------------------------


class Need(NamedTuple):
    """Something outside Python that a test may need, and how to come by it."""

    here: Callable[[], bool]
    remedy: str


#: What `@pytest.mark.needs(...)` may name.
NEEDS = {
    "linux": Need(lambda: sys.platform == "linux", "run the tests on Linux"),
    "root": Need(lambda: os.geteuid() == 0, "run the tests as root"),
    "cgroups": Need(
        lambda: os.geteuid() == 0 and os.access("/sys/fs/cgroup", os.W_OK),
        "run as root where /sys/fs/cgroup is writable",
    ),
    "curl": Need(lambda: shutil.which("curl") is not None, "make system-deps"),
    "chromium": Need(lambda: shutil.which("chromium") is not None, "make system-deps"),
    "dask": Need(
        lambda: find_spec("distributed") is not None, ".venv/bin/pip install -e '.[dask]'"
    ),
    "scipy": Need(lambda: find_spec("scipy") is not None, ".venv/bin/pip install -e '.[fast]'"),
    "kazoo": Need(lambda: find_spec("kazoo") is not None, ".venv/bin/pip install -e '.[zk]'"),
}


def no_skips() -> bool:
    """Whether this run may leave nothing out."""
    return os.environ.get("MESOS_REF_NO_SKIPS", "") not in ("", "0")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose `needs` this machine does not meet, with the remedy."""
    for mark in item.iter_markers("needs"):
        for name in mark.args:
            if name not in NEEDS:
                pytest.fail(f"needs({name!r}): conftest.py knows {', '.join(NEEDS)}", pytrace=False)
            if not NEEDS[name].here():
                pytest.skip(f"this machine lacks {name}: {NEEDS[name].remedy}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skip into a failure where nothing may be left out."""
    report = yield
    if report.skipped and no_skips() and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = (
            f"MESOS_REF_NO_SKIPS is set, and {item.nodeid} was skipped: {_why(report)}"
        )
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """The same for a module that skips itself whole."""
    report = yield
    if report.skipped and no_skips():
        report.outcome = "failed"
        report.longrepr = f"MESOS_REF_NO_SKIPS is set, and this was skipped: {_why(report)}"
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say loudly what was not run, and why; and how to see a failure again."""
    whys = [_why(report) for report in terminalreporter.getreports("skipped")]
    if whys:
        terminalreporter.section("not run here")
    for why in sorted(set(whys)):
        terminalreporter.write_line(f"{whys.count(why):4}  {why}")
    if terminalreporter.getreports("failed"):
        terminalreporter.write_line(pytest_report_header(terminalreporter.config))


def _why(report: pytest.TestReport | pytest.CollectReport) -> str:
    """The reason of a skip, without where it was raised."""
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return reason.removeprefix("Skipped: ")


# --- nothing is left behind --------------------------------------------------------------------

SESSION = "MESOS_REF_TEST_SESSION"

#: How long what is already ending may take to end.
GRACE_S = 3.0


#: Python's own, begun with the first process that is spawned: it ends when its parent does.
TRACKER = b"multiprocessing.resource_tracker"


class Left(NamedTuple):
    """A process that outlived the tests that started it."""

    pid: int
    command: str


@pytest.fixture(scope="session", autouse=True)
def nothing_is_left_behind() -> Iterator[None]:
    """Fail the session, and end what was left, if a process outlives the tests.

    Set up before every other session fixture, hence torn down after all of them.
    """
    mine = uuid.uuid4().hex
    os.environ[SESSION] = f"{os.environ.get(SESSION, '')}/{mine}"  # a session may run in another
    yield
    deadline_s = time.monotonic() + GRACE_S
    while (left := left_behind(mine)) and time.monotonic() < deadline_s:
        time.sleep(0.05)
    for process in left:
        with suppress(ProcessLookupError):  # it ended just now
            os.kill(process.pid, signal.SIGKILL)
    if left:
        listed = "".join(f"\n  {process.pid}  {process.command}" for process in left)
        pytest.fail(f"the tests left processes running (now killed):{listed}", pytrace=False)


def left_behind(session: str) -> list[Left]:
    """Every living process that descends from this one or was started with its session id."""
    parents = dict(_living())
    return [
        Left(pid, _read(pid, "cmdline").replace(b"\0", b" ").decode(errors="replace").strip())
        for pid in sorted(parents)
        if pid != os.getpid()
        and not (parents[pid] == os.getpid() and TRACKER in _read(pid, "cmdline"))
        and (_descends(pid, parents) or session.encode() in _read(pid, "environ"))
    ]


def _living() -> Iterator[tuple[int, int]]:
    """(pid, parent) of each process that has not ended; nothing where there is no /proc."""
    for entry in Path("/proc").glob("[0-9]*"):
        # The command's name comes second, in parentheses, and may hold anything.
        fields = _read(int(entry.name), "stat").rpartition(b")")[2].split()
        if fields and fields[0] not in (b"Z", b"X"):
            yield int(entry.name), int(fields[1])


def _descends(pid: int, parents: dict[int, int]) -> bool:
    """Whether this very process is among the ancestors of `pid`."""
    while pid in parents:
        pid = parents[pid]
        if pid == os.getpid():
            return True
    return False


def _read(pid: int, what: str) -> bytes:
    """One file of /proc/PID; empty if the process has ended, or is not ours to look into."""
    try:
        return Path(f"/proc/{pid}/{what}").read_bytes()
    except OSError:
        return b""
