"""The rules a master is asked after every event find what breaks them, one by one, by its id."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mesos_ref.master.core import violations
from mesos_ref.master.state import LostAgent, Offer, State
from mesos_ref.resources import Resources
from model_tests.core.master_rig import Rig

FEW = Resources.of(cpus=1)


def _offered_beyond_what_there_is(m: State) -> None:
    agent = m.agents["a1"]
    more = Offer("O9", "a1", "M-0000", "r", Resources.of(cpus=99))
    agent.offers["O9"] = m.offers["O9"] = m.frameworks["M-0000"].offers["O9"] = more


def _offered_twice(m: State) -> None:
    agent = m.agents["a2"]
    [offer] = agent.offers.values()
    again = Offer("O9", "a2", "M-0000", "r", offer.resources)
    agent.offers["O9"] = m.offers["O9"] = m.frameworks["M-0000"].offers["O9"] = again


def _free_out_of_nothing(m: State) -> None:
    m.agents["a1"].free = m.agents["a1"].free + FEW


def _charged_to_nobody(m: State) -> None:
    m.allocator.charge("M-0000", "r", FEW)


def _offered_in_no_role_of_its(m: State) -> None:
    m.frameworks["M-0000"].roles = ("other",)


def _offered_of_an_agent_that_is_away(m: State) -> None:
    m.set_link(m.agents["a2"], None)


def _active_and_unreachable(m: State) -> None:
    framework = m.frameworks["M-0000"]
    framework.unreachable["t1"] = framework.tasks["t1"]


def _registered_and_unreachable(m: State) -> None:
    m.lost_agents["a1"] = LostAgent("a1", FEW, 0, {})


def _connected_without_a_stream(m: State) -> None:
    m.frameworks["M-0000"].standing = "disconnected"


def _removed_and_there(m: State) -> None:
    m.removed["M-0000"] = None


BREACHES: dict[str, list[Callable[[State], None]]] = {
    "S1": [_offered_beyond_what_there_is, _offered_twice],
    "S3": [_free_out_of_nothing],
    "S4": [_charged_to_nobody],
    "S6": [_offered_in_no_role_of_its, _offered_of_an_agent_that_is_away],
    "S7": [_active_and_unreachable],
    "S11": [_registered_and_unreachable],
    "S13": [_connected_without_a_stream],
    "S14": [_removed_and_there],
}


@pytest.mark.parametrize(
    ("rule", "breach"),
    [(rule, breach) for rule, breaches in BREACHES.items() for breach in breaches],
)
def test_each_breach_is_told_by_its_rule(rule: str, breach: Callable[[State], None]) -> None:
    """S1, S2 (what is offered twice is more than there is), S3, S4, S6, S7, S11, S13, S14; A2."""
    rig = Rig()
    rig.running()
    rig.register("a2")
    rig.tick()
    assert violations(rig.core) == []
    breach(rig.core.state)
    assert any(f"({rule})" in sentence for sentence in violations(rig.core))
