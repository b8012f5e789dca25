"""Statements that nothing claimed here depends on, each with the reason.

`mesos-spec mutants` leaves out one statement after another; these may be missing and no claim
notices.  A mutant that makes a difference to anybody does not belong here: a claim is missing.
"""

from __future__ import annotations

NEEDED = "the body can't go on without it: it looks up what the guard says is there"
NOTHING = "without it the step changes nothing that was not so before"
LOST = "a master that hears nothing and one that is not heard are the same"
STALE = "what was said on an older stream names only offers that have ended with it"
TURNED = "whether it is dropped or turned away is the same"
FULL = "how many frameworks a master has room for is not in the state: traces say it"
LATER = "what nobody hears any more may be lost later just as well"
SAID_LATER = "what an executor brings when it subscribes it may as well say right afterwards"
BROKEN = "an agent that is told to end and only leaves is one whose link broke before it heard"

#: The mutant's name → why it may survive.
EQUIVALENT: dict[str, str] = {
    "agents.ignore_frame_up: the master leads": LOST,
    "frameworks.turn_away: the master leads": LOST,
    "frameworks.subscribe: there is room for it": FULL,
    "offers.decline: the next call declines offers": NEEDED,
    "offers.decline: its framework is subscribed, on the call's stream": STALE,
    "tasks.accept: its framework is subscribed, on the call's stream": STALE,
    "tasks.accept: the call launches something": "an ACCEPT of nothing does what a DECLINE does",
    "tasks.kill: the task is known, on an agent that is not given up": NEEDED,
    "updates.drop_acknowledgement: its framework is subscribed, on the call's stream": TURNED,
    "updates.lose_executor: the master knows the executor": NEEDED,
    "processes.crash_agent: the agent is up": NOTHING,
    "processes.drop_link: the agent has a link": NOTHING,
    "processes.ignore_frame: something is in flight to the agent": NEEDED,
    "executors.send_up: the agent is up": NOTHING,
    "executors.end_executor: the executor is there, and not ending": NEEDED,
    "runs.know_framework: the agent has something of the framework": NOTHING,
    "runs.end_framework: the agent has something of the framework": NOTHING,
    "queues.resend: the agent is registered": NOTHING,
    "schedulers.ack: the scheduler is subscribed": NEEDED,
    "network.lose_frames_up: something is in flight to the master": NEEDED,
    "network.lose_frames_down: something is in flight to the agent": NOTHING,
    "network.lose_calls: something is in flight to the master": NOTHING,
    "network.lose_events: something is in flight to the scheduler": NOTHING,
    "network.executor_hears: something is in flight to the executor": NEEDED,
    "executors.executor_subscribes: hear(s, agent, key, update)": SAID_LATER,
    "network.hang_up: s.events[own_stream(s, scheduler)] = Fifo()": LATER,
    "processes.shut_down_agent: s.agent[agent] = s.agent[agent]._replace(up=False)": BROKEN,
}
