"""Models of agents and frameworks that are like each other, where symmetry pays.

Searched whole they are as good as any.  With `--symmetry`, states that differ only by which agent
is called what are looked at once.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mesos_spec.ids import AgentId
from mesos_spec.kernel import Table
from mesos_spec.kernel.model import Counts, Model
from mesos_spec.models.cases import A1, A2, F1, F2, LINKS, S1, S2, cluster, cpus, model, task, user
from mesos_spec.models.settings import LED, agent_up, subscribed
from mesos_spec.state import State

A3 = AgentId("a3")

FLEET: Model[State] = replace(
    model(
        "fleet",
        "Three agents that are like each other are lost, cut off, given up, and come back.",
        "mark_unreachable " + LINKS,
        cluster(
            agents=Table({a: cpus(1) for a in (A1, A2, A3)}),
            schedulers=Table(),
            frameworks=(),
        ),
        Counts(states=4096, steps=27648, depth=18),
        script=(*LED, *agent_up("a1"), *agent_up("a2"), *agent_up("a3")),
    ),
    alike=((("a1",), ("a2",), ("a3",)),),
)

MARKET: Model[State] = replace(
    model(
        "market",
        "Two frameworks that are like each other are offered two agents that are, too.",
        "offer rescind call executor_ends ack",
        cluster(
            agents=Table({A1: cpus(1), A2: cpus(1)}),
            schedulers=Table(
                {S1: user("decline"), S2: user("decline", of=F2, tasks=(task(of=F2),))}
            ),
            frameworks=(F1, F2),
        ),
        Counts(states=8136, steps=12000, depth=38),
        script=(*LED, *agent_up("a1"), *agent_up("a2"), *subscribed("s1"), *subscribed("s2")),
        prompt="calls events down up",
    ),
    alike=((("a1",), ("a2",)), (("f1", "s1"), ("f2", "s2"))),
)

MODELS: tuple[Model[Any], ...] = (FLEET, MARKET)
