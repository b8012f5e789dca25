"""Offers, filters, REVIVE and SUPPRESS: steps.md's table *Offers*."""

from __future__ import annotations

import pytest

from mesos_ref.master.config import MasterConfig
from mesos_ref.resources import Resources
from mesos_ref.step import NOTHING
from mesos_ref.wire import scheduler
from mesos_ref.wire.v1 import AgentInfo, Attribute, Filters, Text
from model_tests.core.master_rig import SECOND, Rig, Scheduler, executor, task, with_executor

# offer --------------------------------------------------------------------------------------------


def test_offer() -> None:
    """OFR-1, stock clients 30: all that is free, with where the agent is and what it says."""
    rig = Rig()
    who = rig.subscribe()
    rig.register("a1", total=Resources.parse("cpus:4;mem:1024;ports:[31000-31009]"))
    step = rig.tick()
    assert step.did == (
        ("offer", {"agent": "a1", "framework": "M-0000", "role": "r", "offer": "M-O0"}),
    )
    (offer,) = rig.events[who.stream][-1].offers.offers
    assert (offer.id, offer.framework_id, offer.agent_id) == ("M-O0", "M-0000", "a1")
    assert offer.url.address.ip == "127.0.0.1"
    assert (offer.hostname, offer.url.path) == ("a1.example", "/slave(1)")
    assert offer.allocation_info.role == "r"
    assert [r.name for r in offer.resources] == ["cpus", "mem", "ports"]
    assert {r.allocation_info.role for r in offer.resources} == {"r"}
    assert rig.core.view()["offers/M-O0"] == {
        "agent": "a1",
        "framework": "M-0000",
        "role": "r",
        "resources": {"cpus": 4000, "mem": 1024000, "ports": 10_000},
    }


def test_offer_names_the_frameworks_executors() -> None:
    """An offer says which executors of the framework are on the agent already."""
    rig = Rig()
    who = rig.subscribe()
    rig.register("a1")
    rig.tick()
    rig.accept(who, with_executor("t1", executor("e1")), refuse_s=0)
    rig.tick()
    (offer,) = rig.events[who.stream][-1].offers.offers
    assert offer.executor_ids == ("e1",)


def test_offer_carries_attributes() -> None:
    """What an agent says of itself is shown as it is."""
    rig = Rig()
    who = rig.subscribe()
    rack = Attribute(name="rack", type="TEXT", text=Text(value="abc"))
    amount = Resources.of(cpus=4).to_wire()
    rig.register("a1", info=AgentInfo(hostname="h", attributes=(rack,), resources=amount))
    rig.tick()
    assert rig.events[who.stream][-1].offers.offers[0].attributes == (rack,)


def test_offer_is_one_an_event() -> None:
    """steps.md: one offer an OFFERS event, agents by id."""
    rig = Rig()
    who = rig.subscribe()
    for agent_id in ("a2", "a10", "a1"):
        rig.register(agent_id)
    rig.tick()
    sent = [event.offers.offers for event in rig.events[who.stream] if event.type == "OFFERS"]
    assert [[offer.agent_id for offer in some] for some in sent] == [["a1"], ["a10"], ["a2"]]


def test_offer_ids_are_new_each_time() -> None:
    """S5: what comes back is offered under another id."""
    rig = Rig()
    who = rig.subscribe()
    rig.register("a1")
    seen = []
    for _ in range(3):
        rig.tick()
        seen += rig.offers(who)
        rig.decline(who, refuse_s=0)
    assert seen == ["M-O0", "M-O1", "M-O2"]


def test_nobody_connected_is_offered_nothing() -> None:
    """OFR-2, S6: disconnected and recovered frameworks get none; agents that are away give none."""
    rig = Rig()
    who = rig.subscribe()
    rig.end_stream(who)
    link = rig.register("a1")
    assert rig.tick().did == ()
    rig.end_link(link)
    rig.subscribe(who.framework_id)
    assert rig.tick().did == ()


