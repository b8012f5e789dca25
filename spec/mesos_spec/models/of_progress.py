"""Models of what happens in the end: one for each of L1 to L7, with what it relies on.

A model is as free as its claims can bear: links break, agents die, executors end as they like, and
only the promises that a claim names keep the rest going.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mesos_spec import progress
from mesos_spec.allocation import fair_offer
from mesos_spec.kernel import Eventually, Table
from mesos_spec.kernel.model import Counts, Model
from mesos_spec.models.cases import (
    A1,
    F1,
    F2,
    LINES,
    LINKS,
    S1,
    S2,
    WORK,
    cluster,
    cpus,
    model,
    task,
    user,
)
from mesos_spec.models.settings import CLUSTER, LAUNCHED, LED, RUNNING, agent_up, subscribed
from mesos_spec.progress import give_up_agent, leave_silent_link
from mesos_spec.state import State


def lively(model: Model[State], *claims: Eventually[State, ...]) -> Model[State]:
    """A model of which these things are claimed to happen in the end."""
    return replace(model, spec=replace(model.spec, eventually=claims))


TOLD = lively(
    model(
        "told-in-the-end",
        "A task is launched over links that break; its executor may never come.",
        "executor_subscribes executor_updates executor_ends give_up_executor " + LINKS,
        cluster(links=2),
        Counts(states=4556, steps=14546, depth=23),
        script=LAUNCHED,
        prompt="calls events",
        own=(leave_silent_link,),
    ),
    progress.a_launched_task_is_told_of,
)

MISSED = lively(
    model(
        "missed-in-the-end",
        "A task's executor or agent dies, or its agent is cut off.",
        "crash_agent start_agent recover_executor executor_ends ack " + LINKS,
        cluster(links=2),
        Counts(states=22074, steps=70263, depth=48),
        script=RUNNING,
        prompt="calls events down",
        own=(leave_silent_link, give_up_agent),
    ),
    progress.nobody_waits_for_a_lost_task,
)

REPEATED = lively(
    model(
        "acknowledged-in-the-end",
        "Updates are sent again over links that break, until they are acknowledged.",
        "resend " + LINKS + WORK,
        cluster(links=2),
        Counts(states=14978, steps=40496, depth=42),
        script=RUNNING,
        prompt="calls events down",
        own=(leave_silent_link,),
    ),
    progress.an_update_is_acknowledged,
)

OFFERED = lively(
    model(
        "offered-in-the-end",
        "Frameworks decline, revive and suppress; what nobody took is offered again.",
        "offer rescind call forget_filter",
        cluster(
            schedulers=Table(
                {
                    S1: user("decline", "decline now", "suppress", "revive"),
                    S2: user("decline", of=F2, tasks=(task(of=F2),)),
                }
            ),
            frameworks=(F1, F2),
        ),
        Counts(states=321, steps=550, depth=15),
        script=(*CLUSTER, *subscribed("s2")),
        prompt="calls events down",
    ),
    progress.what_is_free_is_offered_again,
)

NEXT = lively(
    model(
        "next-in-the-end",
        "Two frameworks are offered by share, while tasks end and filters expire.",
        "call forget_filter executor_ends ack",
        cluster(
            agents=Table({A1: cpus(2, 3)}),
            schedulers=Table(
                {
                    S1: user("decline now", tasks=(task(mem_mb=2),)),
                    S2: user("decline", of=F2, tasks=(task(of=F2),)),
                }
            ),
            frameworks=(F1, F2),
            offers=2,
        ),
        Counts(states=4651, steps=7867, depth=56),
        script=(*CLUSTER, *subscribed("s2")),
        prompt="calls events down up",
        own=(fair_offer,),
    ),
    progress.the_poorest_is_not_passed_over,
)

GIVEN_UP = lively(
    model(
        "given-up-in-the-end",
        "A framework and an agent are lost; they come back, or are given up.",
        "crash_agent start_agent give_up_framework " + LINKS + LINES,
        cluster(links=2),
        Counts(states=672, steps=2126, depth=15),
        script=CLUSTER,
        prompt="calls events down",
        own=(give_up_agent,),
    ),
    progress.a_lost_framework_returns_or_is_removed,
    progress.a_lost_agent_returns_or_is_given_up,
)

FOUND = lively(
    model(
        "found-in-the-end",
        "Masters are elected and deposed; an agent finds the newest, over links that break.",
        "lead end_reign turn_to " + LINKS,
        cluster(epochs=(1, 2), links=3),
        Counts(states=1876, steps=7585, depth=18),
        script=(*LED, *agent_up()),
        prompt="down",
        own=(leave_silent_link,),
    ),
    progress.agents_register_with_a_new_leader,
)

FOUND_TOO = lively(
    model(
        "subscribed-in-the-end",
        "Masters are elected and deposed; a scheduler subscribes with the newest.",
        "lead end_reign " + LINES,
        cluster(epochs=(1, 2), lines=2),
        Counts(states=1562, steps=4811, depth=22),
        script=(*LED, *subscribed()),
        prompt="events",
    ),
    progress.schedulers_subscribe_with_a_new_leader,
)

ANSWERED = lively(
    model(
        "answered-in-the-end",
        "A framework asks a new master about a task whose agent comes late, is lost, or given up.",
        "call turn_to register lose_agent mark_unreachable lose_stream lose_framework",
        cluster(epochs=(1, 2), schedulers=Table({S1: user("reconcile each")}), links=2),
        Counts(states=501, steps=1149, depth=12),
        script=(*LAUNCHED, ("lead", {"epoch": 2}), *subscribed(epoch=2)),
        prompt="calls events up down",
    ),
    progress.who_keeps_asking_is_answered,
)

MODELS: tuple[Model[Any], ...] = (
    *(TOLD, MISSED, REPEATED, OFFERED, NEXT, GIVEN_UP, FOUND, FOUND_TOO, ANSWERED),
)
