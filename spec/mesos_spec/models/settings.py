"""Where models start, and how they are put together.

A model begins where its subject does: in a cluster that has come up, say, with a task that runs.
Such a start is a script of steps, taken by the actions themselves, so that it can't be a state that
is not reachable.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from mesos_spec.bounds import Bounds
from mesos_spec.kernel import (
    Action,
    Crowded,
    Disabled,
    Domain,
    EachStep,
    Heads,
    Per,
    Played,
    Quiet,
    Specification,
)
from mesos_spec.kernel.claims import Sometimes
from mesos_spec.mesos import ACTIONS, ALWAYS, CHANNELS, EACH_STEP
from mesos_spec.network import own_stream
from mesos_spec.state import Reign, Scheduler, State

Some = Sometimes[State, ...]
Deed = tuple[str, Mapping[str, Any]]  #: an action's name, and those of its names that matter
Script = tuple[Deed, ...]


# ---- scripts -------------------------------------------------------------------------------
def agent_up(agent: str = "a1", epoch: int = 1) -> Script:
    """An agent is started, and registered with the master of a reign."""
    return (
        ("start_agent", {"agent": agent}),
        ("turn_to", {"agent": agent, "epoch": epoch}),
        ("register", {"agent": agent}),
        ("admit", {"epoch": epoch}),
        ("be_registered", {"agent": agent}),
    )


def subscribed(scheduler: str = "s1", epoch: int = 1) -> Script:
    """A scheduler is subscribed with the master of a reign."""
    return (
        ("turn_scheduler_to", {"scheduler": scheduler, "epoch": epoch}),
        ("ask_to_subscribe", {"scheduler": scheduler}),
        ("subscribe", {"epoch": epoch}),
        ("be_subscribed", {"scheduler": scheduler}),
    )


LED: Script = (("lead", {"epoch": 1}),)
CLUSTER: Script = (*LED, *agent_up(), *subscribed())
#: The first task of scheduler s1 is on its way to its agent, …
LAUNCHED: Script = (
    *CLUSTER,
    *(("offer", {}), ("hear_offers", {"scheduler": "s1"})),
    *(("call", {"scheduler": "s1"}), ("accept", {})),
)
#: … waits there for its executor, …
QUEUED: Script = (*LAUNCHED, ("run", {}))
#: … and runs.
RUNNING: Script = (
    *QUEUED,
    ("executor_subscribes", {"updates": ()}),
    *(("executor_hears", {}), ("executor_hears", {})),
)


@dataclass(frozen=True)
class Beginning:
    """The initial state: an empty cluster in which a script was played."""

    script: Script

    def __call__(self, bounds: Bounds) -> State:
        """The state after the script.  Raises ValueError where a step of it is not possible."""
        return [self.empty(bounds), *(step.after for step in self.played(bounds))][-1]

    def empty(self, bounds: Bounds) -> State:
        """A cluster where nothing has happened yet."""
        known = {one: Scheduler(program.framework) for one, program in bounds.schedulers.items()}
        return State(bounds=bounds, scheduler=Per(known))

    def played(self, bounds: Bounds) -> list[Played[State]]:
        """The script, step by step."""
        return play(self.empty(bounds), self.script, ACTIONS)


def play(
    s: State, script: Script, actions: Mapping[str, Action[State, ...]]
) -> list[Played[State]]:
    """A script from a state on; each step with the first names that it leaves open.

    What it gives for a name is the value, or a function that says whether one will do.

    Raises ValueError where a step of it is not possible.
    """
    steps: list[Played[State]] = []
    for name, given in script:
        steps.append(_first_step(s, actions[name], given))
        s = steps[-1].after
    return steps


def _first_step(s: State, action: Action[State, ...], given: Mapping[str, Any]) -> Played[State]:
    wanted = {name: fits for name, fits in given.items() if callable(fits)}
    fixed = {name: value for name, value in given.items() if name not in wanted}
    for bound in action.bindings(s, fixed):
        if not all(fits(bound[name]) for name, fits in wanted.items()):
            continue
        try:
            return Played(s, action.name, bound, action(s, **bound))
        except Disabled:
            continue
    raise ValueError(f"{action.name} is not possible with {given}: no model can start like this")


# ---- choices and hearing -------------------------------------------------------------------
#: What somebody decides, or happens to him.  All other actions hear what was sent.
CHOICES = frozenset(
    {
        *("lead", "end_reign", "offer", "rescind", "forget_filter", "ping", "lose_agent"),
        *(
            "mark_unreachable",
            "forget_agent",
            "forget_framework",
            "lose_framework",
            "give_up_framework",
            "tear_down_by_operator",
        ),
        *("start_agent", "crash_agent", "turn_to", "register", "drop_link", "resend"),
        *("executor_subscribes", "executor_updates", "executor_ends", "send_up"),
        *("give_up_executor", "recover_executor"),
        *("turn_scheduler_to", "ask_to_subscribe", "lose_stream", "crash_scheduler", "call"),
        *("ack", "foreign_call"),
    }
)


# ---- prompt channels -----------------------------------------------------------------------
#: Who hears what is sent: the party whose actions take messages from a channel.
HEARERS = {
    "up": "master",
    "down": "agent",
    "calls": "master",
    "events": "scheduler",
    "to_executor": "environment",
}

#: Actions that empty a channel instead of hearing what is in it.
DEAF = frozenset(
    {
        *("drop_link", "turn_to", "crash_agent", "lose_agent", "mark_unreachable"),
        *("lose_stream", "turn_scheduler_to", "crash_scheduler", "foreign_call"),
    }
)


def promptly(actions: Iterable[Action[State, ...]], *fields: str) -> list[Action[State, ...]]:
    """The actions, where nothing else happens while mail is in a channel of `fields`.

    A bound of the model, so it is no guard: the other actions have nothing to range over.
    """

    def is_hearing(one: Action[State, ...]) -> bool:
        may = any(f in one.changes and one.by in (HEARERS[f], "environment") for f in fields)
        return may and one.name not in DEAF

    return [one if is_hearing(one) else _put_off(one, fields) for one in actions]


def _put_off(one: Action[State, ...], fields: tuple[str, ...]) -> Action[State, ...]:
    """An action that waits until there is no mail in the channels of `fields`."""
    first, domain = next(iter(one.over.items()))
    over: dict[str, Domain] = {**one.over, first: Quiet(domain, fields)}
    return replace(one, over=over)


def is_heard(s: State, field: str, key: Any) -> bool:
    """Whether there is somebody at the receiving end of a channel with mail."""
    if field == "up":
        return s.reign[s.up[key].mail[0].epoch] == Reign.LEADING
    if field == "down":
        return bool(s.agent[key.agent].link == key)
    if field == "calls":
        return s.reign[key.epoch] == Reign.LEADING
    if field == "events":
        return bool(own_stream(s, key.scheduler) == key)
    return True


def crowded(room: int, prompt: tuple[str, ...]) -> Crowded:
    """The states beyond a model's bounds: a channel holds more than `room` messages.

    Prompt channels may: they are heard before anything is added.
    """
    return Crowded(tuple(field for field in CHANNELS if field not in prompt), room)


def specification(
    name: str,
    choices: Iterable[str],
    script: Script = (),
    prompt: tuple[str, ...] = ("to_executor",),
    sometimes: tuple[Some, ...] = (),
    own: tuple[Action[State, ...], ...] = (),
    claims: tuple[EachStep[State, ...], ...] = (),
) -> Specification[State]:
    """A part of Mesos that starts with a script: these choices, all hearing, and every claim.

    `own` are actions, `claims` properties that are this part's alone.
    """
    chosen = frozenset(choices)
    found = [one for name, one in ACTIONS.items() if name in chosen or name not in CHOICES]
    return Specification(
        name=name,
        init=Beginning(script),
        actions=tuple(promptly([*found, *own], *prompt)),
        always=ALWAYS,
        each_step=EACH_STEP + claims,
        sometimes=sometimes,
        heads=Heads(CHANNELS, prompt, is_heard),
    )
