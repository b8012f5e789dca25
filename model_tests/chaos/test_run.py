"""`mesos-chaos run`: which runs are asked for."""

from __future__ import annotations

import argparse

import pytest

from mesos_chaos.cli.run import runs_of
from mesos_chaos.plan import PlanError, load_scenario, shipped


def _asked(tier: int, *scenarios: str) -> list[str]:
    args = argparse.Namespace(scenario=list(scenarios), tier=tier, seed=None, seeds=None)
    return [name for name, _ in runs_of(args)]


def test_without_a_name_all_of_the_tier_are_run() -> None:
    real = [name for name in shipped() if 3 in load_scenario(name)[1].tiers]
    assert _asked(3) == real
    assert set(real) < set(_asked(1))


def test_one_that_is_only_simulated_is_not_run_for_real() -> None:
    with pytest.raises(PlanError, match="little_memory is for tier 1 only, not 3: use --tier"):
        _asked(3, "little_memory")
    assert _asked(1, "little_memory") == ["little_memory"]
