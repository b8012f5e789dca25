"""An agent as a process sees it: sockets, executors, a journal and a trace around one core.

The shell takes its work directory for itself, reads its journal, sees which executors of its last
life still run, and only then makes the core and tells it. From there on it turns what comes in into
events, and performs effects. What any of it means is the core's business.

Three ways to end: told to (`stop`), as executors of frameworks that checkpoint live on; told to end
everything (`stop(end_runs=True)`), when nothing does; or because the core says so (a master shut
this agent out, or what it had kept is unusable). Killed, it is as if told to: the next life picks
up what is there (RCV-1 to RCV-9).
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import msgspec
import trio

from mesos_ref.agent import tracing
from mesos_ref.agent.config import AgentConfig
from mesos_ref.agent.containers import Containers, IsolatedContainers, exit_of, take_up
from mesos_ref.agent.core import AgentCore
from mesos_ref.agent.dialer import Dialer
from mesos_ref.agent.effects import Connect, DestroyExecutor, Exit, StartExecutor
from mesos_ref.agent.events import Event, LeaderSeen, Started, Tick
from mesos_ref.agent.executor_api import ExecutorApi
from mesos_ref.agent.http_api import HttpApi
from mesos_ref.agent.journal import Journal, JournalError, lock_work_dir, open_journal
from mesos_ref.agent.leaders import Leaders
from mesos_ref.agent.noop import NoopContainers
from mesos_ref.agent.operator import About
from mesos_ref.http.messages import Limits
from mesos_ref.http.server import serve
from mesos_ref.isolation.client import TemplateError
from mesos_ref.isolation.environment import AgentFacts
from mesos_ref.isolation.interface import Exit as RunExit
from mesos_ref.isolation.interface import IsolatorPlugin
from mesos_ref.isolation.posix import open_posix_isolator
from mesos_ref.isolation.sweep import end_runs
from mesos_ref.ports.clock import Clock
from mesos_ref.ports.disk import Disk
from mesos_ref.ports.net import Listener, Net
from mesos_ref.runtime import Owner, Recorder
from mesos_ref.step import (
    Answer,
    CloseLink,
    CloseStream,
    Effect,
    IdSource,
    OpenStream,
    SendEvent,
    SendFrame,
)
from mesos_ref.trace import RecordedIds, Traces, TraceWriter, header, target_in

#: At the end: for the last words to reach executors, and for those destroyed to be gone.
_FAREWELL_S: Final = 1.0
_DESTROY_S: Final = 20.0

Announce = Callable[[str, dict[str, Any]], None]

_log = logging.getLogger("mesos_ref.agent")


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Where an agent is found, what it is called, and how it treats executors."""

    work_dir: Path
    name: str = "agent"
    host: str = "127.0.0.1"
    #: 0: that of the last life if it is free, else any.
    port: int = 5051
    #: Where to write a trace; None: nowhere.
    trace: Traces | None = None
    #: Tasks do nothing, at once, inside this process.
    noop: bool = False
    #: Whether root runs custom executors as the user the framework names.
    switch_user: bool = True
    release: str = "0"


class Ports(msgspec.Struct, frozen=True, kw_only=True):
    """The agent's doors to the world."""

    net: Net
    disk: Disk
    clock: Clock
    ids: IdSource
    leaders: Leaders
    isolation: IsolatorPlugin = open_posix_isolator


class AgentShell:
    """One agent. Make it, `await run()`, and `stop()` it from another task or a signal."""

    def __init__(
        self,
        config: AgentConfig,
        settings: Settings,
        ports: Ports,
        *,
        announce: Announce = lambda what, facts: None,
        http_limits: Limits | None = None,
    ) -> None:
        """`config` lacks address and port: the shell fills in what it gets. `announce` is told
        ("serving", facts) for whoever waits for it.
        """
        self.settings = settings
        self.ports = ports
        self._config = config
        self._announce = announce
        self._http_limits = http_limits
        self._life: _Life | None = None
        self._is_stopped = False

    async def run(self) -> int:
        """Serve until stopped; the exit code.

        Raises `OSError` if a port or folder can't be had, `JournalError` or `TemplateError` if the
        work directory can't be used, and what `Owner.run` raises.
        """
        try:
            return await self._run()
        except ExceptionGroup as group:  # of nurseries that had one thing to say
            raise _bare(group) from None

    async def _run(self) -> int:
        settings = self.settings
        with lock_work_dir(settings.work_dir):
            journal = await open_journal(self.ports.disk, settings.work_dir)
            listener = await self._listen(journal.kept)
            config = msgspec.structs.replace(self._config, ip=listener.host, port=listener.port)
            life = self._life = _Life(config, settings, self.ports, journal, self._http_limits)
            await journal.begin()
            facts = {"host": listener.host, "port": listener.port, "life": journal.life}
            if self._is_stopped:
                life.stop()
            try:
                return await life.run(listener, lambda: self._announce("serving", facts))
            finally:
                with trio.CancelScope(shield=True):
                    await listener.aclose()
                    await journal.aclose()

    def stop(self, *, end_runs: bool = False) -> None:
        """End in order: `run` returns 0. With `end_runs`, no executor lives on."""
        self._is_stopped = True
        if self._life is not None:
            self._life.stop(end_runs=end_runs)

    async def _listen(self, kept: Mapping[str, Any]) -> Listener:
        """The port asked for; for 0, where executors of the last life would look for us."""
        host, port = self.settings.host, self.settings.port
        last = _last_port(kept)
        if port == 0 and last != 0:
            try:
                return await self.ports.net.listen(host, last)
            except OSError as error:
                _log.warning("port %d of the last life can't be had: %s", last, error)
        return await self.ports.net.listen(host, port)


