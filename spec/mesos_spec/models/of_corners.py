"""Corners: moments that larger models come to late, or never.  Each starts nearly there."""

from __future__ import annotations

from mesos_spec.kernel import Table
from mesos_spec.kernel.model import Counts
from mesos_spec.models import witnesses as seen
from mesos_spec.models.cases import A1, LINKS, S1, cluster, cpus, model, task, user
from mesos_spec.models.settings import CLUSTER, LED, RUNNING, Script, subscribed

OWN = (task(executor="e", executor_resources=cpus(1)),)
#: A scheduler has heard that its task runs, or has ended, and owes an acknowledgement.
TOLD: Script = (
    ("executor_updates", {}),
    ("executor_hears", {}),
    ("forward", {}),
    ("hear_update", {}),
)
ACKED: Script = (("ack", {}), ("acknowledge", {}), ("hear_ack", {}))
OFFERED: Script = (("offer", {}), ("hear_offers", {}))
ACCEPTED: Script = (("call", {}), ("accept", {}))
#: An agent joins as it should be.
FIT: Script = (
    ("start_agent", {}),
    ("turn_to", {}),
    ("register", {"usable": True}),
    ("admit", {}),
    ("be_registered", {}),
)

DEPOSED = model(
    "deposed-with-executors",
    "A master that knows of executors, and has an offer out, is asked, and its reign ends.",
    "call end_reign executor_ends",
    cluster(
        agents=Table({A1: cpus(3)}),
        schedulers=Table({S1: user("reconcile", "reconcile each", tasks=OWN)}),
    ),
    Counts(states=28, steps=49, depth=7),
    script=(*RUNNING, ("forget_filter", {}), *OFFERED),
    prompt="calls events up down",
)

UNFIT = model(
    "unfit-with-work",
    "An agent whose tasks run comes back otherwise than it was, and may not join.",
    "executor_updates executor_ends " + LINKS,
    cluster(unusable=frozenset({A1}), links=2),
    Counts(states=20, steps=28, depth=6),
    script=(
        *LED,
        *FIT,
        *subscribed(),
        *RUNNING[len(CLUSTER) :],
        ("drop_link", {}),
        ("lose_agent", {}),
    ),
    prompt="calls events up",
)

FORGETFUL = model(
    "dead-before-it-said-so",
    "A scheduler dies that has calls on their way, and an acknowledgement to make.",
    "crash_scheduler ack turn_scheduler_to ask_to_subscribe",
    cluster(lines=2, room=2, schedulers=Table({S1: user("reconcile each")})),
    Counts(states=396, steps=849, depth=25),
    script=(*RUNNING, *TOLD, ("call", {})),
    prompt="events up down",
)

AGAIN = model(
    "again-at-once",
    "A task's id is used again while its agent has still something to say of the first.",
    "call ack register executor_ends",
    cluster(agents=Table({A1: cpus(1)}), schedulers=Table({S1: user("accept again")}), links=2),
    Counts(states=188, steps=303, depth=18),
    script=(
        *(*RUNNING, *TOLD, *ACKED, *OFFERED, *ACCEPTED),
        *(("refuse_run", {}), *TOLD[2:], *OFFERED, ("drop_link", {}), *ACKED[:2]),
    ),
    prompt="calls events up",
)

WORD = model(
    "word-of-an-executor",
    "An executor has something to say to its scheduler.",
    "send_up",
    cluster(),
    Counts(states=14, steps=21, depth=7, cut=5),
    script=RUNNING,
    sometimes=(seen.a_message_arrives,),
)

MODELS = (DEPOSED, UNFIT, FORGETFUL, AGAIN, WORD)