def test_a_new_claimant_is_offered_what_nobody_wanted() -> None:
    """ALC-1, FWK-10: a new framework, or a new role, is an occasion to offer."""
    rig = Rig()
    who = rig.subscribe(suppressed=("r",))
    rig.register("a1")
    assert rig.tick().did == ()
    rig.subscribe(who.framework_id, roles=("s",))
    assert [name for name, _ in rig.tick().did] == ["offer"]


# rescind ------------------------------------------------------------------------------------------


def test_rescind() -> None:
    """OFR-4, F5: after `offer_timeout`, not before; the amount is free again, unfiltered."""
    rig = Rig(MasterConfig(offer_timeout_us=30 * SECOND, agent_ping_timeout_us=10**12))
    who = rig.subscribe()
    rig.register("a1")
    rig.tick()
    assert rig.run_for(29.9) == []
    assert rig.run_for(0.1) == ["rescind", "offer"]
    assert [event.type for event in rig.events[who.stream][-2:]] == ["RESCIND", "OFFERS"]
    assert rig.events[who.stream][-2].rescind.offer_id == "M-O0"


def test_rescind_not_once_answered() -> None:
    """Mesos: OfferNotRescindedOnceUsed, OfferNotRescindedOnceDeclined."""
    rig = Rig(MasterConfig(offer_timeout_us=30 * SECOND, agent_ping_timeout_us=10**12))
    who = rig.subscribe()
    rig.register("a1")
    rig.tick()
    rig.accept(who, task("t1", cpus=4, mem=1024))
    assert rig.run_for(100) == []


def test_a_reply_to_a_rescinded_offer_launches_nothing() -> None:
    """F5, S20."""
    rig = Rig(MasterConfig(offer_timeout_us=30 * SECOND))
    who = rig.subscribe()
    rig.register("a1")
    rig.tick()
    rig.tick(30)
    rig.accept(who, task("t1"), offers=["M-O0"])
    assert rig.did == ["refuse_accept"]
    assert rig.statuses(who) == [("t1", "TASK_DROPPED", "REASON_INVALID_OFFERS")]


# decline, forget_filter ---------------------------------------------------------------------------


def test_decline() -> None:
    """OFR-7: the framework's known offers are filtered, all other ids are ignored."""
    rig = Rig()
    who, other = rig.subscribe(), rig.subscribe()
    for agent_id in ("a1", "a2", "a3"):
        rig.register(agent_id)
    rig.tick()
    rig.decline(who, [*rig.offers(other), "M-O99", *rig.offers(who), *rig.offers(who)])
    assert rig.last.did == (("decline", {}),)
    assert len(rig.offers(other)) == 1
    assert rig.offers(who) == []
    view = rig.core.view()
    whole = {"cpus": 4000, "mem": 1024000}
    assert view["filters/M-0000/a1/r"] == view["filters/M-0000/a3/r"] == [whole]
    assert rig.answers[-1].status == 202


@pytest.mark.parametrize(
    ("refuse_s", "life_s"),
    [
        (None, 5),
        (5.0, 5),
        (-1.0, 5),
        (float("inf"), 5),
        (float("nan"), 5),
        (0.2, 1),
        (7.25, 7.25),
        (1e18, 365 * 24 * 3600),
    ],
)
def test_forget_filter(refuse_s: float | None, life_s: float) -> None:
    """FLT-3, FLT-4, FLT-5, L3: it lives as long as asked, within bounds, then all is offered."""
    rig = Rig(MasterConfig(agent_ping_timeout_us=10**15))
    who = rig.subscribe()
    rig.register("a1")
    rig.tick()
    filters = None if refuse_s is None else Filters(refuse_seconds=refuse_s)
    rig.call(who, "DECLINE", scheduler.Decline(offer_ids=("M-O0",), filters=filters))
    assert rig.tick(life_s - 0.000001).did == ()
    step = rig.tick(0.000001)
    amount = {"cpus": 4000, "mem": 1024000}
    names = {"framework": "M-0000", "agent": "a1", "role": "r", "resources": amount}
    assert step.did[0] == ("forget_filter", names)
    assert [name for name, _ in step.did] == ["forget_filter", "offer"]