class _Life:
    """One life: from what the journal says to the last record."""

    def __init__(
        self,
        config: AgentConfig,
        settings: Settings,
        ports: Ports,
        journal: Journal,
        http_limits: Limits | None,
    ) -> None:
        self.settings = settings
        self.ports = ports
        self.journal = journal
        self.recovered = dict(journal.kept)
        drawn = RecordedIds(ports.ids)
        ids = ports.ids if settings.trace is None else drawn
        self.core = AgentCore(config, ids, self.recovered)
        self.owner: Owner[Event] = Owner(
            self.core,
            clock=ports.clock,
            tick=Tick(),
            perform=self._perform,
            keep=journal.keep,
            recorder=self._recorder(config, drawn),
        )
        self.executors = ExecutorApi(
            self.owner.post,
            self.owner.post_nowait,
            ports.ids,
            life=journal.life,
            limits=http_limits,
        )
        self.config = config
        self.http_limits = http_limits
        self.exit_code = 0
        self._ends_runs = False
        self._deeds: dict[type[Effect], Callable[[Any], None]] = {}

    def _recorder(self, config: AgentConfig, drawn: RecordedIds) -> Recorder[Event] | None:
        settings, ids = self.settings, self.ports.ids
        if settings.trace is None:
            return None
        incarnation = ids.uuid()
        first = header(
            role="agent",
            node=settings.name,
            incarnation=incarnation,
            wall_us=self.ports.clock.wall_us(),
            config=tracing.config_of(config),
            recovered=self.recovered,
        )
        first["life"] = self.journal.life
        target = target_in(settings.trace, "agent", settings.name, incarnation)
        return TraceWriter(target, first, self.core, drawn)

    # Living -------------------------------------------------------------------------------------

    def stop(self, *, end_runs: bool = False) -> None:
        """End after what is queued."""
        self._ends_runs |= end_runs
        self.owner.stop()

    async def run(self, listener: Listener, serving: Callable[[], None]) -> int:
        """All of it; the exit code."""
        failure: Exception | None = None
        async with trio.open_nursery() as nursery, self._containers(nursery) as (containers, alive):
            self._wire(containers, nursery)
            await self.owner.post(Started(alive, self.ports.clock.wall_us()))
            self.executors.is_open = True
            nursery.start_soon(self._serve_http, listener)
            nursery.start_soon(self.ports.leaders.watch, self._see)
            serving()
            try:
                await self.owner.run()
            except Exception as error:  # raised below, bare, when the rest has ended
                failure = error
            await self._say_farewell(containers)
            nursery.cancel_scope.cancel()
        if failure is not None:
            raise failure
        return self.exit_code

    async def _see(self, seen: LeaderSeen) -> None:
        """Post who leads; the core ignores older leaders than it knows (S19), which people notice
        only by what does not happen."""
        obeyed = self.core.state.epoch
        if obeyed is not None and seen.epoch < obeyed:
            _log.warning(
                "%s leads as epoch %d, which is ignored: this agent has obeyed epoch %d. If the "
                "election was begun anew, begin with a new work directory, too",
                seen.url,
                seen.epoch,
                obeyed,
            )
        await self.owner.post(seen)

    async def _serve_http(self, listener: Listener) -> None:
        await serve(listener, self._api().handle, limits=self.http_limits)

    async def _say_farewell(self, containers: Containers) -> None:
        self.executors.abandon("This agent ends")
        if self._ends_runs:
            for container in sorted(self.core.state.containers):
                containers.destroy(container)
        with trio.move_on_after(_DESTROY_S):
            await containers.settled()
        with trio.move_on_after(_FAREWELL_S):
            await self.executors.listeners_gone()

    # Executors ----------------------------------------------------------------------------------

    @asynccontextmanager
    async def _containers(
        self, nursery: trio.Nursery
    ) -> AsyncIterator[tuple[Containers, tuple[str, ...]]]:
        """Somewhere for executors to live, and which of them live on from before."""
        settings, post_nowait = self.settings, self.owner.post_nowait
        if settings.noop:
            await end_runs(settings.work_dir)
            next_call = self.executors.next_call
            yield NoopContainers(post_nowait, next_call, self.ports.ids, self.ports.clock), ()
            return

        def tell_end(end: RunExit) -> None:
            post_nowait(exit_of(end))

        async with self.ports.isolation(settings.work_dir, tell_end) as isolator:
            try:
                alive = await take_up(isolator, self.recovered)
            except (KeyError, TypeError, AttributeError, ValueError) as error:
                raise JournalError(
                    f"{self.journal.path}: an executor that can't be read: {error!r}"
                ) from error
            facts = AgentFacts(
                ip=self.config.ip,
                port=self.config.port,
                recovery_timeout_us=self.config.recovery_timeout_us,
                subscription_backoff_max_us=self.config.executor_reregistration_timeout_us,
            )
            yield (
                IsolatedContainers(
                    isolator,
                    work_dir=settings.work_dir,
                    agent_id=lambda: self.core.state.agent_id,
                    facts=facts,
                    tell=post_nowait,
                    nursery=nursery,
                    switch_user=settings.switch_user,
                ),
                alive,
            )

    # Effects ------------------------------------------------------------------------------------

    def _wire(self, containers: Containers, nursery: trio.Nursery) -> None:
        """Who performs what."""
        owner, executors = self.owner, self.executors
        leaders = self.ports.leaders
        dialer = Dialer(self.ports.net, leaders.locate, owner.post, owner.post_nowait, nursery)
        deeds: dict[type[Effect], Callable[[Any], None]] = {
            SendFrame: lambda effect: dialer.send(effect.link, effect.frame),
            SendEvent: lambda effect: executors.send_event(effect.stream, effect.event),
            Answer: executors.answer,
            OpenStream: lambda effect: executors.open_stream(effect.request, effect.stream),
            CloseStream: lambda effect: executors.close_stream(effect.stream),
            StartExecutor: containers.start,
            DestroyExecutor: lambda effect: containers.destroy(effect.container),
            Connect: dialer.connect,
            CloseLink: lambda effect: dialer.close(effect.link),
            Exit: self._exit,
        }
        if isinstance(containers, NoopContainers):
            self._let_noop_in(deeds, containers)
        self._deeds = deeds

    def _let_noop_in(
        self, deeds: dict[type[Effect], Callable[[Any], None]], noop: NoopContainers
    ) -> None:
        """What is for executors inside this process does not leave it."""
        executors = self.executors

        def open_stream(effect: OpenStream) -> None:
            if not noop.opens(effect.request, effect.stream):
                executors.open_stream(effect.request, effect.stream)

        def send_event(effect: SendEvent) -> None:
            if not noop.hears(effect.stream, effect.event):
                executors.send_event(effect.stream, effect.event)

        deeds[OpenStream] = open_stream
        deeds[SendEvent] = send_event

    def _perform(self, effects: Sequence[Effect]) -> None:
        deeds = self._deeds
        for effect in effects:
            deeds[type(effect)](effect)

    def _exit(self, effect: Exit) -> None:
        _log.error("%s", effect.why)
        self.exit_code = effect.code
        self.owner.stop()

    # The outside --------------------------------------------------------------------------------

    def _api(self) -> HttpApi:
        clock, config = self.ports.clock, self.config
        start_us = clock.now_us()
        about = About(
            host=config.ip,
            port=config.port,
            start_s=clock.wall_us() / 1e6,
            release=self.settings.release,
            work_dir=self.settings.work_dir,
        )
        return HttpApi(
            state=self.core.state,
            executors=self.executors,
            about=about,
            now_s=lambda: clock.wall_us() / 1e6,
            uptime_s=lambda: (clock.now_us() - start_us) / 1e6,
        )


def _last_port(kept: Mapping[str, Any]) -> int:
    """The port of the last life; 0 if there was none, or its note is none of ours."""
    try:
        return int(kept["agent"]["info"]["port"])
    except (KeyError, TypeError, ValueError):
        return 0


def _bare(error: Exception) -> Exception:
    """What a group of one is about."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


__all__ = ["AgentShell", "JournalError", "Ports", "Settings", "TemplateError"]
