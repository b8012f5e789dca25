"""Models: the specification made finite, subject by subject, with what a complete search counts.

A model takes the actions that its subject needs, starts where the subject starts, and is as small
as it can be while its dangerous moments still happen: those are its SOMETIMES.  *Prompt* channels
are heard before anything else happens, so that they add no interleavings; the others hold what is
sent, and states where one holds more than `room` are cut.  Every ALWAYS and EACH_STEP property is
asked of every model.  Counts are pinned: who changes them says which behaviours came or went.
"""

from __future__ import annotations

from typing import Any

from mesos_spec import witnesses as seen
from mesos_spec.bounds import Bounds, Program
from mesos_spec.ids import AgentId, FrameworkId, SchedulerId, TaskId
from mesos_spec.kernel import Table
from mesos_spec.messages import FrameworkInfo, TaskAsk
from mesos_spec.model import Counts, Model
from mesos_spec.resources import Resources
from mesos_spec.settings import (
    CLUSTER,
    LAUNCHED,
    LED,
    QUEUED,
    RUNNING,
    Script,
    Some,
    agent_up,
    crowded,
    specification,
    subscribed,
)
from mesos_spec.state import State

# ---- who and what --------------------------------------------------------------------------
A1, A2 = AgentId("a1"), AgentId("a2")
F1, F2, F3 = FrameworkId("f1"), FrameworkId("f2"), FrameworkId("f3")
S1, S2, S3 = SchedulerId("s1"), SchedulerId("s2"), SchedulerId("s3")

AWARE, OLD = FrameworkInfo(("r",), partition_aware=True), FrameworkInfo(("r",))


def cpus(n: int, mem_mb: int = 0) -> Resources:
    """So many processors, and so much memory."""
    return Resources({"cpus": 1000 * n, "mem": 1000 * mem_mb})


def task(name: str = "t1", n: int = 1, of: FrameworkId = F1, **more: Any) -> TaskAsk:
    """A task that wants `n` processors of whatever agent it is offered."""
    ask = TaskAsk(TaskId(of, name), AgentId(""), cpus(n))
    return ask._replace(**more)


ONE = (task(),)


def user(
    *calls: str, of: FrameworkId | None = F1, tasks: tuple[TaskAsk, ...] = (task(),)
) -> Program:
    """A scheduler's user, who launches tasks and makes such calls."""
    return Program(of, AWARE, tasks=tasks, calls=frozenset({"accept", *calls}))


def cluster(**sizes: Any) -> Bounds:
    """One master, one agent of two processors, one scheduler; but for what is said otherwise."""
    usual: dict[str, Any] = {
        "epochs": (1,),
        "agents": Table({A1: cpus(2)}),
        "schedulers": Table({S1: user()}),
        "frameworks": (F1,),
    }
    return Bounds(**{**usual, **sizes})


# ---- which choices -------------------------------------------------------------------------
# (What hears is in every model.)
WORK = "executor_updates executor_ends ack "
LINKS = "register drop_link lose_agent "
LINES = "turn_scheduler_to ask_to_subscribe lose_stream lose_framework "


def model(
    name: str,
    title: str,
    choices: str,
    bounds: Bounds,
    expect: Counts | None,
    *,
    script: Script = (),
    prompt: str = "",
    room: int = 2,
    sometimes: tuple[Some, ...] = (),
) -> Model[State]:
    """A part of Mesos, made finite; executors always hear what they are told at once."""
    channels = ("to_executor", *prompt.split())
    return Model(
        name=name,
        title=title,
        spec=specification(name, choices.split(), script, channels, sometimes),
        bounds=bounds,
        expect=expect,
        cut=crowded(room),
    )


# ---- the ladder ----------------------------------------------------------------------------
OFFERED = model(
    "offers",
    "An offer is rescinded while it is accepted, declined, or claimed by another.",
    "offer rescind call lose_agent",
    cluster(
        portions=(cpus(1), cpus(3)),
        schedulers=Table(
            {
                S1: user("decline", "steal"),
                S2: user("decline now", of=F2, tasks=(task(of=F2),)),
            }
        ),
        frameworks=(F1, F2),
    ),
    Counts(states=2459, steps=6984, depth=24, cut=76),
    script=(*CLUSTER, *subscribed("s2")),
    prompt="down",
    sometimes=(seen.an_offer_is_rescinded, seen.an_offer_is_accepted_after_it_ended),
)

