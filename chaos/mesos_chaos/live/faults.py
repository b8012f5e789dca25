"""Faults on real processes: what a plan asks for, done by signal and by proxy, and always undone.

Every fault names a role; it is looked up when the fault strikes.  Every fault pushes its undo,
which is run when its time is over, and in any case when the run heals.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import trio

from mesos_chaos.live.proxy import Direction
from mesos_chaos.live.world import World
from mesos_chaos.plan import Fault, FaultKind
from mesos_ref.cluster.cluster import ClusterError
from mesos_ref.election.files import Files
from mesos_ref.isolation import processes
from mesos_ref.isolation.rundir import all_runs

LOOK_S = 0.01
#: Roles that somebody may play in a moment, and how long a fault waits for that.
COMING = ("leader", "standby", "agent-of", "executor", "executor-of")
COMES_WITHIN_S = 5.0
Undo = Callable[[], Awaitable[None]]
DIRECTIONS = {
    "up": (Direction.UP,),
    "down": (Direction.DOWN,),
    "both": (Direction.UP, Direction.DOWN),
}


class NobodyThere(Exception):
    """The role a fault names is played by nobody now."""


class LiveFaults:
    """Does faults to a world, notes them, and undoes them."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.done: list[str] = []
        self._undo: list[Undo] = []
        self._deposed: dict[Path, int] = {}  # traces of deposed leaders: how long they were then
        self._timed = 0
        self._none_timed = trio.Event()
        self._none_timed.set()

    async def at_their_time(self, at_s: float | None, after: str | None) -> None:
        """Wait for a time or a site, and do the faults of that moment, in the plan's order."""
        if after is not None:
            site, times = after.split("#")
            await self.world.sites.until(site, int(times))
        else:
            await trio.sleep(at_s or 0.0)
        for fault in self.world.plan.fault:
            if (fault.at_s, fault.after) == (at_s, after):
                await self.strike(fault)

    async def strike(self, fault: Fault) -> str:
        """Do it now; says to whom.  What has no target any more is noted and left."""
        try:
            name = await self._strike(fault)
        except (NobodyThere, ClusterError) as missed:
            said = f"{fault.kind} {fault.target}: {missed}"
        else:
            said = f"{fault.kind} {name}"
        self.done.append(said)
        self.world.tell(said)
        return said

    async def _strike(self, fault: Fault) -> str:
        """Do it to whoever plays the role; wait a little for a role that is about to be played."""
        until_s = trio.current_time() + COMES_WITHIN_S
        while fault.target.partition(":")[0] in COMING and trio.current_time() < until_s:
            try:
                return await self._do(fault)
            except NobodyThere:
                await trio.sleep(LOOK_S)
        return await self._do(fault)

    async def _do(self, fault: Fault) -> str:
        match fault.kind:
            case FaultKind.KILL:
                return await self._kill(fault)
            case FaultKind.PAUSE:
                return await self._pause(fault)
            case FaultKind.DEPOSE:
                return self._depose(fault)
            case _:
                return await self._network(fault)

    # ---- processes -----------------------------------------------------------------------------
    async def _kill(self, fault: Fault) -> str:
        kind, _, which = fault.target.partition(":")
        if kind in ("executor", "executor-of"):
            return self._kill_executor(which if kind == "executor-of" else None)
        if kind == "scheduler":
            return await self._kill_scheduler(fault, which)
        name = self._member(fault.target)
        self.world.trace.fault(kind="kill", node=name, pid=self.world.cluster.member(name).pid)
        await self.world.cluster.kill(name)

        async def again() -> None:
            if not self.world.cluster.member(name).is_running:
                await self.world.cluster.restart(name)

        self._later(fault.restart_after_s if fault.restart else None, again)
        return name

    async def _kill_scheduler(self, fault: Fault, which: str) -> str:
        framework = self.world.frameworks.get(which)
        if framework is None or framework.pid is None:
            raise NobodyThere(f"no framework {which!r} runs")
        self.world.trace.fault(kind="kill", node=which, pid=framework.pid)
        await framework.kill()

        async def again() -> None:
            if framework.pid is None and not framework.done.is_set():
                framework.start(self.world.nursery)

        self._later(fault.restart_after_s if fault.restart else None, again)
        return which

    def _kill_executor(self, task: str | None) -> str:
        """SIGKILL the first process of a run, and so everything in it."""
        for agent in self.world.agent_names():
            for run in all_runs(self.world.cluster.spec.work_dir_of(agent)):
                who = run.read_pid()
                executor = run.meta.parent.parent.name
                wanted = task is None or executor.startswith(task)
                if who is None or run.is_over() or not wanted or not processes.is_alive(who):
                    continue
                self.world.trace.fault(kind="kill", node=f"executor {executor}", pid=who.pid)
                pidfd = processes.open_pidfd(who)
                if pidfd is None:
                    continue
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
                os.close(pidfd)
                return f"executor {executor} on {agent}"
        raise NobodyThere("no executor runs")

    async def _pause(self, fault: Fault) -> str:
        name = self._member(fault.target)
        self.world.trace.fault(kind="pause", node=name)
        led, epoch = self.world.cluster.leader(), self.world.cluster.epoch
        was_leader = led is not None and led.name == name
        self.world.cluster.pause(name)

        async def resume() -> None:
            member = self.world.cluster.member(name)
            if member.is_paused and member.is_running:
                if was_leader and self.world.cluster.epoch != epoch:
                    self._is_deposed(name)
                self.world.cluster.resume(name)

        self._later(fault.for_s, resume)
        return name

    def _depose(self, fault: Fault) -> str:
        """Take the next epoch and die at once: a standby takes the one after, and leads."""
        name, epoch = self._member(fault.target), self.world.cluster.epoch
        self.world.trace.fault(kind="depose", node=name)
        files = Files(self.world.cluster.spec.election)
        lock = files.claim(files.newest() + 1)
        if lock is None:
            raise NobodyThere("somebody has just begun a later epoch")
        os.close(lock)
        self.world.nursery.start_soon(self._until_deposed, name, epoch)
        return name

    async def _until_deposed(self, name: str, epoch: int | None) -> None:
        while self.world.cluster.epoch in (epoch, None):  # noqa: ASYNC110
            await trio.sleep(LOOK_S)
        self._is_deposed(name)

    def _is_deposed(self, name: str) -> None:
        """From here on it only believes that it leads."""
        for trace in self.world.traces.glob(f"master-{name}-*.ndjson"):
            self._deposed.setdefault(trace, trace.stat().st_size)

    def deposed_deeds(self) -> list[str]:
        """What leaders did when they were deposed, and did not know yet."""
        deeds = []
        for trace, length in sorted(self._deposed.items()):
            for line in trace.read_bytes()[length:].splitlines():
                deeds += [
                    name for name, _ in json.loads(line).get("did", ()) if name != "end_reign"
                ]
        return deeds

    # ---- the network ---------------------------------------------------------------------------
    async def _network(self, fault: Fault) -> str:
        if fault.target.startswith("scheduler"):
            raise NobodyThere(f"between {fault.target} and the masters: only agents have proxies")
        agent = self._member(fault.target)
        proxies = self.world.proxies.of(agent)
        ways = DIRECTIONS[fault.direction]
        self.world.trace.fault(kind=fault.kind.value, node=agent, direction=fault.direction)
        if fault.kind is FaultKind.RESET:
            for proxy in proxies:
                proxy.reset()
            return agent
        if fault.kind is FaultKind.CUT:
            mends = [proxy.cut(*ways) for proxy in proxies]
        else:
            mends = [proxy.delay(fault.delay_s, *ways) for proxy in proxies]

        async def mend() -> None:
            for each in mends:
                each()

        self._later(fault.for_s, mend)
        return f"{agent} {fault.direction}"

    # ---- undoing -------------------------------------------------------------------------------
    def _later(self, after_s: float | None, undo: Undo) -> None:
        self._undo.append(undo)
        if after_s is not None:
            self._timed += 1
            self._none_timed = trio.Event()
            self.world.nursery.start_soon(self._in_time, after_s, undo)

    async def _in_time(self, after_s: float, undo: Undo) -> None:
        await trio.sleep(after_s)
        if undo in self._undo:
            self._undo.remove(undo)
            await undo()
        self._timed -= 1
        if not self._timed:
            self._none_timed.set()

    async def over(self) -> None:
        """Wait until every fault that ends by itself has ended."""
        await self._none_timed.wait()

    async def heal(self) -> None:
        """Undo everything that is still on, and mend the network."""
        while self._undo:
            await self._undo.pop()()
        for proxy in self.world.proxies.all():
            proxy.heal()

    # ---- roles ---------------------------------------------------------------------------------
    def _member(self, target: str) -> str:
        """The master or agent that plays a role now.  Raises `NobodyThere`."""
        cluster = self.world.cluster
        kind, _, which = target.partition(":")
        leader = cluster.leader()
        name: str | None = None
        if kind == "leader":
            name = None if leader is None else leader.name
        elif kind == "standby":
            name = next((m.name for m in cluster.masters if m.is_running and m is not leader), None)
        elif kind == "master" or (kind == "agent" and which != "any"):
            name = f"{kind}-{which}"
        elif kind == "agent":
            name = next((a.name for a in cluster.agents if a.is_running), None)
        elif kind == "agent-of":
            name = self._agent_of(which)
        members = {member.name for member in cluster.members if member.is_running}
        if name not in members:
            raise NobodyThere(f"nobody plays {target}")
        return name

    def _agent_of(self, task: str) -> str | None:
        for agent in self.world.agent_names():
            for run in all_runs(self.world.cluster.spec.work_dir_of(agent)):
                if run.meta.parent.parent.name.startswith(task) and not run.is_over():
                    return agent
        return None
