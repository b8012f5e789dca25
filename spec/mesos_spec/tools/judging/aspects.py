"""What changed in a cell, in words; and which words are of interest to which property.

A table of tasks changes all the time, but whether *something is promised twice* depends on what its
tasks hold, and an update that brings no end changes none of that.  So each change is put in words
(`came`, `went`, `held`, `took Accept`, …), and a property that reads a field need only be asked if
one of its words was said.  A property not listed here is asked whenever a field it reads changed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from mesos_spec.kernel import Table
from mesos_spec.network import NO_LINK, NO_STREAM
from mesos_spec.state import Phase, is_terminal
from mesos_spec.tools.judging.changes import Change, Entry, Mail

Words = tuple[str, ...]

CHANGED: Words = ("changed",)
_NOBODY = (NO_LINK, NO_STREAM)


class _Said(dict[type, str]):
    """What is said of messages, by their kind."""

    def __init__(self, verb: str) -> None:
        super().__init__()
        self._verb = verb

    def __missing__(self, kind: type) -> str:
        says = self[kind] = f"{self._verb} {kind.__name__}"
        return says


_TOOK, _SENT = _Said("took"), _Said("sent")


def words(one: Change) -> Words:
    """What changed in a cell; nothing if it holds an equal value."""
    if one.mail is not None:
        return _channel(one.cell[1], one.mail)
    if type(one.new) is Table:
        return _table(one.cell[0], one.entries, one.old, one.new)
    return CHANGED if one.old != one.new else ()


def _channel(key: Any, mail: Mail) -> Words:
    taken, sent = mail
    if len(taken) > 1:
        return ("lost", "took", "sent", "nobody")
    said: dict[str, None] = {}
    if taken:
        said["took"] = said[_TOOK[type(taken[0])]] = None
    for message in sent:
        said["sent"] = said[_SENT[type(message)]] = None
    if key in _NOBODY:
        said["nobody"] = None
    return tuple(said)


def _table(field: str, entries: Sequence[Entry], old: Any, new: Any) -> Words:
    said: dict[str, None] = {}
    compare = _ENTRIES.get(field)
    for _, was, now in entries:
        if was is None:
            if now is None:
                continue
            said["came"] = None
        elif now is None:
            said["went"] = None
        elif compare is None:
            said["changed"] = None
        if compare is not None:
            compare(said, was, now)
    if bool(old._d) != bool(new._d):
        said["some"] = None
    return tuple(said)


# ---- entries: what was there, if anything, and what is there now, if anything ------------------
def _record(said: dict[str, None], was: Any, now: Any) -> None:
    """A task, to a master."""
    if was is not None and now is not None:
        if was.resources != now.resources or was.role != now.role:
            said["held"] = None
        if was.state != now.state:
            ended = is_terminal(was.state)
            if ended:
                said["undone"] = None
            if ended != is_terminal(now.state):
                said["held"] = said["ended"] = None


def _run(said: dict[str, None], was: Any, now: Any) -> None:
    """A task, to its agent."""
    if was is None or now is None:
        return
    if was.phase is not now.phase or was.executor != now.executor:
        said["phase"] = None
        if was.phase is Phase.ENDED:
            said["revived"] = None
    if was.state != now.state and is_terminal(was.state) != is_terminal(now.state):
        said["ended"] = None
    if was.seen != now.seen:
        said["seen"] = None


def _queue(said: dict[str, None], was: Any, now: Any) -> None:
    """What an agent has to say of a task."""
    was, now = was or (), now or ()
    if now == was[1:]:
        said["popped"] = None
    elif now[: len(was)] != was:
        said["changed"] = None
    elif len(now) > 1:
        said["grew"] = None
    if (bool(was) and is_terminal(was[-1].state)) != (bool(now) and is_terminal(now[-1].state)):
        said["end"] = None
    if any(status.reason == GIVEN_UP for status in now):
        said["given up"] = None


def _runner(said: dict[str, None], was: Any, now: Any) -> None:
    """An executor, to its agent."""
    if now is None:
        return
    if was is None or was.queue != now.queue:
        said["queue"] = None
    if now.away and (was is None or not was.away):
        said["away"] = None
    if now.late and was is not None and not was.late:
        said["late"] = None
    if was is not None and (was.command, was.disowned) != (now.command, now.disowned):
        said["owned"] = None


GIVEN_UP = "REASON_EXECUTOR_REREGISTRATION_TIMEOUT"

_ENTRIES: dict[str, Callable[[dict[str, None], Any, Any], None]] = {
    "tasks": _record,
    "unreachable": _record,
    "runs": _run,
    "updates": _queue,
    "runners": _runner,
}

# ---- who cares -------------------------------------------------------------------------------
_HELD: dict[str, Words] = {"tasks": ("came", "went", "held")}
_COMES_OR_GOES = ("came", "went")

#: For a property, of some fields it reads, the words for which it must be asked.
CARES: dict[str, dict[str, Words]] = {
    "nothing_is_promised_twice": _HELD,
    "charges_add_up": _HELD,
    "a_task_is_sought_where_it_is": {"tasks": _COMES_OR_GOES, "unreachable": _COMES_OR_GOES},
    "a_task_has_one_home": {"tasks": ("came",), "unreachable": ("came",)},
    "nothing_is_left_of_a_removed_framework": {
        **dict.fromkeys(("tasks", "unreachable", "executors", "filters"), ("came",)),
    },
    "masters_know_whom_they_met": dict.fromkeys(
        ("offers", "tasks", "unreachable", "executors"), ("some",)
    ),
    "masters_know_whom_they_serve": {"filters": ("some",)},
    "offers_are_held_on_a_stream": {"held": ("some",)},
    "offers_can_be_used": {"offers": ("came", "changed")},
    "offers_do_not_change": {"offers": ("changed",)},
    "nobody_is_offered_what_he_refuses": {"offers": ("came",)},
    "what_is_launched_was_offered": {"tasks": ("came",)},
    "only_what_was_offered_is_rescinded": {"events": ("sent Rescind", "lost")},
    "an_ended_task_stays_ended": {"tasks": ("undone",), "unreachable": ("came", "undone")},
    "a_task_ends_once": {"updates": ("grew", "changed")},
    "a_task_that_ended_says_so": {"runs": ("came", "phase", "ended"), "updates": ("end",)},
    "a_task_has_an_executor": {"runs": ("came", "phase"), "runners": ("went", "queue")},
    "a_registered_agent_has_a_link": {"runners": ("away",)},
    "a_registered_agent_hides_nothing": {
        "tasks": ("went",),
        "executors": ("went",),
        "runs": ("came", "revived"),
        "runners": ("came", "owned"),
        "down": ("took ShutdownFramework", "lost"),
    },
    "no_task_is_forgotten": {
        "tasks": ("came", "ended"),
        "runs": ("went",),
        "updates": ("went",),
        "up": ("took Update", "lost"),
        "down": ("took RunTask", "lost"),
    },
    "agents_remember_what_they_have": {
        **dict.fromkeys(("hosted", "runs", "runners"), _COMES_OR_GOES),
        "updates": ("went",),
    },
    "updates_leave_only_when_acknowledged": {"updates": ("went", "popped", "changed")},
    "only_the_oldest_update_is_sent": {"up": ("sent Update",)},
    "only_subscribed_executors_send": {"up": ("sent FromExecutor",)},
    "a_registration_is_answered": {"up": ("took Register",)},
    "only_leaders_speak": {"down": ("sent",)},
    "a_task_that_can_run_is_taken": {"down": ("took RunTask",)},
    "only_who_never_came_is_late": {"runners": ("late",)},
    "only_who_is_away_is_given_up": {"updates": ("given up",)},
    "who_is_away_says_nothing": {"runs": ("seen",)},
    "nothing_is_sent_to_nobody": dict.fromkeys(("up", "down", "events"), ("nobody",)),
    "frames_up_are_lost_with_their_link": {"up": ("lost",)},
    "frames_down_are_lost_with_their_link": {"down": ("lost",)},
    "calls_are_lost_with_their_line": {"calls": ("lost",)},
    "events_are_lost_with_their_stream": {"events": ("lost",)},
    "strangers_change_nothing": {"calls": ("took",)},
    "an_answer_ends_its_offers": {"calls": ("took Accept", "took Decline")},
    "what_is_declined_is_refused": {"calls": ("took Accept", "took Decline")},
    "good_offers_are_honoured": {"calls": ("took Accept",), "events": ()},
    "a_refused_accept_only_loses_its_tasks": {"calls": ("took Accept",)},
    "offers_are_used_as_one": {"calls": ("took Accept",)},
    "what_is_not_used_is_refused": {"calls": ("took Accept",)},
    "a_kill_is_remembered": {"calls": ("took KillTask",)},
    "an_acknowledgement_is_passed_on": {"calls": ("took Acknowledge",)},
    "refusals_have_a_reason": {"calls": ("took Subscribe",)},
}

#: A property that says nothing, unless a field has also changed in one of these ways.
NEEDS: dict[str, tuple[str, Words]] = {
    "older_leaders_are_not_obeyed": ("down", ("took", "lost")),
}


def concerns(name: str, reads: frozenset[str], said: dict[str, dict[str, None]]) -> frozenset[str]:
    """The fields because of which a property must be asked, after these changes."""
    needs = NEEDS.get(name)
    if needs is not None and not any(word in said.get(needs[0], ()) for word in needs[1]):
        return frozenset()
    cares = CARES.get(name, {})
    found = (
        field
        for field, its in said.items()
        if field in reads
        and (its if field not in cares else any(word in its for word in cares[field]))
    )
    return frozenset(found)