FILTERED = model(
    "filters",
    "What a framework refuses is not offered to it; it may want nothing, and want again.",
    "offer rescind call forget_filter",
    cluster(
        schedulers=Table(
            {
                S1: Program(
                    F1,
                    FrameworkInfo(("q", "r"), partition_aware=True),
                    tasks=(task(),),
                    suppressed=("q",),
                    calls=frozenset(
                        {
                            *("decline", "decline now", "accept nothing", "revive", "suppress"),
                            *("revive other", "suppress other", "revive one"),
                        }
                    ),
                )
            }
        ),
        portions=(cpus(1), cpus(3)),
        offers=2,
    ),
    Counts(states=3762, steps=7427, depth=29),
    script=CLUSTER,
    prompt="calls events",
    sometimes=(seen.two_filters_stand, seen.two_offers_of_an_agent_stand),
)

ACCEPTED = model(
    "accepts",
    "Several tasks on several offers: some fit, some do not, some share an executor.",
    "offer call",
    cluster(
        agents=Table({A1: cpus(4)}),
        schedulers=Table(
            {
                S1: user(
                    *("accept all", "accept twice"),
                    tasks=(
                        task("t1", executor="e", executor_resources=cpus(1)),
                        task("t2", executor="e", executor_resources=cpus(2)),
                        task("t3", executor="e", executor_resources=cpus(1)),
                        task("t4", 3),
                        task("t5", flaw="REASON_TASK_GROUP_INVALID"),
                        task("t6", agent=A2),
                    ),
                )
            }
        ),
        portions=(cpus(2),),
        offers=2,
    ),
    Counts(states=681, steps=939, depth=18, cut=12),
    script=CLUSTER,
    prompt="calls events down",
    sometimes=(seen.two_offers_of_an_agent_stand,),
)

KILLED = model(
    "kills",
    "A task is killed in every phase, while its executor comes, works, or dies.",
    "call executor_subscribes give_up_executor " + WORK,
    cluster(
        schedulers=Table({S1: user("kill", "kill elsewhere")}),
        words=("TASK_RUNNING", "TASK_KILLED"),
    ),
    Counts(states=1911, steps=3809, depth=26, cut=158),
    script=LAUNCHED,
    prompt="calls events",
    sometimes=(
        seen.a_queued_task_is_killed,
        seen.a_launched_task_is_to_be_killed,
        seen.an_executor_dies_with_its_task,
        seen.an_executor_never_comes,
        seen.a_task_is_done_with,
    ),
)

SHARED = model(
    "executors",
    "Two tasks share an executor that is shut down, does not come, or dies between them.",
    "offer call executor_subscribes give_up_executor " + WORK,
    cluster(
        agents=Table({A1: cpus(3)}),
        schedulers=Table(
            {
                S1: user(
                    "end executor",
                    tasks=(
                        task("t1", executor="e", executor_resources=cpus(1)),
                        task("t2", executor="e", executor_resources=cpus(1)),
                    ),
                )
            }
        ),
    ),
    Counts(states=25297, steps=42092, depth=45, cut=4636),
    script=CLUSTER,
    prompt="calls events up",
    sometimes=(seen.a_task_comes_too_late_for_its_executor,),
)

TALKED = model(
    "messages",
    "A scheduler and its executor talk, and either may be gone; so may the agent.",
    "call send_up executor_ends ask_to_subscribe lose_stream lose_framework drop_link lose_agent "
    "crash_agent start_agent",
    cluster(schedulers=Table({S1: user("message", "other")}), room=1),
    Counts(states=2091, steps=5346, depth=19, cut=215),
    script=RUNNING,
    prompt="events calls",
    room=1,
)

REPEATED = model(
    "updates",
    "Updates are sent again, heard twice, acknowledged late, over links that break.",
    "resend " + LINKS + WORK,
    cluster(words=("TASK_RUNNING", "TASK_FINISHED"), links=2),
    Counts(states=414270, steps=1059588, depth=90, cut=7710),
    script=RUNNING,
    prompt="calls down",
    sometimes=(
        seen.an_update_is_heard_twice,
        seen.updates_wait_in_line,
        seen.a_task_ended_before_its_framework_heard,
        seen.a_task_is_done_with,
    ),
)