def test_refusing_for_no_time_is_no_filter() -> None:
    """FLT-3: 0 seconds."""
    rig = Rig()
    who = rig.subscribe()
    rig.register("a1")
    rig.tick()
    rig.decline(who, refuse_s=0)
    assert rig.core.state.filters == {}
    assert [name for name, _ in rig.tick().did] == ["offer"]


def test_a_filter_holds_back_what_it_contains() -> None:
    """FLT-2, MESOS-83: less than refused is held back, anything more passes."""
    rig = Rig()
    who, link = rig.running(cpus=2)
    rig.tick()
    rig.decline(who, refuse_s=1000)
    assert rig.tick().did == ()
    rig.update(link, who, "t1", "TASK_FINISHED", n=2)
    assert [name for name, _ in rig.tick().did] == ["offer"]


def test_a_filter_is_one_roles() -> None:
    """FLT-1, FLT-13: what is declined in a role is offered in the other."""
    rig = Rig()
    who = rig.subscribe(roles=("r", "s"))
    rig.register("a1")
    for role in ("r", "s"):
        rig.tick()
        (offer_id,) = rig.offers(who)
        assert rig.core.state.offers[offer_id].role == role
        rig.decline(who)
    assert rig.tick().did == ()


def test_filters_of_one_key_end_each_in_its_time() -> None:
    """MESOS-9852: a long filter does not keep a later, shorter one, nor the other way round."""
    rig = Rig(MasterConfig(agent_ping_timeout_us=10**12))
    who, link = rig.running(cpus=2)
    rig.tick()
    rig.decline(who, refuse_s=1000)
    rig.update(link, who, "t1", "TASK_FINISHED", n=2)
    rig.tick()
    rig.decline(who, refuse_s=10)
    key = f"filters/{who.framework_id}/a1/r"
    assert [amount["cpus"] for amount in rig.core.view()[key]] == [2000, 4000]
    assert rig.run_for(10) == ["forget_filter", "offer"]
    assert [amount["cpus"] for amount in rig.core.view()[key]] == [2000]


def test_any_filter_of_a_key_holds_back() -> None:
    """FLT-2: also an older one, where a newer one would let it pass."""
    rig = Rig()
    who, link = rig.running(cpus=3)
    rig.tick()
    rig.decline(who, refuse_s=1000)  # 1 CPU, 960 MB
    rig.update(link, who, "t1", "TASK_FINISHED", n=2)
    rig.tick()
    rig.accept(who, task("t2", cpus=0, mem=924), refuse_s=1000)  # 4 CPUs, 100 MB are left
    rig.update(link, who, "t2", "TASK_FINISHED", n=3)
    rig.tick()
    rig.accept(who, task("t3", cpus=3, mem=524), refuse_s=0)
    assert str(rig.core.state.agents["a1"].free) == "cpus:1;mem:500"
    assert rig.tick().did == ()


# revive, suppress ---------------------------------------------------------------------------------


def claims(rig: Rig, who: Scheduler) -> list[str]:
    """The roles of a framework's standing offers."""
    return sorted(rig.core.state.offers[offer].role for offer in rig.offers(who))


def both_declined(rig: Rig) -> Scheduler:
    """A framework that has declined a1 in both its roles."""
    who = rig.subscribe(roles=("r", "s"))
    rig.register("a1")
    for _ in range(2):
        rig.tick()
        rig.decline(who, refuse_s=1000)
    return who


def test_revive() -> None:
    """FLT-7: all roles if none is named; filters are void, and offers come at once."""
    rig = Rig()
    who = both_declined(rig)
    rig.call(who, "REVIVE")
    assert rig.last.did == (("revive", {}),)
    assert rig.core.state.filters == {}
    rig.tick()
    assert claims(rig, who) == ["r"]


