"""The dangerous pairs: two things that may happen at once, and the model where they do.

Each pair names what could go wrong, and a SOMETIMES that is true where the two have met; the model
has to find such a state, or its search fails.  `spec/interactions.md` is written from this.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

from mesos_spec.kernel.model import Model
from mesos_spec.models import meetings as met
from mesos_spec.models import witnesses as seen
from mesos_spec.models.settings import Some
from mesos_spec.state import State


class Pair(NamedTuple):
    """Two things that meet."""

    one: str
    other: str
    danger: str  #: what a system that is not careful does
    model: str
    witness: Some


PAIRS: tuple[Pair, ...] = (
    # offers
    Pair(
        *("RESCIND", "ACCEPT", "a task is launched on what is another's by now", "offers"),
        seen.an_offer_is_accepted_after_it_ended,
    ),
    Pair(
        *("RESCIND", "DECLINE", "a filter for an offer that was not declined", "offers"),
        met.a_decline_comes_too_late,
    ),
    Pair(
        *("ACCEPT", "the agent's link breaks", "a task is sent to nobody, and charged", "offers"),
        met.an_offer_of_a_lost_agent_is_accepted,
    ),
    Pair(
        *("ACCEPT", "a new stream", "the old stream's offers are used on the new", "late-answers"),
        met.an_older_stream_accepts,
    ),
    Pair(
        *("SUPPRESS", "an offer", "an offer that stands is lost without RESCIND", "filters"),
        met.an_offer_stands_that_is_not_wanted,
    ),
    Pair(
        *("a new set of roles", "tasks in the old", "what they use is charged to nobody", "roles"),
        met.a_framework_has_left_a_role_that_it_uses,
    ),
    # kills
    Pair(
        *("KILL", "launch", "the executor starts what was killed", "kills"),
        seen.a_queued_task_is_killed,
    ),
    Pair(
        *("KILL", "the task's end", "a second end is reported", "kills"),
        met.a_kill_comes_after_the_end,
    ),
    Pair(
        *("KILL", "the executor's end", "nobody says how the task ended", "kills"),
        met.a_task_that_is_to_be_killed_fails,
    ),
    Pair(
        *("KILL", "the agent's link breaks", "the kill is forgotten", "reconciliation"),
        met.a_kill_waits_for_its_agent,
    ),
    Pair(
        *("KILL", "the agent is given up", "no answer, or a wrong one", "reconciliation"),
        met.a_kill_is_of_a_task_that_is_lost_sight_of,
    ),
    Pair(
        *("KILL", "the agent restarts", "the executor is not told again", "restarts"),
        met.an_agent_dies_between_a_kill_and_its_task,
    ),
    Pair(
        *("KILL", "a new stream", "who was replaced kills its successor's task", "late-calls"),
        met.an_older_stream_kills,
    ),
    # updates
    Pair(
        *("an update", "the link breaks", "it is lost, or counts twice", "told-in-the-end"),
        met.an_update_is_on_a_link_that_was_left,
    ),
    Pair(
        *("an update", "re-registration", "the older of two states wins", "told-in-the-end"),
        met.an_update_and_a_registration_are_under_way,
    ),
    Pair(
        *("an update again", "its ACKNOWLEDGE", "the next one is acknowledged by it", "updates"),
        met.an_update_and_its_acknowledgement_pass_each_other,
    ),
    Pair(
        *(
            "ACKNOWLEDGE",
            "the agent's link breaks",
            "the queue waits for ever",
            "restarts-without-checkpoints",
        ),
        met.an_acknowledgement_is_on_a_link_that_was_left,
    ),
    Pair(
        *("ACKNOWLEDGE", "a new stream", "an update that nobody has seen is over", "late-calls"),
        met.an_older_stream_acknowledges,
    ),
    Pair(
        *("an update", "the scheduler is away", "it is dropped for good", "burials"),
        met.an_update_comes_to_nobody,
    ),
    # executors
    Pair(
        *("SHUTDOWN of an executor", "launch", "a task waits in it for ever", "executors"),
        seen.a_task_comes_too_late_for_its_executor,
    ),
    Pair(
        *("the executor's end", "launch", "a second executor of that name", "accepts"),
        met.a_task_is_sent_to_an_executor_that_has_ended,
    ),
    Pair(
        *("a task's end", "the next task", "the executor is taken for idle, and ended"),
        *("executors", met.an_executor_takes_another_task),
    ),
    Pair(
        *("the executor's end", "the framework returns", "its resources are never free"),
        *("burials", met.an_executor_ends_as_its_framework_returns),
    ),
    Pair(
        *("MESSAGE", "the executor's end", "it goes to another", "messages"),
        met.a_message_comes_too_late,
    ),
    # agents
    Pair(
        *("giving up", "a live task", "it counts as ended, and runs", "forgotten"),
        seen.a_task_runs_on_an_agent_that_was_given_up,
    ),
    Pair(
        *("giving up", "the task's end", "what ended is taken for unreachable", "reconciliation"),
        seen.an_ended_task_is_lost_sight_of,
    ),
    Pair(
        *("giving up", "re-registration", "the agent is there and given up", "given-up-in-the-end"),
        met.an_agent_returns_as_it_is_given_up,
    ),
    Pair(
        *("a new link", "the old link", "the end of the old one ends the new", "found-in-the-end"),
        seen.master_and_agent_disagree_on_the_link,
    ),
    Pair(
        *("forgetting an agent", "its return", "its tasks are nobody's", "forgotten"),
        met.an_agent_returns_that_was_forgotten,
    ),
    Pair(
        *("the agent restarts", "an update", "what was promised is not said again", "restarts"),
        met.an_agent_dies_with_something_to_say,
    ),
    Pair(
        *("the agent restarts", "launch", "the task is in nobody's hands", "restarts"),
        seen.a_task_is_lost_on_its_way_to_its_executor,
    ),
    Pair(
        *("the agent restarts", "the executor's end", "nobody is left to say it", "restarts"),
        seen.an_executor_does_not_come_back,
    ),
    Pair(
        *(
            "a task id used again",
            "its first end",
            "one task's end is the other's",
            "reuse-at-once",
        ),
        met.a_name_is_used_again_too_soon,
    ),
    # reconciliation
    Pair(
        *("RECONCILE", "launch", "a task on its way is said to be gone", "reconciliation"),
        met.a_task_is_asked_about_on_its_way,
    ),
    Pair(
        *("RECONCILE", "a new leader", "a task that runs is said to be unknown", "asked-early"),
        met.a_task_is_asked_about_before_its_agent_is_back,
    ),
    # frameworks
    Pair(
        *("removal", "launch", "a task runs whose framework is no more", "removal-in-flight"),
        met.a_task_is_on_its_way_as_its_framework_ends,
    ),
    Pair(
        *("removal", "an update", "the framework is known again by it", "removal-in-flight"),
        met.an_update_is_on_its_way_as_its_framework_ends,
    ),
    Pair(
        *("removal", "an executor starts", "it waits for tasks for ever", "removal-in-flight"),
        met.an_executor_starts_as_its_framework_ends,
    ),
    Pair(
        *("removal", "the agent is given up", "its tasks come back with it", "removal-by-operator"),
        met.a_framework_ends_while_its_agent_is_away,
    ),
    Pair(
        *("removal", "SUBSCRIBE", "who was removed comes back", "late-answers"),
        met.a_removed_framework_asks_to_come_back,
    ),
    Pair(
        *("forgetting a framework", "its return", "it has what it lost", "forgotten-framework"),
        met.a_framework_returns_that_was_forgotten,
    ),
    Pair(
        *("forgetting a framework", "the order to end it"),
        *("a task is nobody's, and runs", "forgotten-before-it-ended"),
        met.an_end_is_forgotten_before_it_is_heard,
    ),
    Pair(
        *("the failover timeout", "SUBSCRIBE", "who is back is removed", "given-up-in-the-end"),
        met.a_framework_returns_as_its_time_runs_out,
    ),
    Pair(
        *("any call", "the framework's own stream", "who guesses an id is obeyed", "strangers"),
        met.a_stranger_calls,
    ),
    Pair(
        *("SUBSCRIBE", "SUBSCRIBE of another", "two speak for one framework", "misfits"),
        met.two_ask_for_one_framework,
    ),
    # leaders
    Pair(
        *("an old leader", "launch", "a task runs that the new leader has not", "deposed"),
        seen.an_order_of_an_older_leader_is_too_late,
    ),
    Pair(
        *("an old leader", "registration", "the agent never finds the new one", "election"),
        met.an_agent_serves_the_older_of_two,
    ),
    Pair(
        *("an old leader", "a second one", "the oldest is obeyed after all", "three-reigns"),
        met.three_masters_lead,
    ),
    Pair(
        *("an old leader", "SUBSCRIBE", "events of both are believed", "replacements"),
        met.a_framework_is_subscribed_with_two,
    ),
    Pair(
        *("a new leader", "a task id used again", "one id, two tasks", "twins-at-last"),
        met.a_task_runs_on_two_agents,
    ),
    Pair(
        *("a new leader", "the agent comes first", "its framework is taken for new", "asked-early"),
        seen.a_framework_is_known_only_from_its_tasks,
    ),
    Pair(
        *("a new leader", "the framework comes first", "its tasks are taken for lost"),
        *("asked-early", met.a_framework_is_back_before_its_agent),
    ),
)


def with_meetings(
    models: Iterable[Model[State]], pairs: tuple[Pair, ...] = PAIRS
) -> tuple[Model[State], ...]:
    """Models that have to find the pairs that are said to meet there."""
    return tuple(
        _with(model, [p.witness for p in pairs if p.model == model.name]) for model in models
    )


def _with(model: Model[State], witnesses: list[Some]) -> Model[State]:
    known = model.spec.sometimes
    more = tuple(one for one in witnesses if one not in known)
    return replace(model, spec=replace(model.spec, sometimes=known + more))
