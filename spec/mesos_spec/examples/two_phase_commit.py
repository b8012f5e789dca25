"""Resource managers agree to commit or abort a transaction, by way of a transaction manager.

Messages are never lost, and never leave the set they are put in.  Three resource managers reach
288 states, as in Gray and Lamport's TLA+ specification and in Stateright's copy of it.
"""

from __future__ import annotations

from collections.abc import Iterable

from mesos_spec.kernel import (
    Cells,
    Const,
    Counts,
    Model,
    Per,
    Specification,
    action,
    always,
    per,
    require,
    sometimes,
)


class State(Cells):
    """What each party has decided, and what has been said."""

    managers: Const[tuple[str, ...]]
    manager: Per[str, str] = per("working")  #: working, prepared, committed or aborted
    coordinator: str = "init"  #: init, committed or aborted
    heard_prepared: frozenset[str] = frozenset()  #: whom the coordinator knows to be prepared
    said: frozenset[str] = frozenset()  #: a manager's name ("I am prepared"), "commit", "abort"


def managers(s: State) -> Iterable[str]:
    """All resource managers."""
    return s.managers


@action(changes="heard_prepared", by="coordinator", manager=managers)
def coordinator_hears_prepared(s: State, manager: str) -> None:
    """The coordinator learns that a manager is prepared."""
    require(s.coordinator == "init", "nothing is decided")
    require(manager in s.said, "the manager has said that it is prepared")
    s.heard_prepared |= {manager}


@action(changes="coordinator said", by="coordinator")
def coordinator_commits(s: State) -> None:
    """Everybody is prepared, so the transaction is committed."""
    require(s.coordinator == "init", "nothing is decided")
    require(s.heard_prepared == frozenset(s.managers), "everybody is known to be prepared")
    s.coordinator = "committed"
    s.said |= {"commit"}


@action(changes="coordinator said", by="coordinator")
def coordinator_aborts(s: State) -> None:
    """The coordinator may give up at any time before it has decided."""
    require(s.coordinator == "init", "nothing is decided")
    s.coordinator = "aborted"
    s.said |= {"abort"}


@action(changes="manager said", by="manager", manager=managers)
def manager_prepares(s: State, manager: str) -> None:
    """A manager is able to commit, says so, and from now on may not decide alone."""
    require(s.manager[manager] == "working", "the manager has decided nothing")
    s.manager[manager] = "prepared"
    s.said |= {manager}


@action(changes="manager", by="manager", manager=managers)
def manager_chooses_to_abort(s: State, manager: str) -> None:
    """A manager that has promised nothing gives up."""
    require(s.manager[manager] == "working", "the manager has decided nothing")
    s.manager[manager] = "aborted"


@action(changes="manager", by="manager", manager=managers)
def manager_commits(s: State, manager: str) -> None:
    """A manager does as the coordinator decided."""
    require("commit" in s.said, "the coordinator has said to commit")
    s.manager[manager] = "committed"


@action(changes="manager", by="manager", manager=managers)
def manager_aborts(s: State, manager: str) -> None:
    """A manager does as the coordinator decided."""
    require("abort" in s.said, "the coordinator has said to abort")
    s.manager[manager] = "aborted"


@always()
def nobody_disagrees(s: State) -> bool:
    """No manager has committed while another has aborted."""
    return not {"committed", "aborted"} <= {s.manager[manager] for manager in s.managers}


@sometimes()
def all_commit(s: State) -> bool:
    """The transaction can succeed."""
    return all(s.manager[manager] == "committed" for manager in s.managers)


SPEC = Specification(
    name="two_phase_commit",
    init=lambda names: State(managers=names),
    actions=(
        coordinator_hears_prepared,
        coordinator_commits,
        coordinator_aborts,
        manager_prepares,
        manager_chooses_to_abort,
        manager_commits,
        manager_aborts,
    ),
    always=(nobody_disagrees,),
    sometimes=(all_commit,),
)

MODEL = Model(
    name="two_phase_commit",
    title="Three resource managers agree.",
    spec=SPEC,
    bounds=("a", "b", "c"),
    expect=Counts(states=288, steps=1145, depth=10),
)
