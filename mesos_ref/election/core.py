"""How a lock file's holder is elected, kept and deposed, without touching a file or a clock.

Epoch N is the file `PATH.N.lock`: whoever makes it first holds a kernel lock on it as long as it
lives, and writes a *stamp*, a counter, every third of the lease.  A contender that finds the newest
epoch's lock free, or its stamp unchanged for a whole lease, makes N+1.

Nobody compares clocks.  The holder counts its lease from when it *began* to write a stamp, a
contender from when it had *finished* reading it; so the holder stops believing before anybody takes
over, also if it was stopped in between, as long as it looks at its clock before it acts.  All
times are the process' own monotonic microseconds.
"""

from __future__ import annotations

from typing import Any, TypeAlias, assert_never

import msgspec

from mesos_ref.election.interface import Elected, Leadership, Lost
from mesos_ref.step import Did, Effect, Step

KEPT_EPOCHS = 8  # older files are removed; a claim of such an epoch sees a newer one, and yields


# Events ---------------------------------------------------------------------------------------


class Looked(msgspec.Struct, frozen=True):
    """The newest epoch there is (0: none), whether its lock is held, its stamp (None: none yet)."""

    began_us: int
    newest: int
    is_held: bool
    stamp: int | None


class Claimed(msgspec.Struct, frozen=True):
    """Whether we are the one who made this epoch's file."""

    epoch: int
    won: bool


class Renewed(msgspec.Struct, frozen=True):
    """Our stamp is written; `newest` was looked up after that."""

    epoch: int
    began_us: int
    newest: int


class RenewFailed(msgspec.Struct, frozen=True):
    """Our stamp could not be written."""

    epoch: int
    why: str


class Tick(msgspec.Struct, frozen=True):
    """`next_deadline` has come."""


class Stirred(msgspec.Struct, frozen=True):
    """Something happened: who waits had better look now, and who leads renew, which is to look.

    Anybody may say so to a leader, as often as they like; so it renews no more often than a
    contender looks.
    """


Event: TypeAlias = Looked | Claimed | Renewed | RenewFailed | Tick | Stirred


# Effects --------------------------------------------------------------------------------------


class Look(Effect, frozen=True):
    """See how the newest epoch stands; answered by Looked."""


class Claim(Effect, frozen=True):
    """Make this epoch's file, locked, unless it is there; answered by Claimed."""

    epoch: int


class Renew(Effect, frozen=True):
    """Write this stamp, then see which epoch is the newest; answered by Renewed or RenewFailed."""

    epoch: int
    stamp: int


class Release(Effect, frozen=True):
    """Let go of this epoch's lock."""

    epoch: int


class Prune(Effect, frozen=True):
    """Remove the files of epochs up to this one."""

    up_to: int


class Announce(Effect, frozen=True):
    """Tell the master."""

    news: Leadership


# The core -------------------------------------------------------------------------------------


