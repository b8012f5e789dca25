"""What nobody notices if it is left out, each with the reason.

`mesos-spec mutants` leaves out one statement after another, and one part of a claim; these may be
missing.  A mutant that makes a difference to anybody does not belong here: a claim is missing, or a
model that comes to where it matters.
"""

from __future__ import annotations

NEEDED = "what follows can't go on without it: it looks up what this says is there"
NOTHING = "without it the step changes nothing that was not so before"
LOST = "a master that hears nothing and one that is not heard are the same"
STALE = "what was said on an older stream names only offers that have ended with it"
TURNED = "whether it is dropped or turned away is the same"
FULL = "how many frameworks a master has room for is not in the state: traces say it"
LATER = "what nobody hears any more may be lost later just as well"
SAID_LATER = "what an executor brings when it subscribes it may as well say right afterwards"
BROKEN = "an agent that is told to end and only leaves is one whose link broke before it heard"
LAST = "an ERROR is the last on its stream: who hears it does what one does whose stream broke"
LITTLE = "whatever is free of an agent of a model is worth an offer"
UNAWAITED = (
    "all that is sent is heard, and this with it; none of these claims waits for what it does"
)
TWICE = "the one claim that waits for an answer promises it strongly"

#: The mutant's name → why it may survive.
EQUIVALENT: dict[str, str] = {
    "agents.ignore_frame_up: the master leads": LOST,
    "frameworks.subscribe: there is room for it": FULL,
    "tasks.accept: its framework is subscribed, on the call's stream": STALE,
    "tasks.kill: the task is known, on an agent that is not given up": NEEDED,
    "updates.drop_acknowledgement: its framework is subscribed, on the call's stream": TURNED,
    "updates.lose_executor: the master knows the executor": NEEDED,
    "processes.ignore_frame: something is in flight to the agent": NEEDED,
    "executors.send_up: the agent is up": NOTHING,
    "executors.end_executor: the executor is there, and not ending": NEEDED,
    "runs.know_framework: the agent has something of the framework": NOTHING,
    "runs.end_framework: the agent has something of the framework": NOTHING,
    "schedulers.ack: the scheduler is subscribed": NEEDED,
    "network.lose_frames_up: something is in flight to the master": NEEDED,
    "network.executor_hears: something is in flight to the executor": NEEDED,
    "executors.executor_subscribes: hear(s, agent, key, update)": SAID_LATER,
    "network.hang_up: s.events[own_stream(s, scheduler)] = Fifo()": LATER,
    "processes.shut_down_agent: s.agent[agent] = s.agent[agent]._replace(up=False)": BROKEN,
    "an_update_is_noted: now is not None": NEEDED,
    "who_is_refused_stops: all of it": LAST,
    "the_first_gets_all: is_worth_offering(one)": LITTLE,
    "several: hear_offers, for each scheduler, is taken if it is possible for good": UNAWAITED,
    "several: turn_away, for each line, is taken if it is possible for good": UNAWAITED,
    "several: lose_calls, for each line, is taken if it is possible for good": UNAWAITED,
    "several: ignore_frame_up, for each epoch and link, is taken if it is possible for good": (
        UNAWAITED
    ),
    "several: reconcile, for each line, is taken if it is possible for good": TWICE,
}

DOMAIN = "a model tries only what its domains say; a trace may name anything"
ADDRESS = "each master of a model has an address of its own; on real ones it may have changed hands"
LEFT = "an agent leaves the link to an older leader, or a lost one, before it hears anything else"
ABSENT = "a master of a model pings only whom it has; a real one may be of another mind"
GONE = "what would end a task comes on the link after what started it: the agent knows the task"
REGISTERED = "the agent is registered with that master"

#: Guards that hold whenever a model asks them, and effects that change nothing in one: why.
UNREACHED: dict[str, str] = {
    "agents.admit: the agent means this reign": ADDRESS,
    "agents.shut_out: the agent means this reign": ADDRESS,
    "agents.ignore_frame_up: something is in flight to the master": DOMAIN,
    "frameworks.subscribe: it is the framework it says it is": DOMAIN,
    "frameworks.subscribe: an id is given once": DOMAIN,
    "offers.offer: the framework has the role": DOMAIN,
    "offers.offer: the offer id is new": DOMAIN,
    "offers.rescind: the offer stands": DOMAIN,
    "offers.forget_filter: the framework has refused this": DOMAIN,
    "processes.shut_down_agent: the master is not an older leader": LEFT,
    "processes.be_registered: the master is not an older leader": LEFT,
    "processes.answer_ping: the master is not an older leader": LEFT,
    "processes.answer_ping: leave(s, agent)": ABSENT,
    "executors.executor_subscribes: the agent has started the executor": DOMAIN,
    "executors.executor_updates: the agent has started the executor": DOMAIN,
    "executors.executor_ends: the agent has started the executor": DOMAIN,
    "executors.send_up: the agent has started the executor": DOMAIN,
    "executors.give_up_executor: the agent has started the executor": DOMAIN,
    "executors.recover_executor: the agent has started the executor": DOMAIN,
    f"executors.end_executor: {REGISTERED}": LEFT,
    f"executors.deliver_message: {REGISTERED}": LEFT,
    f"runs.run: {REGISTERED}": LEFT,
    f"runs.refuse_run: {REGISTERED}": LEFT,
    f"runs.kill_task: {REGISTERED}": LEFT,
    "runs.kill_task: put(s, agent, task, "
    "own_status(state, 'REASON_EXECUTOR_TERMINATED', task, minted))": GONE,
    f"runs.know_framework: {REGISTERED}": LEFT,
    f"runs.end_framework: {REGISTERED}": LEFT,
    f"queues.hear_ack: {REGISTERED}": LEFT,
    "queues.resend: an update of the task waits": DOMAIN,
    "schedulers.ask_to_subscribe: it asks as the framework it is": DOMAIN,
    "schedulers.call: the scheduler is subscribed": DOMAIN,
    "schedulers.call: it speaks for itself": DOMAIN,
    "schedulers.call: it names its stream": DOMAIN,
    "schedulers.call: acknowledging is the library's business": DOMAIN,
    "schedulers.ack: it owes the acknowledgement": DOMAIN,
}

#: Every mutant that may go unnoticed.
EXPLAINED = {**EQUIVALENT, **UNREACHED}
