"""An executor that is told to end has its grace (KIL-8, EXE-6).

The judge sees when an executor is told to end, and when it is gone; what kills it is a deed that it
does not look at.  An agent that destroys at once what it has just told to end would pass for one
whose executors are quick.  So each destruction is held against the moment of the SHUTDOWN.
"""

from __future__ import annotations

SLACK_US = 1_000


class Graces:
    """The executors of one agent process that were told to end, by container."""

    def __init__(self) -> None:
        self._told_us: dict[str, int] = {}
        self._since_us: dict[str, int] = {}  #: from when on a grace runs that began before
        self.is_over = False  #: the agent itself was told to end: then nobody has a grace

    def goes_on(self, container: str, now_us: int) -> None:
        """It was told by another life of its agent: the grace begins anew, and once it is back it
        is told again.  Until then it is one that has not subscribed."""
        self._since_us[container] = now_us

    def told(self, container: str, now_us: int) -> None:
        """SHUTDOWN was sent to it; what counts is the first time."""
        self._told_us.setdefault(container, self._since_us.get(container, now_us))

    def destroyed(self, container: str, grace_us: int, now_us: int) -> list[str]:
        """A sentence if it comes too early.  Who was never told, as it has not subscribed, may be
        destroyed at any time."""
        told_us = self._told_us.pop(container, None)
        if told_us is None or self.is_over or now_us - told_us + SLACK_US >= grace_us:
            return []
        had_s = (now_us - told_us) / 1e6
        return [f"destroys {container} {had_s:.2f} s after it was told to end, of {grace_us / 1e6}"]