RESTARTED = model(
    "restarts",
    "An agent dies and starts again; its executors come back, or do not, or forgot.",
    "crash_agent start_agent executor_subscribes recover_executor give_up_executor call "
    + LINKS
    + WORK,
    cluster(schedulers=Table({S1: user("kill")}), links=2),
    Counts(states=4172, steps=8484, depth=24, cut=26),
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
    Counts(states=55150, steps=136287, depth=61),
    script=RUNNING,
    prompt="calls events down",
    sometimes=(
        seen.a_task_runs_on_an_agent_that_was_given_up,
        seen.a_task_comes_back_with_its_agent,
        seen.an_ended_task_is_lost_sight_of,
        seen.master_and_agent_disagree_on_the_link,
    ),
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

REMOVED = model(
    "removal",
    "A framework is removed while its agent is there, away or restarting.",
    "tear_down_by_operator give_up_framework call offer lose_framework lose_stream crash_agent "
    "start_agent executor_subscribes recover_executor mark_unreachable " + LINKS + WORK,
    cluster(
        agents=Table({A1: cpus(3)}),
        schedulers=Table(
            {S1: user("tear down", tasks=(task(executor="e", executor_resources=cpus(1)),))}
        ),
        links=2,
    ),
    Counts(states=55520, steps=179956, depth=29, cut=4482),
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
    Counts(states=5747, steps=29565, depth=25, cut=304),
    script=(*LED, *agent_up()),
    sometimes=(seen.two_masters_lead, seen.master_and_agent_disagree_on_the_link),
)

DEPOSED = model(
    "deposed",
    "A master that does not know that it was deposed launches a task.",
    "lead end_reign turn_to offer call " + LINES + LINKS,
    cluster(epochs=(1, 2)),
    Counts(states=29583, steps=109646, depth=39, cut=612),
    script=CLUSTER,
    prompt="events up",
    room=1,
    sometimes=(seen.two_masters_lead, seen.an_order_of_an_older_leader_is_too_late),
)

SUCCEEDED = model(
    "succession",
    "A running task is taken over by a new master; its framework may come later than its agent.",
    "lead end_reign turn_to crash_scheduler " + LINES + LINKS + WORK,
    cluster(epochs=(1, 2)),
    Counts(states=28347, steps=98312, depth=34),
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
    Counts(states=40600, steps=98368, depth=51, cut=207),
    script=(*CLUSTER, *agent_up("a2"), *LAUNCHED[len(CLUSTER) :], ("run", {})),
    prompt="calls events up down",
)

UNWANTED = model(
    "misfits",
    "Agents and schedulers that may not join, and calls of who has not.",
    "lead start_agent turn_to crash_agent call crash_scheduler " + LINES + LINKS,
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
    ),
    Counts(states=6156, steps=39260, depth=22),
    script=LED,
    prompt="up",
)

LATE = model(
    "late-calls",
    "Every kind of call arrives after its framework was lost, or lost its agent.",
    "call lose_framework lose_agent offer ack",
    cluster(
        schedulers=Table(
            {
                S1: user(
                    *("decline", "accept nothing", "revive", "suppress", "kill", "reconcile"),
                    *("end executor", "message", "tear down", "other"),
                    tasks=(task(executor="e"), task("t2")),
                )
            }
        ),
    ),
    Counts(states=25979, steps=64336, depth=33),
    script=(*RUNNING, ("executor_updates", {}), ("forward", {}), ("executor_hears", {})),
    prompt="events down up",
)

REUSED = model(
    "reuse",
    "A task's id is used again on its agent, which still has something to say of the first.",
    "offer call executor_updates " + LINKS + "ack ",
    cluster(agents=Table({A1: cpus(1)}), schedulers=Table({S1: user("accept again")}), links=2),
    Counts(states=4839, steps=9018, depth=49, cut=198),
    script=RUNNING,
    prompt="calls events up",
    room=1,
)

MODELS: tuple[Model[State], ...] = (
    OFFERED,
    FILTERED,
    ACCEPTED,
    KILLED,
    SHARED,
    TALKED,
    REPEATED,
    RESTARTED,
    FORGOTTEN,
    CUT_OFF,
    ASKED,
    TAKEN_OVER,
    REMOVED,
    ELECTED,
    DEPOSED,
    SUCCEEDED,
    MOVED,
    UNWANTED,
    LATE,
    REUSED,
)
