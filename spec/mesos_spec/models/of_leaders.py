"""Models of masters and schedulers that take over from others."""

from __future__ import annotations

from mesos_spec.kernel import Table
from mesos_spec.kernel.model import Counts
from mesos_spec.models import witnesses as seen
from mesos_spec.models.cases import (
    A1,
    A2,
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

TAKEN_OVER = model(
    "failover",
    "A second scheduler speaks for a framework while updates and calls are under way.",
    "call give_up_framework " + LINES + WORK,
    cluster(schedulers=Table({S1: user("tear down"), S2: user()})),
    Counts(states=42866, steps=152701, depth=39, cut=96),
    script=RUNNING,
    prompt="up down",
    sometimes=(seen.a_scheduler_is_replaced, seen.a_task_outlives_its_scheduler),
)

#: A framework with an executor that takes something, whose user may tear it down.
TORN_DOWN = cluster(
    agents=Table({A1: cpus(3)}),
    schedulers=Table(
        {S1: user("tear down", tasks=(task(executor="e", executor_resources=cpus(1)),))}
    ),
    links=2,
    frameworks=(F1, F2),
)

REMOVED = model(
    "removal",
    "A framework is removed while its agent is there, away or given up.",
    "tear_down_by_operator give_up_framework call offer lose_framework lose_stream "
    "executor_subscribes mark_unreachable " + LINKS + WORK,
    TORN_DOWN,
    Counts(states=48743, steps=137089, depth=36, cut=682),
    script=RUNNING,
    prompt="calls events up",
    room=1,
    sometimes=(seen.a_task_outlives_its_framework,),
)

REMOVED_AT_ONCE = model(
    "removal-by-operator",
    "An operator removes a framework while its agent is there, away or given up.",
    "tear_down_by_operator mark_unreachable " + LINKS + WORK,
    TORN_DOWN,
    Counts(states=3718, steps=9035, depth=25, cut=110),
    script=RUNNING,
    prompt="calls events up",
    room=1,
)

REMOVED_TOO = model(
    "removal-and-restarts",
    "The same, while the agent may also restart.",
    "tear_down_by_operator give_up_framework call offer lose_framework lose_stream crash_agent "
    "start_agent executor_subscribes recover_executor mark_unreachable " + LINKS + WORK,
    TORN_DOWN,
    Counts(states=74376, steps=243616, depth=36, cut=900),
    script=RUNNING,
    prompt="calls events up",
    room=1,
    sometimes=(seen.a_task_outlives_its_framework,),
)

ELECTED = model(
    "election",
    "Masters are elected and deposed; an agent follows the newest it knows of.",
    "lead end_reign turn_to ping " + LINKS,
    cluster(epochs=(1, 2), links=2),
    Counts(states=5747, steps=30557, depth=25, cut=304),
    script=(*LED, *agent_up()),
    sometimes=(seen.two_masters_lead, seen.master_and_agent_disagree_on_the_link),
)

DEPOSED = model(
    "deposed",
    "A master that does not know that it was deposed launches a task.",
    "lead end_reign turn_to offer call turn_scheduler_to ask_to_subscribe lose_stream " + LINKS,
    cluster(epochs=(1, 2)),
    Counts(states=7354, steps=23231, depth=32, cut=28),
    script=CLUSTER,
    prompt="events up",
    room=1,
    sometimes=(seen.two_masters_lead, seen.an_order_of_an_older_leader_is_too_late),
)

SUCCEEDED = model(
    "succession",
    "A running task is taken over by a new master; its framework may come later than its agent.",
    "lead end_reign turn_to crash_scheduler turn_scheduler_to ask_to_subscribe " + LINKS + WORK,
    cluster(epochs=(1, 2)),
    Counts(states=7215, steps=21265, depth=28),
    script=RUNNING,
    prompt="calls events down up",
    sometimes=(
        seen.a_task_is_known_to_two_masters,
        seen.a_framework_is_known_only_from_its_tasks,
    ),
)

MOVED = model(
    "twins",
    "A task's id is used again on another agent, before the new master hears of the first.",
    "lead end_reign turn_to register offer call executor_subscribes executor_updates " + LINES,
    cluster(
        epochs=(1, 2),
        agents=Table({A1: cpus(1), A2: cpus(1)}),
        schedulers=Table({S1: user("accept again")}),
    ),
    Counts(states=40807, steps=98782, depth=51),
    script=(*CLUSTER, *agent_up("a2"), *LAUNCHED[len(CLUSTER) :], ("run", {})),
    prompt="calls events up down",
)

MOVED_ON = model(
    "twins-at-last",
    "The same, once the new master leads.",
    "end_reign turn_to register offer call executor_subscribes executor_updates "
    "turn_scheduler_to ask_to_subscribe",
    MOVED.bounds,
    Counts(states=15800, steps=35013, depth=45),
    script=(
        *(*CLUSTER, *agent_up("a2"), *LAUNCHED[len(CLUSTER) :], ("run", {})),
        ("lead", {"epoch": 2}),
    ),
    prompt="calls events up down",
)

REPLACED = model(
    "replacements",
    "Two schedulers speak for one framework, one after the other, under two masters.",
    "lead turn_scheduler_to ask_to_subscribe lose_stream crash_scheduler",
    cluster(epochs=(1, 2), schedulers=Table({S1: user(), S2: user()})),
    Counts(states=966, steps=4818, depth=21),
    script=(*LED, *subscribed()),
    prompt="calls",
    sometimes=(seen.a_scheduler_is_replaced,),
)

RETURNED = model(
    "one-address",
    "A master ends, and another leads at its address: whoever has not heard of it finds it there.",
    "lead end_reign turn_to offer call turn_scheduler_to ask_to_subscribe lose_stream register",
    cluster(
        epochs=(1, 2), one_address=True, schedulers=Table({S1: user("tear down", "reconcile")})
    ),
    Counts(states=9196, steps=28653, depth=29),
    script=CLUSTER,
    prompt="events up down",
    room=1,
    sometimes=(seen.a_later_master_answers, seen.a_later_master_refuses),
)

MODELS = (
    *(REPLACED, RETURNED, TAKEN_OVER, REMOVED, REMOVED_AT_ONCE, REMOVED_TOO, ELECTED),
    *(DEPOSED, SUCCEEDED, MOVED, MOVED_ON),
)
