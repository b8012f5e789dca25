"""The processes of one cluster: started, watched, hurt on request, and ended without a trace.

    async with open_cluster(ClusterSpec(work_dir=Path("/tmp/c"), masters=3, agents=4)) as cluster:
        leader = await cluster.wait_ready(20)
        await cluster.kill(leader.name)

A master that ends because it was deposed is started again, as a standby; any other end is told and
left to whoever asked for it.  When the block is left, however, all members are ended, then all
executors, and a look at the whole machine proves that none is left.  If the launcher itself is
killed, the kernel kills the members (see `child`), and the next cluster in the same work directory
ends whatever executors live on.
"""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import trio

from mesos_ref.cli import EXIT_DEPOSED
from mesos_ref.cluster import home
from mesos_ref.cluster.asking import Masters, Operator, Unanswered
from mesos_ref.cluster.member import Kind, Member, python_for
from mesos_ref.cluster.process import ChildProcess
from mesos_ref.cluster.spec import ClusterSpec
from mesos_ref.election.file import Watch
from mesos_ref.http.client import HttpClient
from mesos_ref.isolation.environment import CLUSTER_VARIABLE
from mesos_ref.ports.net import TrioNet

#: From its start until a member serves.
START_PATIENCE_S: Final = 60.0
#: From SIGTERM to SIGKILL.
TERM_PATIENCE_S: Final = 5.0
#: A deposed master is started again after this, doubled each time it is deposed soon again.
RESTART_S: Final = 0.1
RESTART_MAX_S: Final = 5.0
#: A life that lasted longer counts as a success.
GOOD_LIFE_S: Final = 10.0
_LOOK_AGAIN_S: Final = 0.02

Tell = Callable[[str], None]
Detours = Callable[[Member, Sequence[Member]], Awaitable[Sequence[str]]]
"""`await detours(agent, masters)`: what to give the agent as ``--connect-to``."""


class ClusterError(Exception):
    """The cluster is not what it should be; says what happened, with the member's last words."""


