"""Models of what is dangerous together, where no other model lets it meet."""

from __future__ import annotations

from mesos_spec.bounds import Program
from mesos_spec.kernel import Table
from mesos_spec.kernel.model import Counts
from mesos_spec.messages import FrameworkInfo
from mesos_spec.models import witnesses as seen
from mesos_spec.models.cases import (
    AWARE,
    F1,
    F2,
    LINKS,
    S1,
    S2,
    WORK,
    cluster,
    model,
    task,
    user,
)
from mesos_spec.models.settings import CLUSTER, LAUNCHED, LED, RUNNING, agent_up

REMOVED_MEANWHILE = model(
    "removal-in-flight",
    "A framework is removed while its task, and what is said of it, is under way.",
    "tear_down_by_operator executor_subscribes drop_link register lose_agent " + WORK,
    cluster(words=("TASK_RUNNING", "TASK_FINISHED")),
    Counts(states=8774, steps=22199, depth=40, cut=346),
    script=LAUNCHED,
    prompt="calls events",
    room=1,
    sometimes=(seen.a_task_outlives_its_framework,),
)

ASKED_EARLY = model(
    "asked-early",
    "A framework asks a new master about a task whose agent comes later, or not at all.",
    "lead end_reign turn_to call register turn_scheduler_to ask_to_subscribe",
    cluster(epochs=(1, 2), schedulers=Table({S1: user("reconcile each")})),
    Counts(states=354, steps=962, depth=13),
    script=RUNNING,
    prompt="events down up",
    room=1,
)

FORGOTTEN_AGENT = model(
    "forgotten",
    "An agent is given up, forgotten, and comes back with a live task.",
    "mark_unreachable forget_agent register drop_link lose_agent call",
    cluster(schedulers=Table({S1: user("reconcile each", "kill")}), links=2),
    Counts(states=1756, steps=3971, depth=29),
    script=RUNNING,
    prompt="calls events down",
    room=1,
)

FORGOTTEN_FRAMEWORK = model(
    "forgotten-framework",
    "A framework is removed while its agent is away, forgotten, and comes back.",
    "tear_down_by_operator forget_framework lose_agent drop_link register ask_to_subscribe "
    "lose_stream lose_framework",
    cluster(links=2),
    Counts(states=604, steps=1361, depth=18),
    script=RUNNING,
    prompt="events up down",
    room=1,
)

FORGOTTEN_SOON = model(
    "forgotten-before-it-ended",
    "A framework is removed, and forgotten before its agent hears of it.",
    "tear_down_by_operator forget_framework lose_agent drop_link register",
    cluster(links=2),
    Counts(states=184, steps=415, depth=18, cut=8),
    script=RUNNING,
    prompt="events up",
    room=1,
)

THREE = model(
    "three-reigns",
    "Of three masters two stand by; who leads may not know that another does.",
    "lead end_reign turn_to " + LINKS,
    cluster(epochs=(1, 2, 3), links=2),
    Counts(states=2664, steps=10148, depth=19),
    script=(*LED, *agent_up()),
    prompt="down",
    room=1,
)

ROLES = model(
    "roles",
    "A framework is taken over by a scheduler with other roles, while it uses the old ones.",
    "offer call ask_to_subscribe turn_scheduler_to lose_stream lose_framework executor_updates ack",
    cluster(
        schedulers=Table(
            {
                S1: user(),
                S2: Program(
                    F1,
                    FrameworkInfo(("q",), partition_aware=True, checkpoint=False),
                    tasks=(task("t2"),),
                    calls=frozenset({"accept", "decline"}),
                ),
            }
        ),
    ),
    Counts(states=6633, steps=11633, depth=40),
    script=RUNNING,
    prompt="calls events up down",
)

PEERS = model(
    "peers",
    "Two schedulers stand registered, and take their frameworks' places from each other.",
    "offer call ask_to_subscribe lose_stream crash_scheduler turn_scheduler_to",
    cluster(
        schedulers=Table(
            {
                S1: user("decline now"),
                S2: Program(F1, AWARE, calls=frozenset({"decline now"})),
            }
        ),
        frameworks=(F1, F2),
    ),
    Counts(states=1491, steps=6483, depth=24, cut=270),
    script=CLUSTER,
    prompt="down up",
    room=1,
    sometimes=(seen.a_scheduler_is_replaced,),
)

MODELS = (
    *(REMOVED_MEANWHILE, ASKED_EARLY, FORGOTTEN_AGENT, FORGOTTEN_FRAMEWORK, FORGOTTEN_SOON),
    *(THREE, ROLES, PEERS),
)
