"""Models of the ledger alone: one leader's book, and two leaders' books of one agent."""

from __future__ import annotations

from mesos_spec import ledger
from mesos_spec.ids import FrameworkId
from mesos_spec.kernel import Table
from mesos_spec.kernel.claims import Sometimes
from mesos_spec.kernel.model import Counts, Model
from mesos_spec.ledger import Holder, Ledger, Parties
from mesos_spec.models.cases import A1, A2, F1, F2, cpus


def task(of: FrameworkId, name: str) -> Holder:
    """A task that holds something."""
    return Holder(of, "task", name)


def book(
    name: str, title: str, parties: Parties, expect: Counts, *sometimes: Sometimes[Ledger, ...]
) -> Model[Ledger]:
    """The ledger, made finite; `sometimes` are what must happen in it."""
    return Model(
        name=name, title=title, spec=ledger.specification(sometimes), bounds=parties, expect=expect
    )


ONE_BOOK = book(
    "ledger",
    "One leader offers two agents' resources to two frameworks; some are used.",
    Parties(
        epochs=(1,),
        agents=Table({A1: cpus(2), A2: cpus(1)}),
        frameworks=(F1, F2),
        portions=(cpus(1),),
        tasks=Table({task(F1, "t1"): cpus(1), task(F2, "t2"): cpus(1)}),
    ),
    Counts(states=12672, steps=251032, depth=26),
    ledger.a_task_runs_that_its_leader_wrote_off,
)

TWO_BOOKS = book(
    "ledgers",
    "Two leaders both count an agent, and both promise all of it; what runs there fits.",
    Parties(
        epochs=(1, 2),
        agents=Table({A1: cpus(1)}),
        frameworks=(F1,),
        portions=(cpus(1),),
        tasks=Table({task(F1, "t1"): cpus(1), task(F1, "t2"): cpus(1)}),
    ),
    Counts(states=288, steps=4280, depth=13),
    ledger.leaders_promise_more_than_there_is,
    ledger.a_task_runs_that_its_leader_wrote_off,
)

MODELS = (ONE_BOOK, TWO_BOOKS)
