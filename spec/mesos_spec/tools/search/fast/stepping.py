"""What an action does in a state, as an answer; and what can be wrong with that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from mesos_spec.kernel import Action, Cells, Disabled, Effects, undo
from mesos_spec.tools.search.blame import Wrong, failure
from mesos_spec.tools.search.worlds import Raised

S = TypeVar("S", bound=Cells)
Names = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Flaw:
    """What an answer says is wrong, in the state that was asked or in a step from it."""

    claim: str
    bound: Names
    why: str
    step: tuple[str, Names] | None = None
    wrong: Wrong | None = None


@dataclass(slots=True)
class Answer:
    """What follows from the cells that were read."""

    effects: tuple[int, ...] = ()  #: numbers of effects, one for each way on
    got: int = 0  #: letters that are taken, as bits
    need: int = 0  #: letters that must be taken, as bits
    cut: bool = False
    seen: str = ""  #: the SOMETIMES property that holds
    flaw: Flaw | None = None
    taken: int = 0
    asked: frozenset[tuple[str, bool]] = frozenset()
    told: bool = False  #: whether the search has taken note of it


def flaw_of(claim: str, bound: Names, step: tuple[str, Names] | None = None) -> Flaw:
    """That a claim does not hold for these names."""
    names = ", ".join(f"{name}={value}" for name, value in bound.items())
    return Flaw(claim, bound, f"{claim} does not hold" + (f" for {names}" if names else ""), step)


@dataclass(slots=True)
class Done(Generic[S]):
    """What an action did in a state, in every way it could."""

    action: Action[S, ...]
    ways: list[Effects] = field(default_factory=list)
    asked: set[tuple[str, bool]] = field(default_factory=set)
    flaw: Flaw | None = None


def tried(action: Action[S, ...], given: Names, s: S) -> Done[S]:
    """What an action does in `s`, with some names bound already."""
    done = Done(action)

    def hear(guard: str, held: bool) -> None:
        done.asked.add((guard, bool(held)))

    for bound in action.bindings(s, given) if action.allows(s, given) else ():
        try:
            effects = action.apply(s, bound, hear)
        except Disabled:
            continue
        except Exception as e:
            raised = Raised(action.name, bound, failure(e))
            flaw = Flaw(action.name, bound, raised.says, wrong=raised.error)
            done.flaw = done.flaw or flaw
            continue
        undo(s, effects)
        done.ways.append(effects)
    return done
