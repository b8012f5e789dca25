"""DRF: the paper's numbers, the order of ties, and the fast allocator against its definition."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesos_ref.allocator import Refuses
from mesos_ref.allocator.drf import Drf
from mesos_ref.master.config import MasterConfig
from mesos_ref.master.state import State
from mesos_ref.resources import Resources
from mesos_ref.wire.v1 import TaskInfo
from model_tests.core.master_rig import SECOND, Rig, Scheduler, executor, task
from model_tests.core.naive_allocator import naive_choice

NINE_CPUS = Resources.of(cpus=9, mem=18 * 1024)


def offered(rig: Rig, who: Scheduler) -> list[tuple[str, str]]:
    """(agent, amount) of each standing offer of a framework."""
    found = [rig.core.state.offers[offer_id] for offer_id in rig.offers(who)]
    return [(offer.agent_id, str(offer.resources)) for offer in found]


# The paper ----------------------------------------------------------------------------------------


def test_the_worked_example_of_figure_3() -> None:
    """A6: s1 has 4 CPUs and 4 GB; framework 1 takes 2/1 and 1/2; framework 2 is offered 1/1."""
    rig = Rig()
    framework_1 = rig.subscribe()
    framework_2 = rig.subscribe()
    link = rig.register("s1", total=Resources.of(cpus=4, mem=4096))
    rig.tick()
    assert offered(rig, framework_1) == [("s1", "cpus:4;mem:4096")]
    assert offered(rig, framework_2) == []
    own = executor("executor 1", resources=())
    wanted = [("task 1", 2, 1024), ("task 2", 1, 2048)]
    tasks = [
        task(name, "s1", cpus=cpus, mem=mem, command=None, executor=own)
        for name, cpus, mem in wanted
    ]
    rig.accept(framework_1, *tasks)
    launched = [
        (frame.task.task_id, frame.executor.executor_id, frame.launch_executor)
        for frame in rig.frames[link][1:]
    ]
    assert launched == [("task 1", "executor 1", True), ("task 2", "executor 1", False)]
    rig.tick()
    assert offered(rig, framework_2) == [("s1", "cpus:1;mem:1024")]
    assert offered(rig, framework_1) == []


def choose(drf: Drf, refuses: Refuses | None = None) -> tuple[str, str] | None:
    """The next claimant, wherever."""
    return drf.choose("a1", NINE_CPUS, refuses)


def test_the_drf_example_gives_three_and_two_tasks() -> None:
    """9 CPUs and 18 GB; A wants 1/4 a task, B wants 3/1: A runs three, B two (DRF, NSDI'11)."""
    drf = Drf()
    drf.add_total(Resources.of(cpus=9, mem=18))
    wants = {"A": Resources.of(cpus=1, mem=4), "B": Resources.of(cpus=3, mem=1)}
    for framework in wants:
        drf.claim(framework, framework)
    free, count = Resources.of(cpus=9, mem=18), {"A": 0, "B": 0}

    def does_not_fit(framework: str, role: str) -> bool:
        return not free.contains(wants[framework])

    while (chosen := choose(drf, does_not_fit)) is not None:
        framework, role = chosen
        drf.charge(framework, role, wants[framework])
        free = free - wants[framework]
        count[framework] += 1
    assert count == {"A": 3, "B": 2}


# Order --------------------------------------------------------------------------------------------


def test_an_unanswered_offer_counts_as_allocation() -> None:
    """F4, F6, ALC-17: who sits on an offer is served after an equal who does not."""
    rig = Rig()
    first, second = rig.subscribe(), rig.subscribe()
    for agent_id in ("a1", "a2", "a3"):
        rig.register(agent_id)
        rig.tick()
    assert offered(rig, first) == [("a1", "cpus:4;mem:1024"), ("a3", "cpus:4;mem:1024")]
    assert offered(rig, second) == [("a2", "cpus:4;mem:1024")]


def test_shares_are_recomputed_for_each_agent_of_a_tick() -> None:
    """ALC-12, MESOS-1119: no framework gets the whole cluster in a single cycle."""
    rig = Rig()
    first, second = rig.subscribe(), rig.subscribe()
    for agent_id in ("a1", "a2", "a3", "a4"):
        rig.register(agent_id)
    rig.tick()
    assert [agent for agent, _ in offered(rig, first)] == ["a1", "a3"]
    assert [agent for agent, _ in offered(rig, second)] == ["a2", "a4"]


def test_roles_compete_before_their_frameworks() -> None:
    """ALC-16: a framework alone in its role gets as much as two that share theirs."""
    rig = Rig()
    alone = rig.subscribe(roles=("a",))
    pair = [rig.subscribe(roles=("b",)) for _ in range(2)]
    for n in range(4):
        rig.register(f"a{n}")
    rig.tick()
    assert [len(rig.offers(who)) for who in (alone, *pair)] == [2, 1, 1]


def test_a_dominant_share_is_the_largest_one() -> None:
    """ALC-15: 10 % of the memory weighs more than 5 % of the CPUs."""
    drf = Drf()
    drf.add_total(Resources.of(cpus=100, mem=1000))
    for role in ("a", "b"):
        drf.claim("f-" + role, role)
    drf.charge("f-a", "a", Resources.of(cpus=5, mem=1))
    drf.charge("f-b", "b", Resources.of(cpus=1, mem=100))
    assert choose(drf) == ("f-a", "a")
    drf.charge("f-a", "a", Resources.of(cpus=6))
    assert choose(drf) == ("f-b", "b")


def test_shares_follow_the_totals() -> None:
    """ALC-15: agents that come and go change who is dominant in what."""
    drf = Drf()
    drf.add_total(Resources.of(cpus=100, mem=1000))
    for role, amount in (("a", Resources.of(cpus=50)), ("b", Resources.of(mem=400))):
        drf.claim("f-" + role, role)
        drf.charge("f-" + role, role, amount)
    assert choose(drf) == ("f-b", "b")
    drf.add_total(Resources.of(cpus=400))
    assert choose(drf) == ("f-a", "a")
    drf.remove_total(Resources.of(cpus=400))
    assert choose(drf) == ("f-b", "b")


def test_what_is_over_goes_to_the_next_who_wants_it() -> None:
    """MESOS-9554: one framework's refusal does not starve those behind it."""
    drf = Drf()
    drf.add_total(NINE_CPUS)
    for n in range(3):
        drf.claim(f"f{n}", "r")
    assert choose(drf, lambda framework, _: framework != "f2") == ("f2", "r")
    assert choose(drf, lambda framework, _: True) is None


def test_who_wants_nothing_still_weighs() -> None:
    """ALC-22: the allocation of a suppressed framework counts for its role."""
    drf = Drf()
    drf.add_total(NINE_CPUS)
    for framework, role in (("f0", "a"), ("f1", "a"), ("f2", "b")):
        drf.claim(framework, role)
    drf.charge("f0", "a", Resources.of(cpus=3))
    drf.charge("f2", "b", Resources.of(cpus=2))
    drf.unclaim("f0", "a")
    assert choose(drf) == ("f2", "b")
    assert choose(drf, lambda _, role: role == "b") == ("f1", "a")


def test_an_allocator_keeps_nothing_of_those_who_left() -> None:
    """MESOS-9782, MESOS-4975: no empty entries stay behind."""
    drf = Drf()
    drf.add_total(NINE_CPUS)
    drf.claim("f", "r")
    drf.charge("f", "r", Resources.parse("cpus:1;ports:[1-2]"))
    drf.charge("f", "r", Resources.parse("ports:[7-8]"))
    drf.release("f", "r", Resources.parse("cpus:1;ports:[1-2]"))
    drf.unclaim("f", "r")
    drf.remove_total(NINE_CPUS)
    assert drf.charged() == {}
    assert drf.role_charged() == {}
    assert choose(drf) is None


# What is worth offering ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("total", "is_offered"),
    [
        (Resources.of(cpus=0.009, mem=31.999), False),
        (Resources.of(cpus=0.01), True),
        (Resources.of(mem=32), True),
        (Resources.parse("ports:[1-1000]"), False),
        (Resources(), False),
    ],
)
def test_a_little_of_one_thing_is_enough(total: Resources, is_offered: bool) -> None:
    """ALC-13, MESOS-1688: 0.01 CPU or 32 MB."""
    rig = Rig()
    who = rig.subscribe()
    rig.register("a1", total=total)
    rig.tick()
    assert bool(rig.offers(who)) == is_offered