class ElectionCore:
    """One contender: watching, claiming, leading, and over.  Starts with a Tick."""

    def __init__(self, lease_us: int, look_every_us: int) -> None:
        if not 0 < look_every_us <= lease_us:
            raise ValueError(
                f"looking every {look_every_us} µs is no use with {lease_us} µs leases"
            )
        self.lease_us = lease_us
        self.look_every_us = look_every_us
        self.is_over = False
        self.epoch: int | None = None  # ours: claimed, or led
        self.is_leading = False
        self.holds_until_us = 0
        self.stamp = 0
        self._waits = False  # for the answer to an effect
        self._next_us = 0
        self._claim_began_us = self._renewed_us = 0
        self._seen: tuple[int, int | None] | None = None
        self._seen_since_us = 0

    @property
    def next_deadline(self) -> int | None:
        """When a Tick is wanted: to look, to renew, or to notice that the lease is over."""
        if self.is_over:
            return None
        if not self._waits:
            return self._next_us
        return None if self.epoch is None else self.holds_until_us

    def leads_at(self, now_us: int) -> bool:
        """Whether we may act as leader now, whatever news are still under way."""
        return self.is_leading and now_us < self.holds_until_us

    def view(self) -> dict[str, Any]:
        """Where the contender stands, as plain data."""
        return {"election": {"epoch": self.epoch, "leading": self.is_leading, "over": self.is_over}}

    def handle(self, event: Event, now_us: int) -> Step:
        """Take one event; what to do about it."""
        if self.is_over:
            return Step()
        if self.epoch is not None and now_us >= self.holds_until_us:
            return self._lose("the lease was over before it could be renewed", now_us)
        match event:
            case Looked():
                return self._looked(event, now_us)
            case Claimed():
                return self._claimed(event, now_us)
            case Renewed():
                return self._renewed(event, now_us) if event.epoch == self.epoch else Step()
            case RenewFailed():
                if event.epoch != self.epoch:
                    return Step()
                return self._lose(f"the stamp could not be written: {event.why}", now_us)
            case Stirred():
                return self._stirred(now_us)
            case Tick():
                return self._tick(now_us)
            case _:
                assert_never(event)

    def _stirred(self, now_us: int) -> Step:
        soon_us = now_us
        if self.epoch is not None:
            soon_us = max(now_us, self._renewed_us + self.look_every_us)
        self._next_us = min(self._next_us, soon_us)
        return self._tick(now_us)

    def _tick(self, now_us: int) -> Step:
        if self._waits or now_us < self._next_us:
            return Step()
        self._waits = True
        if self.epoch is None:
            return _step("look", Look())
        self.stamp += 1
        return _step("renew", Renew(self.epoch, self.stamp))

    def _looked(self, seen: Looked, now_us: int) -> Step:
        if (seen.newest, seen.stamp) != self._seen:
            self._seen, self._seen_since_us = (seen.newest, seen.stamp), now_us
        stale = seen.began_us - self._seen_since_us >= self.lease_us
        if seen.newest == 0 or not seen.is_held or stale:
            self._claim_began_us = now_us
            return _step("claim", Claim(seen.newest + 1))
        return self._rest(now_us)

    def _claimed(self, claim: Claimed, now_us: int) -> Step:
        if not claim.won:
            return self._rest(now_us)
        self.epoch = claim.epoch
        self.holds_until_us = self._claim_began_us + self.lease_us
        if now_us >= self.holds_until_us:
            return self._lose("the lease was over before it began", now_us)
        self.stamp = 1
        return _step("publish", Renew(claim.epoch, self.stamp))

    def _renewed(self, renewed: Renewed, now_us: int) -> Step:
        if renewed.newest > renewed.epoch:
            return self._lose(f"epoch {renewed.newest} has begun", now_us)
        self.holds_until_us = renewed.began_us + self.lease_us
        self._waits = False
        self._renewed_us = renewed.began_us
        self._next_us = renewed.began_us + self.lease_us // 3
        if self.is_leading:
            return Step((), (("renewed", {}),))
        self.is_leading = True
        effects: list[Effect] = [Announce(Elected(renewed.epoch))]
        if renewed.epoch > KEPT_EPOCHS:
            effects.append(Prune(renewed.epoch - KEPT_EPOCHS))
        return _step("elected", *effects)

    def _rest(self, now_us: int) -> Step:
        self._waits = False
        self._next_us = now_us + self.look_every_us
        return Step((), (("watch", {}),))

    def _lose(self, why: str, now_us: int) -> Step:
        """A leader is told and ends.  One that never was tries again, a lease later."""
        epoch, was_leading = self.epoch, self.is_leading
        assert epoch is not None
        self.epoch, self.is_leading = None, False
        self._waits, self._next_us = False, now_us + self.lease_us
        if not was_leading:
            return _step("yield", Release(epoch))
        self.is_over = True
        return _step("lose", Announce(Lost(epoch, why)), Release(epoch))


def _step(action: str, *effects: Effect) -> Step:
    did: Did = (action, {})
    return Step(effects, (did,))
