"""Dominant resource fairness, against the papers' own examples and an independent definition."""

from __future__ import annotations

from mesos_spec.allocation import dominant, next_claimant, share
from mesos_spec.ids import FrameworkId, OfferId
from mesos_spec.kernel import Table
from mesos_spec.mesos import ACTIONS
from mesos_spec.messages import Accept
from mesos_spec.models.cases import A1, F1, F2, S1, S2, cluster, cpus, task, user
from mesos_spec.models.settings import CLUSTER, Beginning, subscribed
from mesos_spec.offers import offer
from mesos_spec.resources import NOTHING, Resources
from mesos_spec.state import State


def two_frameworks(whole: Resources) -> State:
    """One agent with so much, two frameworks that wait for offers."""
    users = Table({S1: user(), S2: user(of=F2)})
    bounds = cluster(agents=Table({A1: whole}), schedulers=users, frameworks=(F1, F2), offers=99)
    return Beginning((*CLUSTER, *subscribed("s2")))(bounds)


def served(s: State, n: int, wants: dict[FrameworkId, Resources]) -> tuple[State, str] | None:
    """Offer what is free to whom it is due, who launches one task on it if that fits."""
    free = s.free(1, A1)
    due = next_claimant(s, 1, A1)
    if due is None or not wants[due[0]] <= free:
        return None
    framework, role = due
    made = OfferId(A1, str(n))
    s = offer(s, 1, A1, framework, role, made, free)
    me = s.scheduler[S1 if framework == F1 else S2]
    assert me.line is not None
    assert me.stream is not None
    ask = task(f"t{n}", of=framework, agent=A1, resources=wants[framework])
    call = Accept(framework, me.stream, (made,), (ask,), filtered=False)
    foreign = ACTIONS["foreign_call"]
    s = foreign(s, line=me.line, message=call)
    return ACTIONS["accept"](s, epoch=1, line=me.line), framework


def test_the_worked_example_of_the_paper() -> None:
    """A6: what framework 1 leaves of four processors and four gigabytes is framework 2's."""
    s = two_frameworks(cpus(4, 4))
    assert next_claimant(s, 1, A1) == (F1, "r")
    taken = served(s, 1, {F1: cpus(2, 1), F2: cpus(1, 1)})
    assert taken is not None
    assert taken[0].free(1, A1) == cpus(2, 3)
    assert next_claimant(taken[0], 1, A1) == (F2, "r")


def test_progressive_filling_as_in_the_drf_paper() -> None:
    """Nine processors and 18 GB, tasks of ⟨1, 4⟩ and ⟨3, 1⟩: three of the one, two of the other."""
    s, wants, got = two_frameworks(cpus(9, 18)), {F1: cpus(1, 4), F2: cpus(3, 1)}, ""
    for n in range(1, 6):
        step = served(s, n, wants)
        assert step is not None
        s, framework = step
        got += framework[-1]
    assert sorted(got) == ["1", "1", "1", "2", "2"]
    assert s.free(1, A1) == cpus(0, 4)


def test_offered_counts_like_used() -> None:
    """F4, F6: who sits on an offer is served later."""
    s = two_frameworks(cpus(4, 4))
    s = offer(s, 1, A1, F1, "r", OfferId(A1, "1"), cpus(1, 1))
    assert next_claimant(s, 1, A1) == (F2, "r")


def test_integer_shares_order_as_fractions_do() -> None:
    capacity = Resources({"cpus": 7000, "mem": 13_000, "disk": 3})
    amounts = [
        Resources({"cpus": c, "mem": m}) for c in (0, 999, 1000, 6500) for m in (0, 1857, 12_072)
    ]
    by_integer = sorted(amounts, key=lambda one: share(one, capacity))
    exact = [dominant([one], capacity) for one in by_integer]
    assert exact == sorted(exact)
    assert share(NOTHING, capacity) == 0
