"""Models of tasks, their executors, and what is said of them."""

from __future__ import annotations

from mesos_spec.bounds import Program
from mesos_spec.kernel import Table
from mesos_spec.kernel.model import Counts
from mesos_spec.models import witnesses as seen
from mesos_spec.models.cases import (
    A1,
    AWARE,
    F1,
    F2,
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
from mesos_spec.models.settings import CLUSTER, LAUNCHED, QUEUED, RUNNING

KILLED = model(
    "kills",
    "A task is killed in every phase, while its executor comes, works, or dies.",
    "call executor_subscribes give_up_executor " + WORK,
    cluster(
        schedulers=Table({S1: user("kill", "kill elsewhere")}),
        words=("TASK_RUNNING", "TASK_KILLED"),
    ),
    Counts(states=1955, steps=3897, depth=26, cut=114),
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
    Counts(states=27039, steps=45756, depth=45, cut=3254),
    script=CLUSTER,
    prompt="calls events up",
    sometimes=(seen.a_task_comes_too_late_for_its_executor,),
)

TALKED = model(
    "messages",
    "A scheduler and its executor talk, and either may be gone; so may the agent.",
    "call send_up executor_ends ask_to_subscribe lose_stream lose_framework drop_link lose_agent "
    "crash_agent start_agent executor_subscribes",
    cluster(schedulers=Table({S1: user("message", "other")}), room=1),
    Counts(states=14792, steps=41192, depth=26, cut=1332),
    script=QUEUED,
    prompt="events calls",
    room=1,
    sometimes=(seen.a_message_arrives,),
)

REPEATED = model(
    "updates",
    "Updates are sent again, heard twice, acknowledged late.",
    "resend " + WORK,
    cluster(words=("TASK_RUNNING", "TASK_FINISHED")),
    Counts(states=4014, steps=7730, depth=37, cut=694),
    script=RUNNING,
    prompt="calls",
    sometimes=(
        seen.an_update_is_heard_twice,
        seen.updates_wait_in_line,
        seen.a_task_ended_before_its_framework_heard,
        seen.a_task_is_done_with,
    ),
)

REPEATED_OVER_LINKS = model(
    "updates-over-broken-links",
    "The same, over links that break.",
    "resend " + LINKS + WORK,
    cluster(words=("TASK_RUNNING", "TASK_FINISHED"), links=2),
    Counts(states=102950, steps=245334, depth=81),
    script=RUNNING,
    prompt="calls events down",
    sometimes=(
        seen.an_update_is_heard_twice,
        seen.updates_wait_in_line,
        seen.a_task_ended_before_its_framework_heard,
        seen.a_task_is_done_with,
    ),
)

REUSED = model(
    "reuse",
    "A task's id is used again on its agent, which still has something to say of the first.",
    "offer call resend " + LINKS + WORK,
    cluster(agents=Table({A1: cpus(1)}), schedulers=Table({S1: user("accept again")}), links=2),
    Counts(states=44428, steps=88240, depth=58, cut=3692),
    script=RUNNING,
    prompt="calls events up",
    room=1,
)

REUSED_AT_ONCE = model(
    "reuse-at-once",
    "The same, while what the master says is heard at once.",
    "offer call resend " + LINKS + WORK,
    cluster(agents=Table({A1: cpus(1)}), schedulers=Table({S1: user("accept again")}), links=2),
    Counts(states=2062, steps=3255, depth=38),
    script=RUNNING,
    prompt="calls events up down",
    room=1,
)

RESENT = model(
    "resent-between-links",
    "An agent that is about to be registered again has an update to repeat.",
    "resend executor_updates " + LINKS,
    cluster(links=2),
    Counts(states=78, steps=149, depth=10),
    script=RUNNING,
    prompt="calls events up",
    room=1,
)

LATE_TOO = model(
    "late-calls",
    "What is said of tasks arrives after its stream was lost, and perhaps replaced.",
    "call ack lose_framework lose_stream ask_to_subscribe",
    cluster(
        schedulers=Table(
            {
                S1: user(
                    *("kill", "reconcile", "end executor", "message"),
                    tasks=(task(executor="e"),),
                )
            }
        ),
        lines=2,
    ),
    Counts(states=7722, steps=19578, depth=32),
    script=(
        *RUNNING,
        *(("executor_updates", {}), ("executor_hears", {}), ("forward", {}), ("hear_update", {})),
    ),
    prompt="events down up",
)

AWAY = model(
    "calls-to-nobody",
    "Every kind of call that concerns an agent arrives after the agent was lost, or its task was.",
    "call lose_agent ack",
    cluster(
        schedulers=Table(
            {
                S1: user(
                    "kill", "reconcile each", "end executor", "message", tasks=(task(executor="e"),)
                )
            }
        ),
    ),
    Counts(states=147, steps=295, depth=12),
    script=(*RUNNING, ("executor_updates", {}), ("forward", {}), ("executor_hears", {})),
    prompt="events down up",
)

BURIED = model(
    "burials",
    "A framework comes back while the end of its executor is on its way to the master.",
    "ask_to_subscribe lose_stream lose_framework " + WORK,
    cluster(
        agents=Table({A1: cpus(3)}),
        schedulers=Table({S1: user(tasks=(task(executor="e", executor_resources=cpus(1)),))}),
    ),
    Counts(states=3105, steps=5779, depth=41, cut=414),
    script=RUNNING,
    prompt="calls events",
)

ANYBODY = frozenset(
    {
        *("kill", "kill elsewhere", "reconcile", "reconcile each", "end executor", "message"),
        *("revive", "suppress", "steal", "accept", "acknowledge", "tear down", "other"),
    }
)

STRANGE = model(
    "strangers",
    "Somebody who never subscribed makes every call, as any framework and on any stream.",
    "foreign_call",
    cluster(
        schedulers=Table(
            {
                S1: user(tasks=(task(executor="e"), task("t2", executor="e"))),
                S2: Program(F2, AWARE, tasks=(task(executor="e"),), foreign=ANYBODY),
            }
        ),
        frameworks=(F1, F2),
    ),
    Counts(states=2170, steps=6113, depth=15),
    script=(
        *RUNNING,
        *(("executor_updates", {}), ("executor_hears", {}), ("forward", {}), ("hear_update", {})),
        *(("forget_filter", {}), ("offer", {}), ("hear_offers", {})),
    ),
    prompt="events down up",
    room=1,
)

UNKNOWN = model(
    "unknown-schedulers",
    "A scheduler that nobody here wrote subscribes, as somebody new or as another, and calls.",
    "foreign_call lose_framework ask_to_subscribe lose_stream",
    cluster(
        schedulers=Table(
            {S1: user(), S2: Program(F2, AWARE, foreign=frozenset({"subscribe", "kill"}))}
        ),
        frameworks=(F1, F2),
    ),
    Counts(states=269, steps=713, depth=16, cut=8),
    script=RUNNING,
    prompt="down up",
    room=1,
    sometimes=(seen.a_scheduler_is_replaced,),
)

OVERTAKEN = model(
    "overtaking",
    "Two tasks of an agent run and end; each has a queue of updates of its own.",
    "offer executor_updates resend ack call",
    cluster(
        schedulers=Table(
            {
                S1: Program(
                    F1,
                    AWARE,
                    tasks=(task(), task("t2")),
                    calls=frozenset({"accept all", "kill"}),
                )
            }
        ),
        words=("TASK_RUNNING", "TASK_FINISHED"),
    ),
    Counts(states=12281, steps=19174, depth=34),
    script=(
        *LAUNCHED,
        *(("run", {}), ("run", {})),
        *(("executor_subscribes", {"executor": "t1", "updates": ()}), ("executor_hears", {})),
        *(("executor_subscribes", {"executor": "t2", "updates": ()}), ("executor_hears", {})),
        *(("executor_hears", {}), ("executor_hears", {})),
    ),
    prompt="calls events up down",
    sometimes=(seen.updates_wait_in_line, seen.a_task_ended_before_its_framework_heard),
)

MODELS = (
    OVERTAKEN,
    BURIED,
    KILLED,
    SHARED,
    TALKED,
    REPEATED,
    REPEATED_OVER_LINKS,
    REUSED,
    REUSED_AT_ONCE,
    RESENT,
    LATE_TOO,
    AWAY,
    STRANGE,
    UNKNOWN,
)
