"""The border for schedulers' calls: who may ask for what, and who takes it (S13).

A call is either turned away with a sentence and a 4xx or 501, or it is answered 202 and handed on;
whatever it comes to is told by events.
"""

from collections.abc import Callable
from typing import Any

from mesos_ref.master import frameworks, launch, offers, reconcile, tasks
from mesos_ref.master.effects import Answer
from mesos_ref.master.events import Call
from mesos_ref.master.state import Framework, State
from mesos_ref.wire import scheduler

#: Calls that are read and come to nothing: the status they are answered with.
_IDLE_CALLS = {
    "REQUEST": 202,
    "ACCEPT_INVERSE_OFFERS": 202,
    "DECLINE_INVERSE_OFFERS": 202,
    "ACKNOWLEDGE_OPERATION_STATUS": 501,
    "RECONCILE_OPERATIONS": 501,
    "UPDATE_FRAMEWORK": 501,
}


def hear_call(m: State, event: Call) -> None:
    """A call is turned away at the border, or answered 202 and done."""
    call = event.call
    if call.type == "SUBSCRIBE" and call.subscribe is not None:
        if event.stream is not None:
            fault = "Subscribe calls should not include the 'Mesos-Stream-Id' header"
            _turn_away(m, event, 400, fault)
        elif event.new_stream in m.streams:
            _turn_away(m, event, 400, f"Stream '{event.new_stream}' is in use")
        else:
            frameworks.hear_subscribe(m, event, call.subscribe)
        return
    framework = m.frameworks.get(call.framework_id or "")
    if framework is None:
        _turn_away(m, event, 400, "Framework cannot be found")
    elif framework.stream is None:
        _turn_away(m, event, 403, "Framework is not subscribed")
    elif event.stream is None:
        fault = "All non-subscribe calls should include the 'Mesos-Stream-Id' header"
        _turn_away(m, event, 400, fault)
    elif event.stream != framework.stream:
        fault = (
            "The stream ID in this request is not the one currently associated with the framework"
        )
        _turn_away(m, event, 400, fault)
    else:
        _take(m, event, framework)


def _turn_away(m: State, event: Call, status: int, body: str) -> None:
    m.act("turn_away")
    m.effects.append(Answer(event.request, status, body))


def _take(m: State, event: Call, framework: Framework) -> None:
    """A call of a subscribed framework, on its own stream."""
    call = event.call
    if call.type in _IDLE_CALLS:
        status = _IDLE_CALLS[call.type]
        _turn_away(m, event, status, "" if status == 202 else f"{call.type} is not supported")
        return
    part, hear = _part(call)
    if hear is None:
        _turn_away(m, event, 501, f"Call of type {call.type} is not supported")
        return
    m.effects.append(Answer(event.request, 202))
    hear(m, framework, part)


_CALLS: dict[str, Callable[[State, Framework, Any], None]] = {
    "TEARDOWN": lambda m, framework, _: frameworks.tear_down(m, framework),
    "ACCEPT": launch.hear_accept,
    "DECLINE": lambda m, framework, part: offers.decline(
        m, framework, part.offer_ids, part.filters
    ),
    "REVIVE": offers.revive,
    "SUPPRESS": offers.suppress,
    "KILL": tasks.kill,
    "SHUTDOWN": tasks.shut_executor,
    "ACKNOWLEDGE": tasks.acknowledge,
    "RECONCILE": reconcile.reconcile,
    "MESSAGE": tasks.pass_message,
}
_BARE = frozenset({"TEARDOWN", "REVIVE", "SUPPRESS"})


def _part(call: scheduler.Call) -> tuple[Any, Callable[[State, Framework, Any], None] | None]:
    """The part of the call its type names, and who takes it; no one if it isn't there."""
    hear = _CALLS.get(call.type or "")
    if hear is None:
        return None, None
    part = getattr(call, str(call.type).lower(), None)
    return part, hear if part is not None or call.type in _BARE else None
