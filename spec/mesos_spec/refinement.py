"""The protocol refines the ledger: what all its messages come to.

`as_ledger` says what a state of the protocol is in the ledger, and `MEANS` which step of the ledger
an action may be; whatever is not in it moves no resources.  A refinement is checked of a model, in
every state and of every step: `mesos-spec check MODEL --refines`.

    in the ledger     in the protocol
    a leader's book   what the master of a reign believes: its offers, live tasks, executors
    granted           RunTask frames in flight on the link that the agent has
    running           an agent's tasks that have not ended, and its executors

An agent that was marked unreachable is in no book, and its tasks may run.  A master that does not
know it was deposed keeps its book; what it grants goes to a link that the agent has left, and is
granted to nobody.  The executors of a removed framework are ending, and hold nothing any more.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Any, TypeVar

from mesos_spec import ledger, refusals
from mesos_spec.ids import AgentId, Epoch, ExecutorKey, OfferId, TaskId
from mesos_spec.kernel import Move, Per, Played, Refinement, Table
from mesos_spec.kernel.model import Model
from mesos_spec.ledger import Holder, Holdings, Ledger, Parties, Share
from mesos_spec.masters import in_use
from mesos_spec.messages import RunTask
from mesos_spec.models.settings import Beginning
from mesos_spec.network import own_link
from mesos_spec.resources import Resources
from mesos_spec.state import Phase, State

K = TypeVar("K", bound=Hashable)
V = TypeVar("V", bound=Hashable)


# ---- what a state is -------------------------------------------------------------------------
def parties(s: State) -> Parties:
    """Who there is."""
    return Parties(s.bounds.epochs, s.bounds.agents)


def as_ledger(s: State) -> Ledger:
    """A state of the protocol as it is in the ledger."""
    books = [(epoch, agent) for epoch in s.bounds.epochs for agent in s.bounds.agents]
    return Ledger(
        parties=parties(s),
        counted=Per((book, in_use(s.agents[book])) for book in books),
        offered=Per((book, offered(s, *book)) for book in books),
        held=Per((book, held(s, *book)) for book in books),
        granted=Per((agent, granted(s, agent)) for agent in s.bounds.agents),
        running=Per((agent, running(s, agent)) for agent in s.bounds.agents),
    )


def offered(s: State, epoch: Epoch, agent: AgentId) -> Table[OfferId, Share]:
    """The offers of an agent that stand, to a master."""
    standing = s.offers[epoch, agent].items()
    return Table((offer, Share(made.framework, made.resources)) for offer, made in standing)


def held(s: State, epoch: Epoch, agent: AgentId) -> Holdings:
    """What tasks that have not ended hold of an agent, to a master, and executors (UPD-8)."""
    tasks = ((of_task(task), record.held) for task, record in s.tasks[epoch, agent].items())
    known = s.executors[epoch, agent].items()
    return holdings((*tasks, *((of_executor(key), one.resources) for key, one in known)))


def granted(s: State, agent: AgentId) -> Holdings:
    """What an agent was told to run, and has not heard yet."""
    orders = [frame for frame in s.down[own_link(s, agent)].mail if isinstance(frame, RunTask)]
    tasks = [(of_task(order.task), order.resources) for order in orders]
    executors = [
        (of_executor(ExecutorKey(order.task.framework, order.executor)), order.executor_resources)
        for order in orders
        if order.executor is not None and order.launch_executor
    ]
    return holdings((*tasks, *executors))


def running(s: State, agent: AgentId) -> Holdings:
    """What there is on an agent: tasks that have not ended, executors that are wanted."""
    runs, runners = s.runs[agent].items(), s.runners[agent].items()
    tasks = [(of_task(task), run.resources) for task, run in runs if run.phase != Phase.ENDED]
    wanted = [(of_executor(key), one.resources) for key, one in runners if not one.disowned]
    return holdings((*tasks, *wanted))


def of_task(task: TaskId) -> Holder:
    """A task as it stands in the ledger."""
    return Holder(task.framework, "task", task.id)


def of_executor(key: ExecutorKey) -> Holder:
    """An executor as it stands in the ledger."""
    return Holder(key.framework, "executor", key.executor)


def holdings(every: Iterable[tuple[Holder, Resources]]) -> Holdings:
    """Who holds something; command executors hold nothing of their own."""
    return Table((holder, amount) for holder, amount in every if amount)


# ---- which step a step is --------------------------------------------------------------------
def counts(before: Ledger, after: Ledger) -> Move | None:
    """One account was opened, or brought up to date."""
    for epoch, agent in _books(before):
        if _book(before, epoch, agent) != _book(after, epoch, agent):
            has, holds = after.counted[epoch, agent], after.held[epoch, agent]
            return "count", {"epoch": epoch, "agent": agent, "has": has, "holds": holds}
    return None


def discounts(before: Ledger, after: Ledger) -> Move | None:
    """The accounts of one book were closed."""
    gone = [book for book in _books(before) if before.counted[book] and not after.counted[book]]
    if not gone:
        return None
    return "discount", {"epoch": gone[0][0], "gone": frozenset(agent for _, agent in gone)}


def offers(before: Ledger, after: Ledger) -> Move | None:
    """One offer was made."""
    for epoch, agent in _books(before):
        for offer, share in after.offered[epoch, agent].items():
            if offer not in before.offered[epoch, agent]:
                what = {"framework": share.framework, "offer": offer, "resources": share.resources}
                return "offer", {"epoch": epoch, "agent": agent, **what}
    return None


def uses(before: Ledger, after: Ledger) -> Move | None:
    """Offers ended, and what was in them is held."""
    for epoch, agent in _books(before):
        ended = _less(before.offered[epoch, agent], after.offered[epoch, agent])
        holds = _more(before.held[epoch, agent], after.held[epoch, agent])
        if ended or holds:
            told = before.granted[agent] != after.granted[agent]
            what = {"offers": ended, "holds": holds, "reaches": told}
            return "use", {"epoch": epoch, "agent": agent, **what}
    return None


def lets_go(before: Ledger, after: Ledger) -> Move | None:
    """Offers ended, and some hold nothing any more, in one book."""
    ended = {
        book: (
            _less(before.offered[book], after.offered[book]),
            _less(before.held[book], after.held[book]),
        )
        for book in _books(before)
    }
    epochs = [epoch for (epoch, _), (gone, freed) in ended.items() if gone or freed]
    if not epochs:
        return None
    mine = {agent: both for (epoch, agent), both in ended.items() if epoch == epochs[0]}
    return "let_go", {
        "epoch": epochs[0],
        "offers": frozenset(offer for gone, _ in mine.values() for offer in gone),
        "holders": frozenset((agent, one) for agent, (_, freed) in mine.items() for one in freed),
    }


def on_agent(step: str, table: str) -> Callable[[Ledger, Ledger], Move | None]:
    """A step of one agent that takes somebody out of what it was granted, or what runs."""

    def found(before: Ledger, after: Ledger) -> Move | None:
        for agent in before.parties.agents:
            gone = _less(getattr(before, table)[agent], getattr(after, table)[agent])
            if gone:
                return step, {"agent": agent, "holders": gone}
        return None

    return found


starts = on_agent("start", "granted")
voids = on_agent("void", "granted")
stops = on_agent("stop", "running")

#: What an action may be in the ledger.  All others move no resources.
MEANS: dict[str, Callable[[Ledger, Ledger], Move | None]] = {
    **dict.fromkeys(("admit",), counts),
    **dict.fromkeys(("mark_unreachable", "end_reign"), discounts),
    **dict.fromkeys(("offer", "fair_offer"), offers),
    **dict.fromkeys(("accept",), uses),
    # offers end
    **dict.fromkeys(("rescind", "decline", "refuse_accept", "lose_agent"), lets_go),
    **dict.fromkeys(("subscribe", "lose_framework"), lets_go),
    # tasks and executors end
    **dict.fromkeys(("forward", "lose_executor"), lets_go),
    **dict.fromkeys(("tear_down", "tear_down_by_operator", "give_up_framework"), lets_go),
    # on agents
    **dict.fromkeys(("run",), starts),
    **dict.fromkeys(("refuse_run", "ignore_frame"), voids),
    **dict.fromkeys(("drop_link", "turn_to", "crash_agent", "shut_down_agent"), voids),
    **dict.fromkeys(("answer_ping",), voids),
    **dict.fromkeys(("executor_subscribes", "executor_updates", "executor_ends"), stops),
    **dict.fromkeys(("recover_executor", "kill_task", "end_framework", "start_agent"), stops),
}


def moves(action: str, before: Ledger, after: Ledger) -> Move | None:
    """Which step of the ledger a step of the protocol is, from what it changed there."""
    means = MEANS.get(action)
    return means(before, after) if means is not None else None


def _books(s: Ledger) -> list[tuple[Epoch, AgentId]]:
    return [(epoch, agent) for epoch in s.parties.epochs for agent in s.parties.agents]


def _book(s: Ledger, epoch: Epoch, agent: AgentId) -> tuple[object, ...]:
    return s.counted[epoch, agent], s.offered[epoch, agent], s.held[epoch, agent]


def _less(before: Table[K, V], after: Table[K, V]) -> frozenset[K]:
    """What is not there any more."""
    return frozenset(one for one in before if one not in after)


def _more(before: Holdings, after: Holdings) -> Holdings:
    """What is there now, or is another amount."""
    return Table((one, n) for one, n in after.items() if before.get(one, None) != n)


def script_of(model: Model[State]) -> list[Played[State]]:
    """The steps by which a model's cluster came to where the model starts."""
    start = model.spec.init
    return start.played(model.bounds) if isinstance(start, Beginning) else []


PROTOCOL_REFINES_LEDGER: Refinement[State, Ledger] = Refinement(
    name="the protocol refines the ledger",
    doc=__doc__,
    above=ledger.SPEC,
    bounds=parties,
    seen=as_ledger,
    moves=moves,
    before=script_of,
)

#: Models beside the protocol that refine something.
BESIDE: dict[str, Refinement[Any, Any]] = {
    "filtering": refusals.FILTERING_IS_REJECTING,
    "rejecting": refusals.REJECTING_IS_FILTERING,
}


def refinement_of(model: Model[Any]) -> Refinement[Any, Any] | None:
    """What a model refines: the ledger, if it is of the protocol."""
    if model.name in BESIDE:
        return BESIDE[model.name]
    of_mesos = isinstance(model.spec.start(model.bounds), State)
    return PROTOCOL_REFINES_LEDGER if of_mesos else None
