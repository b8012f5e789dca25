"""What became of EVENTUALLY claims: verdicts, and the lassos that break them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from mesos_spec.kernel import Cells
from mesos_spec.tools.search.checker import Counterexample, Taken

S = TypeVar("S", bound=Cells)


@dataclass(frozen=True)
class Lasso(Counterexample[S]):
    """A fair behaviour that never does what is claimed: its steps, and then the cycle, for ever.

    With an empty cycle nothing more has to happen where the steps lead.
    """

    cycle: tuple[Taken, ...]
    since: int  #: after so many of the steps the claim is owed, and from then on not kept


@dataclass(frozen=True)
class Verdict(Generic[S]):
    """What became of one EVENTUALLY claim in one model."""

    claim: str
    owed: int  #: states in which it is owed and not yet kept, for all bindings together
    open: int  #: cut states that a behaviour may reach before it is kept
    lasso: Lasso[S] | None

    @property
    def ok(self) -> bool:
        """Whether it was owed at all, and is kept by every fair behaviour of the model."""
        return self.lasso is None and self.owed > 0 and not self.open

    @property
    def says(self) -> str:
        """The verdict in a few words."""
        if self.lasso is not None:
            return self.lasso.why
        if not self.owed:
            return f"{self.claim} was never owed: nothing is shown of it"
        if self.open:
            return f"{self.claim} holds, but for what comes after {self.open} cut states"
        return f"{self.claim} holds"