def test_revive_is_for_the_named_roles() -> None:
    """FLT-7, MESOS-9856, MESOS-7430: the other roles' filters and suppression stay."""
    rig = Rig()
    who = both_declined(rig)
    rig.call(who, "SUPPRESS")
    rig.call(who, "REVIVE", scheduler.Revive(roles=("s",)))
    rig.tick()
    assert claims(rig, who) == ["s"]
    view = rig.core.view()
    assert view["frameworks/M-0000"]["suppressed"] == ["r"]
    assert [key for key in view if key.startswith("filters")] == ["filters/M-0000/a1/r"]


def test_suppress() -> None:
    """FLT-8: no new offers in the role; those that are out stand."""
    rig = Rig()
    who = rig.subscribe(roles=("r", "s"))
    rig.register("a1")
    rig.tick()
    rig.call(who, "SUPPRESS", scheduler.Suppress(roles=("r",)))
    assert rig.last.did == (("suppress", {}),)
    assert claims(rig, who) == ["r"]
    rig.register("a2")
    rig.tick()
    assert claims(rig, who) == ["r", "s"]


@pytest.mark.parametrize("kind", ["REVIVE", "SUPPRESS"])
def test_a_foreign_role_drops_the_call(kind: str) -> None:
    """FLT-9: not even its own roles are touched."""
    rig = Rig()
    who = rig.subscribe(roles=("r", "s"), suppressed=("s",))
    before = rig.core.view()
    part = scheduler.Revive(roles=("r", "s", "t"))
    rig.call(who, kind, part if kind == "REVIVE" else scheduler.Suppress(roles=part.roles))
    assert rig.did == [kind.lower()]
    assert rig.core.view() == before
    assert rig.answers[-1].status == 202


# A tick -------------------------------------------------------------------------------------------


def test_a_tick_does_what_is_due_in_order() -> None:
    """steps.md: forget filters, rescind, ping, mark unreachable, give up frameworks, offers."""
    config = MasterConfig(
        offer_timeout_us=60 * SECOND,
        agent_ping_timeout_us=60 * SECOND,
        agent_reregister_timeout_us=60 * SECOND,
    )
    rig = Rig(config)
    rig.end_stream(rig.subscribe(failover_timeout=60.0))
    who = rig.subscribe()
    links = [rig.register(agent_id) for agent_id in ("a1", "a2", "a3")]
    rig.tick()
    rig.decline(who, rig.offers(who)[:1], refuse_s=60)
    rig.end_link(links[2])
    assert [name for name, _ in rig.tick(60).did] == [
        *["forget_filter", "rescind", "ping", "ping"],
        *["mark_unreachable", "give_up_framework", "offer", "offer"],
    ]


def test_nothing_due_is_nothing_done() -> None:
    """steps.md: no record."""
    rig = Rig()
    assert rig.tick() == NOTHING
    assert rig.core.next_deadline is None


def test_of_two_filters_of_one_amount_either_may_end_first() -> None:
    """FLT-5: a refusal for a second ends before an earlier one for an hour."""
    shown = []
    for lives in ((3600, 3600, 1), (1, 3600, 3600)):
        rig = Rig()
        rig.subscribe()
        rig.register("a1")
        m = rig.core.state
        agent, framework = m.agents["a1"], m.frameworks["M-0000"]
        little, much = Resources.parse("mem:1"), Resources.parse("cpus:1;mem:1")
        for amount, life_s in zip((much, little, much), lives):
            m.add_filter(agent, framework, "r", amount, life_s * SECOND)
        rig.tick(2)
        shown.append(rig.core.view()["filters/M-0000/a1/r"])
    assert shown[0] == shown[1] == [{"cpus": 1000, "mem": 1000}, {"mem": 1000}]
