"""Dominant Resource Fairness, exactly (paper 3.3, ALC-10…17).

A claimant's dominant share is the largest of its shares of the cluster's single resources. Roles
compete first, by the share of all their frameworks; the frameworks of a role second. The smallest
share is next, names break ties.

Shares are compared without fractions: with `common` a common multiple of all totals, the share
`used / total` becomes the integer `used * (common // total)`. They are recomputed only for
claimants whose charges changed since the last choice, and kept sorted.
"""

from bisect import bisect_left, insort
from math import lcm

from mesos_ref.allocator import Refuses
from mesos_ref.resources import Resources

Amounts = dict[str, int]
Ranked = tuple[int, str]


class Drf:
    """The DRF policy over flat roles of equal weight."""

    def __init__(self) -> None:
        #: All registered agents' scalars, in thousandths.
        self._total: Amounts = {}
        #: What one thousandth of a resource weighs in a share; empty: to be computed.
        self._weight: Amounts = {}
        #: Scalars charged, by (framework, role), and summed by role. No empty entries.
        self._charged: dict[tuple[str, str], Amounts] = {}
        self._role_charged: dict[str, Amounts] = {}
        #: Claiming frameworks of each role, and the roles with any, smallest share first.
        self._claims: dict[str, list[Ranked]] = {}
        self._roles: list[Ranked] = []
        #: The shares by which claimants and roles are sorted now.
        self._share: dict[tuple[str, str], int] = {}
        self._role_share: dict[str, int] = {}
        #: Claimants whose charges changed since they were sorted.
        self._stale: dict[tuple[str, str], None] = {}

    # What there is, and who wants it ----------------------------------------------------------

    def add_total(self, resources: Resources) -> None:
        """A registered agent brings this much."""
        _add(self._total, resources)
        self._weight = {}

    def remove_total(self, resources: Resources) -> None:
        """An agent with this much is registered no more."""
        _remove(self._total, resources)
        self._weight = {}

    def claim(self, framework: str, role: str) -> bool:
        """The framework wants offers in this role. Whether that is new."""
        claimant = (framework, role)
        if claimant in self._share:
            return False
        if role not in self._claims:
            self._claims[role] = []
            self._role_share[role] = 0
            insort(self._roles, (0, role))
        self._share[claimant] = 0
        insort(self._claims[role], (0, framework))
        self._stale[claimant] = None
        return True

    def unclaim(self, framework: str, role: str) -> None:
        """It wants none any more; what is charged to it stays charged."""
        claimant = (framework, role)
        if claimant not in self._share:
            return
        _drop(self._claims[role], (self._share.pop(claimant), framework))
        if not self._claims[role]:
            del self._claims[role]
            _drop(self._roles, (self._role_share.pop(role), role))

    def charge(self, framework: str, role: str, resources: Resources) -> None:
        """This much is offered to the claimant, or used by it."""
        claimant = (framework, role)
        _add(self._charged.setdefault(claimant, {}), resources)
        _add(self._role_charged.setdefault(role, {}), resources)
        self._forget_if_empty(claimant)
        self._stale[claimant] = None

    def release(self, framework: str, role: str, resources: Resources) -> None:
        """This much is free again."""
        claimant = (framework, role)
        _remove(self._charged.get(claimant, {}), resources)
        _remove(self._role_charged.get(role, {}), resources)
        self._forget_if_empty(claimant)
        self._stale[claimant] = None

    def total(self) -> Amounts:
        """What all registered agents bring, in thousandths by name."""
        return dict(self._total)

    def charged(self) -> dict[tuple[str, str], Amounts]:
        """What is charged to each (framework, role), in thousandths by name."""
        return {claimant: dict(amounts) for claimant, amounts in self._charged.items()}

    def role_charged(self) -> dict[str, Amounts]:
        """What is charged to each role, in thousandths by name."""
        return {role: dict(amounts) for role, amounts in self._role_charged.items()}

    def _forget_if_empty(self, claimant: tuple[str, str]) -> None:
        if not self._charged.get(claimant, True):
            del self._charged[claimant]
        if not self._role_charged.get(claimant[1], True):
            del self._role_charged[claimant[1]]

    # The choice -------------------------------------------------------------------------------

    def choose(
        self, agent: str, free: Resources, refuses: Refuses | None
    ) -> tuple[str, str] | None:
        """The claimant that is next and does not refuse, whatever the agent; None if none is."""
        self._sort()
        for _, role in self._roles:
            for _, framework in self._claims[role]:
                if refuses is None or not refuses(framework, role):
                    return framework, role
        return None

    def _sort(self) -> None:
        """Move each claimant whose share changed to its place."""
        if not self._weight and self._total:
            common = lcm(*self._total.values())
            self._weight = {name: common // total for name, total in self._total.items()}
            self._stale = dict.fromkeys(self._share)
        for claimant in self._stale:
            if claimant in self._share:
                self._move(claimant)
            self._move_role(claimant[1])
        self._stale.clear()

    def _move(self, claimant: tuple[str, str]) -> None:
        framework, role = claimant
        before, share = self._share[claimant], self._dominant(self._charged.get(claimant))
        if share != before:
            ranking = self._claims[role]
            _drop(ranking, (before, framework))
            insort(ranking, (share, framework))
            self._share[claimant] = share

    def _move_role(self, role: str) -> None:
        before, share = self._role_share.get(role), self._dominant(self._role_charged.get(role))
        if before is not None and share != before:
            _drop(self._roles, (before, role))
            insort(self._roles, (share, role))
            self._role_share[role] = share

    def _dominant(self, amounts: Amounts | None) -> int:
        """The largest share, as a multiple of 1 / common."""
        if not amounts:
            return 0
        weight = self._weight
        return max(milli * weight.get(name, 0) for name, milli in amounts.items())


def _add(amounts: Amounts, resources: Resources) -> None:
    for name, milli in resources.scalars.items():
        amounts[name] = amounts.get(name, 0) + milli


def _remove(amounts: Amounts, resources: Resources) -> None:
    for name, milli in resources.scalars.items():
        rest = amounts.get(name, 0) - milli
        if rest > 0:
            amounts[name] = rest
        else:
            amounts.pop(name, None)


def _drop(ranking: list[Ranked], entry: Ranked) -> None:
    del ranking[bisect_left(ranking, entry)]
