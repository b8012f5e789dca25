"""Scenario files: the shipped ones are right, and a wrong one is told where."""

from __future__ import annotations

import pytest

from mesos_chaos.plan import PlanError, load_scenario, parse_scenario, shipped

GOOD = """
title = "A title long enough"
why = "A reason that is long enough to be read by a student of the matter"
[[workload]]
name = "one"
[[fault]]
kind = "kill"
target = "leader"
at_s = 1.0
"""


def test_five_scenarios_are_shipped_and_each_says_why() -> None:
    loaded = {name: load_scenario(name)[1] for name in shipped()}
    assert len(loaded) >= 5
    assert "A deposed leader acts" in {s.title for s in loaded.values()}
    for scenario in loaded.values():
        assert scenario.fault
        assert scenario.expect.must_see


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('name = "one"', 'name = "one"\nitms = 3', "workload[0].itms: no such key"),
        ('kind = "kill"', 'kind = "kil"', "fault[0].kind"),
        ('target = "leader"', 'target = "everybody"', "fault[0].target"),
        ("at_s = 1.0", 'at_s = 1.0\nafter = "master.accept#1"', "exactly one of at_s, after"),
        ("at_s = 1.0", "", "exactly one of at_s, after"),
        ('kind = "kill"', 'kind = "cut"', "links to masters"),
        ('target = "leader"', 'target = "standby"\n[[fault]]\nkind = "depose"', "fault[1].target"),
        ('"kill"\ntarget = "leader"', '"depose"\ntarget = "standby"', "only the leader"),
        ('title = "A title long enough"', "", "title"),
        ('title = "A title long enough"', "title = ", "not TOML"),
    ],
)
def test_a_wrong_key_is_told_by_its_path(old: str, new: str, told: str) -> None:
    assert parse_scenario(GOOD, "good.toml").fault[0].at_s == 1.0
    with pytest.raises(PlanError) as wrong:
        parse_scenario(GOOD.replace(old, new), "bad.toml")
    assert told in str(wrong.value)
    assert str(wrong.value).startswith("bad.toml: ")


def test_an_unknown_scenario_lists_the_known_ones() -> None:
    with pytest.raises(PlanError, match="deposed_leader"):
        load_scenario("nonesuch")