def test_free_resources_wait_for_company() -> None:
    """`allocation_delay`: what becomes free within it is offered together."""
    rig = Rig(MasterConfig(allocation_delay_us=SECOND // 10))
    who = rig.subscribe()
    rig.register("a1")
    assert rig.tick(0.05).did == ()
    rig.register("a2")
    assert rig.core.next_deadline == SECOND // 10
    rig.tick(0.05)
    assert [agent for agent, _ in offered(rig, who)] == ["a1", "a2"]


# The definition -----------------------------------------------------------------------------------

AMOUNTS = st.builds(
    Resources.of,
    cpus=st.sampled_from([0, 0.1, 0.3, 1, 3]),
    mem=st.sampled_from([0, 7, 64, 100]),
    gpus=st.sampled_from([0, 0, 1]),
)
ROLES = st.lists(st.sampled_from(["a", "b", "b/c"]), min_size=1, max_size=2, unique=True)


class Checked(Drf):
    """The fast allocator, with each of its choices compared to the naive one's."""

    state: State
    compared = 0

    def choose(
        self, agent: str, free: Resources, refuses: Refuses | None
    ) -> tuple[str, str] | None:
        """The choice of both."""
        chosen = super().choose(agent, free, refuses)
        assert chosen == naive_choice(self.state, self.state.agents[agent])
        self.compared += 1
        return chosen


@given(
    totals=st.lists(AMOUNTS, min_size=1, max_size=5),
    frameworks=st.lists(ROLES, min_size=1, max_size=4),
    data=st.data(),
)
def test_offers_are_the_definitions(
    totals: list[Resources], frameworks: list[list[str]], data: Any
) -> None:
    """On any cluster, after any answers, each offer goes to whom the naive allocator names."""
    rig = Rig(MasterConfig(agent_reregister_timeout_us=SECOND), allocator=(checked := Checked()))
    checked.state = rig.core.state
    who = [rig.subscribe(roles=tuple(roles)) for roles in frameworks]
    links = [rig.register(f"a{n}", total=total) for n, total in enumerate(totals)]
    for _ in range(data.draw(st.integers(1, 12))):
        rig.tick(data.draw(st.sampled_from([0, 1, 5])))
        for one in who:
            for offer_id in rig.offers(one):
                answer(rig, one, offer_id, data)
        if data.draw(st.integers(0, 9)) == 0:
            rig.end_link(data.draw(st.sampled_from(links)))
    assert checked.compared > 0 or not rig.core.state.next_offer


def answer(rig: Rig, who: Scheduler, offer_id: str, data: Any) -> None:
    """Take half, take all, decline for good or for no time, or say nothing."""
    offer = rig.core.state.offers[offer_id]
    share = data.draw(st.sampled_from([0, 1, 2, 3, 4]))
    if share in (1, 2):
        wanted = {name: milli // share for name, milli in offer.resources.scalars.items()}
        amount = Resources(wanted).to_wire()
        info: TaskInfo = task(rig.fresh("t"), offer.agent_id, resources=amount)
        rig.accept(who, info, offers=[offer_id], refuse_s=data.draw(st.sampled_from([0, 5])))
    elif share > 2:
        rig.decline(who, [offer_id], refuse_s=0 if share == 3 else 5)
