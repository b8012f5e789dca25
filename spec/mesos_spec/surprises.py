"""Surprises: what people believe about Mesos, why it is not so, and the shortest proof.

A belief is a property (`beliefs`) that a model breaks.  Each is kept with a shortest behaviour that
breaks it, from where its model starts: found by the checker, and played again by a test.
`mesos-spec surprises` lists them, `mesos-spec surprises NAME` tells the story of one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mesos_spec import beliefs
from mesos_spec.kernel import Always, EachStep, Surprise
from mesos_spec.messages import Reconcile, Suppress
from mesos_spec.resources import Resources
from mesos_spec.state import State

Believed = Always[State, ...] | EachStep[State, ...]
Step = tuple[str, dict[str, Any]]


def surprise(
    believed: Believed, model: str, because: str, instead: str, *path: str | Step
) -> Surprise[State]:
    """A belief that a model breaks, by this path; where a step has no names, the first will do."""
    steps = tuple((step, {}) if isinstance(step, str) else step for step in path)
    return Surprise(believed=believed, model=model, because=because, instead=instead, path=steps)


# ---- what a path leaves open -----------------------------------------------------------------
def a(kind: type) -> Callable[[Any], bool]:
    """A message of that kind."""
    return lambda message: isinstance(message, kind)


def launching(*tasks: str) -> Callable[[Any], bool]:
    """An ACCEPT of just these tasks."""
    return lambda message: [one.task.id for one in getattr(message, "tasks", ())] == [*tasks]


def asking_about(task: str) -> Callable[[Any], bool]:
    """A RECONCILE of just this task."""
    return lambda message: (
        isinstance(message, Reconcile) and [one.id for one, _ in message.tasks] == [task]
    )


def finished(task: str) -> Callable[[Any], bool]:
    """What an executor says when a task is done."""
    return lambda update: (update.task.id, update.state) == (task, "TASK_FINISHED")


SURPRISES: tuple[Surprise[State], ...] = (
    # ---- offers
    surprise(
        beliefs.an_accepted_offer_means_a_launched_task,
        "offers",
        "An offer may end while the ACCEPT is under way: rescinded, its agent lost, its master "
        "gone. Then nothing is launched, and each task is DROPPED with REASON_INVALID_OFFERS "
        "(OFR-10).",
        "Take a task for launched when an update says so, and be ready to launch it again, under "
        "a new id.",
        *("offer", "lose_agent", "hear_offers", "call", "refuse_accept"),
    ),
    surprise(
        beliefs.an_accept_is_all_or_nothing,
        "accepts",
        "An ACCEPT is all or nothing in its offers, but task by task in what it launches: one "
        "that does not fit is TASK_ERROR, and the others run (OFR-15).",
        "Look at each task's own updates; where all must start or none, Apache Mesos has task "
        "groups.",
        *("offer", "hear_offers"),
        ("call", {"message": launching("t1", "t2", "t3", "t4", "t5", "t6")}),
        "accept",
    ),
    surprise(
        beliefs.a_bad_offer_spoils_only_itself,
        "together",
        "If one of the offers can't be used, the whole ACCEPT is refused: the good ones are taken "
        "back as well, without a word (OFR-10).",
        "After REASON_INVALID_OFFERS forget all offers of that ACCEPT. They come again, since no "
        "filter is set.",
        *("offer", "hear_offers", "offer", "hear_offers", "call", "rescind", "hear_rescind"),
        "refuse_accept",
    ),
    surprise(
        beliefs.what_is_rescinded_was_not_used,
        "offers",
        "RESCIND and ACCEPT may cross: the master withdraws an offer that is being accepted "
        "(OFR-5). It was not used, but its holder thinks that it was.",
        "Ignore the RESCIND of an offer that you have accepted: the tasks' updates are coming, "
        "and say what became of it.",
        *("offer", "lose_agent", "hear_offers", "call"),
    ),
    surprise(
        beliefs.an_offer_stands_until_i_am_told,
        "deposed",
        "A master's offers die with it, and nobody is told (MFO-10). So do those of a scheduler "
        "that another replaces (OFR-6).",
        "Forget every offer when the stream it came on ends. Our library does.",
        *("offer", "hear_offers", "end_reign"),
    ),
    surprise(
        beliefs.what_i_decline_stays_away,
        "filters",
        "A filter refuses what was declined and anything less, in that role and of that agent. "
        "If more of the agent becomes free, that is another offer, and it comes at once (FLT-2). "
        "REVIVE, and being disconnected, also end filters (FLT-5).",
        "Be ready to decline again; SUPPRESS when you want nothing.",
        ("offer", {"resources": Resources({"cpus": 1000})}),
        *("hear_offers", "call", "decline", "offer"),
    ),
    surprise(
        beliefs.who_suppresses_has_no_offers,
        "filters",
        "SUPPRESS keeps new offers away. Those that were made stay yours, and charged to you, "
        "until they are answered or rescinded (FLT-8, F4).",
        "Decline what you hold before you SUPPRESS, and what still arrives afterwards.",
        *("offer", "hear_offers", ("call", {"message": a(Suppress)}), "suppress"),
    ),
    surprise(
        beliefs.resources_are_free_once_i_know,
        "overtaking",
        "The agent says with each update how the task is by now. If that is its end, the master "
        "frees the resources, though the update that tells you waits behind one that you have "
        "not acknowledged (UPD-8).",
        "Acknowledge promptly, and do not infer from an offer that nothing of yours has ended.",
        *("executor_updates", "forward", "hear_update", "executor_hears"),
        ("executor_updates", {"update": finished("t1")}),
        *("executor_hears", "resend", "forward", "hear_update", "offer"),
    ),
    # ---- tasks
    surprise(
        beliefs.an_unreachable_task_has_stopped,
        "unreachable",
        "A master that hears nothing of an agent knows nothing of it. The task may be running, "
        "and comes back with its agent (PRT-2, PRT-4).",
        "Whatever replaces it must bear two of them at a time; kill the old one when it is back.",
        "mark_unreachable",
    ),
    surprise(
        beliefs.lost_is_final,
        "lost-and-found",
        "TASK_LOST counts as terminal, but to a framework that is not PARTITION_AWARE it also "
        "stands for unreachable: then TASK_RUNNING may follow (PRT-4).",
        "Be PARTITION_AWARE. Else treat an update after TASK_LOST as news, and kill what you have "
        "replaced.",
        *("mark_unreachable", "hear_update", "hear_failure", "drop_link", "register", "admit"),
    ),
    surprise(
        beliefs.a_killed_task_ends_as_killed,
        "overtaking",
        "KILL is a wish. The task may finish or fail before its executor hears of it, or its "
        "executor may die (KIL-5, EXE-5).",
        "Wait for any terminal update after a KILL, and repeat the KILL until there is one.",
        *("call", "kill", "kill_task", "executor_hears"),
        ("executor_updates", {"update": finished("t1")}),
    ),
    surprise(
        beliefs.a_task_id_is_one_run,
        "twins",
        "A new master does not know what runs on agents that have not come back to it. Until "
        "then it launches a second task under the same id on another agent; when the first "
        "one's agent is back, that is killed (S7 holds per reign; AGT-9).",
        "Never use a task id twice, not even for the same work.",
        *("lead", "end_reign", ("turn_to", {"agent": "a2"}), "register", "admit", "be_registered"),
        *("turn_scheduler_to", "ask_to_subscribe", "subscribe", "be_subscribed"),
        *("offer", "hear_offers", "call", "accept", "run"),
    ),
    surprise(
        beliefs.tasks_outlive_their_agents_process,
        "restarts-without-checkpoints",
        "Only of frameworks that asked for it (`checkpoint`) an agent writes down what it runs; "
        "of others it forgets all, and their executors end (RCV-2).",
        "Set `checkpoint` in FrameworkInfo when you first subscribe: it can't be set later.",
        *("crash_agent", "start_agent"),
    ),
    surprise(
        beliefs.tasks_end_with_their_scheduler,
        "failover",
        "A framework is more than its scheduler: its tasks run on until it has been away for its "
        "failover_timeout (FWK-17, R4).",
        "Subscribe again with the framework's id, and reconcile. Or tear the framework down.",
        "lose_framework",
    ),
    surprise(
        beliefs.tasks_end_with_their_framework,
        "removal",
        "The order to end them has to reach their agents. On one that is cut off they run until "
        "it is back (FWK-15, FWK-18).",
        "Do not take a framework's removal for proof that its tasks have let go of anything.",
        "tear_down_by_operator",
    ),
    # ---- updates and reconciliation
    surprise(
        beliefs.an_end_is_told_once,
        "updates",
        "An update is sent until its acknowledgement has reached the agent: at least once, with "
        "the same uuid (UPD-2, UPD-21).",
        "Handle an update you have seen before by acknowledging it again, and nothing else.",
        *("executor_ends", "forward", "resend", "forward", "hear_update"),
    ),
    surprise(
        beliefs.every_end_waits_for_my_acknowledgement,
        "accepts",
        "What a master says by itself has no uuid: it is said once, and lost if your stream "
        "breaks (OFR-10, OFR-15). So are TASK_ERROR, answers to reconciliation, and UNREACHABLE.",
        "Reconcile after each new subscription: ask about every task you do not know to have "
        "ended.",
        *("offer", "hear_offers", ("call", {"message": launching("t5")}), "accept"),
    ),
    surprise(
        beliefs.updates_come_in_the_order_of_events,
        "overtaking",
        "Order is kept within a task: each has a queue of its own, and waits for its own "
        "acknowledgements (S9).",
        "Do not draw conclusions about one task from an update of another.",
        *("executor_updates", "forward", "hear_update", "executor_hears"),
        ("executor_updates", {"update": finished("t1")}),
        *("executor_hears", ("executor_updates", {"executor": "t2"})),
    ),
    surprise(
        beliefs.every_question_is_answered,
        "reconciliation",
        "A master keeps silent about a task it does not know while agents may still come back to "
        "it (REC-2), and there is no mark that says that all has been said (REC-10).",
        "Ask again, with growing pauses, about each task that you have heard nothing of.",
        *(("call", {"message": asking_about("t2")}), "reconcile"),
    ),
    # ---- leaders
    surprise(
        beliefs.who_serves_me_knows_my_tasks,
        "succession",
        "A new master starts knowing nothing, and learns of tasks as their agents come back; you "
        "may be there before them (MFO-4, R1).",
        "Do not launch again what a new master does not mention. Reconcile, and wait.",
        *("lead", "turn_scheduler_to", "ask_to_subscribe", "subscribe"),
    ),
    surprise(
        beliefs.only_one_master_leads,
        "election",
        "A master learns late that it was deposed. What keeps that harmless is that agents and "
        "schedulers obey none older than the newest they know of (S19).",
        "Follow the newest leader you have heard of, and no one else.",
        "lead",
    ),
    surprise(
        beliefs.offers_come_from_the_leader,
        "deposed",
        "A deposed master that does not know it yet makes offers, and accepts answers to them; "
        "what it launches does not start on an agent that has turned away (S19, MFO-10).",
        "Leave an old leader's stream as soon as you hear of a new one. Our library does.",
        *("lead", "offer"),
    ),
)


def named(name: str) -> Surprise[State]:
    """The surprise of that name.  Raises KeyError if there is none."""
    return {one.name: one for one in SURPRISES}[name]