class Cluster:
    """One cluster; made by `open_cluster`."""

    def __init__(
        self, spec: ClusterSpec, nursery: trio.Nursery, tell: Tell, detours: Detours | None
    ) -> None:
        self.spec = spec
        #: What all processes of this cluster carry in their environment.
        self.mark = home.new_mark(spec.work_dir)
        self._nursery = nursery
        self._tell = tell
        self._detours = detours
        self._members = {
            name: Member(kind, name, spec.host, spec.logs / f"{name}.log")
            for kind in _KINDS
            for name in spec.names(kind)
        }
        for number, master in enumerate(self.masters):
            master.port = spec.port + number if spec.port else 0
        self._watch = Watch(spec.election)
        #: Set when the last master is gone, and none comes back by itself.
        self.headless = trio.Event()
        self._is_ending = False
        self._restart_s: dict[str, float] = {}

    # Who is there -------------------------------------------------------------------------------

    @property
    def members(self) -> list[Member]:
        """Masters first, each kind by number."""
        return list(self._members.values())

    @property
    def masters(self) -> list[Member]:
        """Running or not."""
        return [member for member in self.members if member.kind == "master"]

    @property
    def agents(self) -> list[Member]:
        """Running or not."""
        return [member for member in self.members if member.kind == "agent"]

    def member(self, name: str) -> Member:
        """Raises `KeyError` for a name that is none."""
        return self._members[name]

    def leader(self) -> Member | None:
        """Who leads now, as far as the election says; a paused leader does so until replaced."""
        seen = self._watch.leader()
        port = None if seen is None else seen.candidate.port
        return next((m for m in self.masters if m.is_running and m.port == port), None)

    @property
    def epoch(self) -> int | None:
        """The epoch that is led now."""
        seen = self._watch.leader()
        return None if seen is None else seen.epoch

    @property
    def master_option(self) -> str:
        """What to give a framework of this machine as ``--master``: it follows every fail-over."""
        return f"file:{self.spec.election}"

    def incarnation_of(self, name: str) -> str | None:
        """The uuid by which the trace of its newest life goes; None if it has written none."""
        member, folder = self._members[name], self.spec.trace_dir
        start = f"{member.kind}-{name}-"
        traces = [] if folder is None else list(folder.glob(f"{start}*.ndjson"))
        # Whoever lives writes after the dead have.
        newest = max(traces, key=lambda path: path.stat().st_mtime_ns, default=None)
        return None if newest is None else newest.stem.removeprefix(start)

    # Beginning ----------------------------------------------------------------------------------

    async def start(self) -> None:
        """Start every member, and wait until all serve.  Raises `ClusterError`."""
        self.spec.logs.mkdir(parents=True, exist_ok=True)
        groups = [self.members] if self._detours is None else [self.masters, self.agents]
        for group in groups:
            for member in group:
                member.options = await self._options_of(member)
                self._begin(member)
            for member in group:
                await self._until_serving(member)

    async def _options_of(self, member: Member) -> dict[str, Any]:
        options = self.spec.options_of(member.name)
        if member.kind == "agent" and self._detours is not None:
            options["connect-to"] = tuple(await self._detours(member, self.masters))
        return options

    async def wait_ready(self, timeout_s: float = 20.0) -> Member:
        """Wait until a leader serves and all running agents are registered with it; the leader.

        Raises `ClusterError` if that takes longer, or nobody is left to do it.
        """
        client = HttpClient(TrioNet())
        missing = "no leader"
        with trio.move_on_after(timeout_s):
            try:
                while True:
                    leader = self.leader()
                    if leader is not None:
                        missing = await self._what_lacks(leader, client)
                        if not missing:
                            return leader
                    if not any(member.is_running for member in self.masters):
                        raise ClusterError(f"no master runs: {self.masters[0].epitaph()}")
                    await trio.sleep(_LOOK_AGAIN_S)
            finally:
                with trio.CancelScope(shield=True, deadline=trio.current_time() + 1):
                    await client.aclose()
        raise ClusterError(
            f"not ready after {timeout_s:g} seconds: {missing}; logs are in {self.spec.logs}"
        )

    async def _what_lacks(self, leader: Member, client: HttpClient) -> str:
        """Why the cluster is not ready under this leader; empty if it is."""
        try:
            answer = await Operator(client, Masters([leader.url]), patience_s=0).ask("GET_AGENTS")
        except Unanswered as error:
            return str(error)
        there = {each["agent_info"]["port"] for each in answer["agents"] if each["active"]}
        away = [agent.name for agent in self.agents if agent.is_running and agent.port not in there]
        return f"{', '.join(away)} not registered with {leader.name}" if away else ""

    # Hurting ------------------------------------------------------------------------------------

    async def kill(self, name: str) -> None:
        """SIGKILL; returns when the process is gone.  It stays away until `restart`."""
        process = self._running(name)
        process.signal(signal.SIGKILL)
        await process.ended()

    def pause(self, name: str) -> None:
        """SIGSTOP: it holds what it holds, and does nothing."""
        self._running(name).signal(signal.SIGSTOP)
        self._members[name].is_paused = True

    def resume(self, name: str) -> None:
        """SIGCONT."""
        self._running(name).signal(signal.SIGCONT)
        self._members[name].is_paused = False

    async def restart(self, name: str) -> None:
        """Start it again, on its ports; in order, if it still runs.  Returns when it serves."""
        member = self._members[name]
        await self._end([member])
        self._begin(member)
        await self._until_serving(member)

    def _running(self, name: str) -> ChildProcess:
        member = self._members[name]
        if member.process is None or not member.is_running:
            raise ClusterError(f"{name} does not run: it {member.fate}")
        return member.process

    # Ending -------------------------------------------------------------------------------------

    async def stop(self) -> None:
        """End every member, then every executor.  Raises `ClusterError` if something is left."""
        self._is_ending = True
        await self._end(self.members)
        await self._watch.aclose()
        left = await home.sweep(self.spec.work_dir)
        if left:
            listed = "".join(f"\n  {each.pid}  {each.command}" for each in left)
            raise ClusterError(f"these processes would not end:{listed}")

    async def _end(self, members: Sequence[Member]) -> None:
        """SIGTERM, and for those that take too long SIGKILL."""
        running = [m.process for m in members if m.process is not None and m.is_running]
        for process in running:
            process.signal(signal.SIGTERM)
            process.signal(signal.SIGCONT)  # one that is paused would never hear it
        with trio.move_on_after(TERM_PATIENCE_S):
            for process in running:
                await process.ended()
        for process in running:
            process.signal(signal.SIGKILL)
            await process.ended()

    # Lives --------------------------------------------------------------------------------------

    def _begin(self, member: Member) -> None:
        environment = {**os.environ, CLUSTER_VARIABLE: self.mark}
        try:
            process = member.start(python_for(os.getpid()), environment)
        except OSError as error:
            raise ClusterError(f"{member.name} can't be started: {error}") from error
        if member.kind == "master" and self.headless.is_set():
            self.headless = trio.Event()
        self._nursery.start_soon(self._attend, member, process)

    async def _until_serving(self, member: Member) -> None:
        with trio.move_on_after(START_PATIENCE_S):
            await member.is_settled.wait()
        if not member.is_serving:
            raise ClusterError(member.epitaph())

    async def _attend(self, member: Member, process: ChildProcess) -> None:
        """One life, to its end; also while everything is cancelled, for then it must end."""
        began_s = trio.current_time()
        with trio.CancelScope(shield=True):
            returncode = await process.live(lambda line: self._hear(member, line))
        was_serving = bool(member.facts)
        member.is_settled.set()
        if was_serving and not self._is_ending:
            await self._mourn(member, returncode, trio.current_time() - began_s)

    def _hear(self, member: Member, line: bytes) -> None:
        said = member.hear(line)
        if said.get("event") == "leading":
            self._tell(f"{member.name} leads, epoch {said['epoch']}")

    async def _mourn(self, member: Member, returncode: int, lived_s: float) -> None:
        """Tell of an end; start a deposed master again, or whatever is to be revived."""
        fate = "was deposed" if returncode == EXIT_DEPOSED else member.fate
        comes_back = returncode == EXIT_DEPOSED or self.spec.revive
        self._tell(f"{member.name} {fate}{', and is started again' if comes_back else ''}")
        if not comes_back:
            if not any(master.is_running for master in self.masters):
                self.headless.set()
            return
        wait_s = self._restart_s.get(member.name, RESTART_S)
        if lived_s > GOOD_LIFE_S:
            wait_s = RESTART_S
        self._restart_s[member.name] = min(2 * wait_s, RESTART_MAX_S)
        await trio.sleep(wait_s)
        if not member.is_running and not self._is_ending:
            self._begin(member)


_KINDS: tuple[Kind, ...] = ("master", "agent")


@asynccontextmanager
async def open_cluster(
    spec: ClusterSpec, *, tell: Tell = lambda sentence: None, detours: Detours | None = None
) -> AsyncIterator[Cluster]:
    """A cluster whose members all serve; ended when the block is left, whatever happens.

    `tell` gets a sentence whenever somebody comes to lead, or ends.  Raises `ClusterError`,
    `home.InUse`, and `OSError` for a work directory that can't be used.
    """
    with home.claimed(spec.work_dir):
        await home.sweep(spec.work_dir)
        try:
            async with trio.open_nursery() as nursery:
                cluster = Cluster(spec, nursery, tell, detours)
                try:
                    await cluster.start()
                    yield cluster
                finally:
                    with trio.CancelScope(shield=True):
                        await cluster.stop()
                    nursery.cancel_scope.cancel()
        except BaseExceptionGroup as group:
            if len(group.exceptions) == 1:  # that of the block: nobody else here raises
                raise group.exceptions[0] from None
            raise
