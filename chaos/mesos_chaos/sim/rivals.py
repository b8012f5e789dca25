"""A rival: a second scheduler that subscribes with a framework's id while the first one lives.

That is a scheduler's fail-over as the master sees it (FWK-3): the first is told "Framework failed
over", and stops.  The rival does nothing with what it gets.  When whoever watches over the first
one starts it again, it takes its framework back in the same way.
"""

from __future__ import annotations

from typing import Any

import msgspec

from mesos_chaos.sim.loop import SECOND_US
from mesos_chaos.sim.masters import Election
from mesos_chaos.sim.network import End
from mesos_chaos.sim.schedulers import SimScheduler
from mesos_ref.wire import scheduler as wire

WAIT_US = (SECOND_US // 2, 2 * SECOND_US)


class SimRival:
    """Takes one scheduler's framework over, `times` times, at random moments."""

    def __init__(self, victim: SimScheduler, election: Election, times: int) -> None:
        self.left = times
        self._victim = victim
        self._election = election
        self._dice = victim.loop.random(f"rival {victim.name}")
        self._later()

    def _later(self) -> None:
        if self.left:
            self._victim.loop.after(self._dice.randint(*WAIT_US), self._take_over)

    def _take_over(self) -> None:
        leader, framework_id = self._election.leader, self._victim.kept.get("framework_id")
        if leader is not None and leader.leads and framework_id is not None:
            self.left -= 1
            name = f"rival of {self._victim.name}"
            ends: tuple[End[Any], End[Any]] = self._victim.network.connect(name, leader.name)
            near, far = ends
            leader.accept_scheduler(far)
            info = msgspec.structs.replace(self._victim.framework, id=framework_id)
            subscribe = wire.Subscribe(framework_info=info)
            call = wire.Call(type="SUBSCRIBE", framework_id=framework_id, subscribe=subscribe)
            near.send(("ext", 0, None, call))
        self._later()
