"""Whom to offer an agent's free resources: the policy, behind one small interface.

The master tells an allocator who claims, what is charged to whom and how much there is; the
allocator answers one question: who is next on this agent? It never sees tasks, offers or time, so
another policy is one class with these methods. Claimants are (framework, role) pairs.
"""

from collections.abc import Callable
from typing import Protocol, TypeAlias

from mesos_ref.resources import Resources

Refuses: TypeAlias = Callable[[str, str], bool]
"""Whether a claimant (framework, role) has refused what is about to be offered."""


class Allocator(Protocol):
    """A policy. `charge` and `release` come in pairs, and count offers as well as use (F4)."""

    def add_total(self, resources: Resources) -> None:
        """A registered agent brings this much."""
        ...

    def remove_total(self, resources: Resources) -> None:
        """An agent with this much is registered no more."""
        ...

    def claim(self, framework: str, role: str) -> bool:
        """The framework wants offers in this role. Whether that is new."""
        ...

    def unclaim(self, framework: str, role: str) -> None:
        """It wants none any more; what is charged to it stays charged."""
        ...

    def charge(self, framework: str, role: str, resources: Resources) -> None:
        """This much is offered to the claimant, or used by it."""
        ...

    def release(self, framework: str, role: str, resources: Resources) -> None:
        """This much is free again."""
        ...

    def choose(
        self, agent: str, free: Resources, refuses: Refuses | None
    ) -> tuple[str, str] | None:
        """The (framework, role) to offer all that is free on `agent` to; None: nobody.

        It may not be one that `refuses`; None there says that nobody does.
        """
        ...

    def total(self) -> dict[str, int]:
        """What all registered agents bring, in thousandths by name: for checks."""
        ...

    def charged(self) -> dict[tuple[str, str], dict[str, int]]:
        """What is charged to each (framework, role), in thousandths by name: for checks."""
        ...

    def role_charged(self) -> dict[str, dict[str, int]]:
        """What is charged to each role, in thousandths by name: for checks."""
        ...
