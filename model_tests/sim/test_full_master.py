"""A master that has as many frameworks as it may: the judge counts them, too."""

from __future__ import annotations

from typing import Any

import pytest

from mesos_chaos.plan import load_scenario
from mesos_chaos.sim import cluster
from mesos_chaos.sim.run import simulate
from mesos_ref.master import frameworks
from mesos_ref.master.config import MasterConfig

TWO_FRAMEWORKS = "little_memory"


def _with_room_for(most: int, monkeypatch: pytest.MonkeyPatch) -> Any:
    def configured(**chosen: Any) -> MasterConfig:
        return MasterConfig(max_frameworks=most, **chosen)

    monkeypatch.setattr(cluster, "MasterConfig", configured)
    return simulate(load_scenario(TWO_FRAMEWORKS)[1])[0].verdict


def test_one_framework_too_many_is_refused_and_the_run_conforms(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    verdict = _with_room_for(1, monkeypatch)
    assert verdict.violations == []
    assert verdict.taken["refuse_subscription"] == 1


def test_who_refuses_though_there_is_room_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frameworks, "subscription_fault", lambda *_: "I would rather not")
    [violation] = _with_room_for(2, monkeypatch).violations
    assert "one too many" in str(violation)


def test_who_takes_more_than_it_may_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frameworks, "len", lambda _: 0, raising=False)
    [violation] = _with_room_for(1, monkeypatch).violations
    assert "there is room for it" in str(violation)
