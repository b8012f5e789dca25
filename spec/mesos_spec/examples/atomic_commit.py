"""What two-phase commit is for: managers commit only together, and nobody says how they agree.

`two_phase_commit` refines this: forget its messages and its coordinator, and each of its steps is
a step here or none at all.
"""

from __future__ import annotations

from collections.abc import Iterable

from mesos_spec.examples import two_phase_commit
from mesos_spec.kernel import Cells, Const, Per, Refinement, Specification, action, per, require


class State(Cells):
    """How far each manager is."""

    managers: Const[tuple[str, ...]]
    manager: Per[str, str] = per("working")  #: working, prepared, committed or aborted


def managers(s: State) -> Iterable[str]:
    """All managers."""
    return s.managers


@action(changes="manager", manager=managers)
def prepare(s: State, manager: str) -> None:
    """A manager is able to commit."""
    require(s.manager[manager] == "working", "the manager has decided nothing")
    s.manager[manager] = "prepared"


@action(changes="manager", manager=managers)
def commit(s: State, manager: str) -> None:
    """A manager commits: every other is able to, or has."""
    ready = all(s.manager[one] in ("prepared", "committed") for one in s.managers)
    require(ready, "all are prepared, or have committed")
    s.manager[manager] = "committed"


@action(changes="manager", manager=managers)
def abort(s: State, manager: str) -> None:
    """A manager aborts, unless one has committed."""
    undecided = all(s.manager[one] != "committed" for one in s.managers)
    require(undecided, "nobody has committed")
    s.manager[manager] = "aborted"


SPEC = Specification(
    name="atomic_commit",
    init=lambda names: State(managers=names),
    actions=(prepare, commit, abort),
)


def as_atomic(s: two_phase_commit.State) -> State:
    """What is to be seen of two-phase commit: its managers."""
    return State(managers=s.managers, manager=Per((m, s.manager[m]) for m in s.managers))


TWO_PHASE_COMMIT_IS_ATOMIC: Refinement[two_phase_commit.State, State] = Refinement(
    name="two-phase commit is atomic",
    doc="Each of its steps is a step of the managers, or is not seen.",
    above=SPEC,
    bounds=lambda s: s.managers,
    seen=as_atomic,
)
