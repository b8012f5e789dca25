"""Models of agents that restart, are cut off, or may not join."""

from __future__ import annotations

from mesos_spec.bounds import Program
from mesos_spec.kernel import Table
from mesos_spec.kernel.model import Counts
from mesos_spec.messages import FrameworkInfo
from mesos_spec.models import witnesses as seen
from mesos_spec.models.cases import (
    A1,
    AWARE,
    F1,
    F2,
    LINES,
    LINKS,
    OLD,
    S1,
    S2,
    WORK,
    cluster,
    cpus,
    model,
    task,
    user,
)
from mesos_spec.models.settings import LAUNCHED, LED, QUEUED, RUNNING

RESTARTED = model(
    "restarts",
    "An agent dies and starts again; its executors come back, or do not, or forgot.",
    "crash_agent start_agent executor_subscribes recover_executor give_up_executor call "
    + LINKS
    + WORK,
    cluster(schedulers=Table({S1: user("kill")}), links=2),
    Counts(states=4198, steps=8536, depth=24),
    script=QUEUED,
    prompt="calls events up down",
    sometimes=(
        seen.an_executor_does_not_come_back,
        seen.a_task_is_lost_on_its_way_to_its_executor,
    ),
)

FORGOTTEN = model(
    "restarts-without-checkpoints",
    "An agent dies that has nothing written down of the framework: its tasks are LOST.",
    "crash_agent start_agent executor_subscribes recover_executor " + LINKS + WORK,
    cluster(
        schedulers=Table(
            {
                S1: Program(
                    F1,
                    FrameworkInfo(("r",), partition_aware=False, checkpoint=False),
                    tasks=(task(),),
                    calls=frozenset({"accept"}),
                )
            }
        ),
        links=2,
    ),
    Counts(states=1109, steps=2026, depth=28),
    script=RUNNING,
    prompt="calls events up down",
)

CUT_OFF = model(
    "unreachable",
    "An agent is cut off, given up, and comes back with a live task.",
    "mark_unreachable " + LINKS + WORK,
    cluster(links=2, words=("TASK_RUNNING",)),
    Counts(states=55150, steps=138587, depth=61),
    script=RUNNING,
    prompt="calls events down",
    sometimes=(
        seen.a_task_runs_on_an_agent_that_was_given_up,
        seen.a_task_comes_back_with_its_agent,
        seen.an_ended_task_is_lost_sight_of,
        seen.master_and_agent_disagree_on_the_link,
    ),
)

LOST = model(
    "lost-and-found",
    "The same, of a framework that can't tell unreachable from lost: what was LOST comes back.",
    "mark_unreachable " + LINKS,
    cluster(
        schedulers=Table({S1: Program(F1, OLD, tasks=(task(),), calls=frozenset({"accept"}))}),
        links=2,
        words=("TASK_RUNNING",),
    ),
    Counts(states=45, steps=69, depth=18),
    script=(
        *RUNNING,
        *(("executor_updates", {}), ("executor_hears", {}), ("forward", {}), ("hear_update", {})),
    ),
    prompt="calls events up down",
    sometimes=(seen.a_task_runs_on_an_agent_that_was_given_up,),
)

ASKED = model(
    "reconciliation",
    "A framework asks about a task on an agent that is there, away, given up, or back.",
    "call mark_unreachable " + LINKS,
    cluster(
        schedulers=Table(
            {S1: user("reconcile", "reconcile each", "kill", tasks=(task(), task("t2")))}
        ),
        links=2,
    ),
    Counts(states=14077, steps=31134, depth=30, cut=205),
    script=LAUNCHED,
    prompt="calls events up",
    sometimes=(
        seen.an_unknown_task_is_asked_about,
        seen.a_scheduler_hears_of_a_lost_agent,
        seen.a_task_never_reached_its_agent,
    ),
)

UNWANTED = model(
    "misfits",
    "Agents and schedulers that may not join, and calls of who has not.",
    "lead end_reign start_agent turn_to crash_agent call crash_scheduler " + LINES + LINKS,
    cluster(
        agents=Table({A1: cpus(1)}),
        unusable=frozenset({A1}),
        schedulers=Table(
            {
                S1: Program(None, AWARE, calls=frozenset({"other", "tear down"})),
                S2: Program(None, AWARE, usable=False),
            }
        ),
        frameworks=(F1, F2),
        full=True,
    ),
    Counts(states=10508, steps=72748, depth=23),
    script=LED,
    prompt="up",
)

MODELS = (RESTARTED, FORGOTTEN, CUT_OFF, LOST, ASKED, UNWANTED)
