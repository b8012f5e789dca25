"""A master as a process sees it: sockets, an election and a trace around one core.

The shell listens on two ports (HTTP for schedulers and operators, links for agents), competes in an
election, turns what comes in into events, and performs the effects. What any of it means is the
core's business.

A master leads at most once. When the election says that it has lost leadership, what is queued is
forgotten, the core hears `Deposed`, the trace is closed, and `run` returns: the process is to end
(MFO-6), and whoever supervises it starts a new one. What an agent says of newer leaders is hearsay:
it makes the master ask the election at once.
"""

import logging
import socket
from collections.abc import Callable, Sequence
from typing import Any, Final, Literal

import msgspec
import trio

from mesos_ref.election.interface import Candidate, Election, Leader, Lost
from mesos_ref.election.interface import Elected as Won
from mesos_ref.http.messages import Limits
from mesos_ref.http.server import serve
from mesos_ref.master.core import MasterCore
from mesos_ref.master.effects import (
    Answer,
    AskElection,
    CloseLink,
    CloseStream,
    OpenStream,
    SendEvent,
    SendFrame,
)
from mesos_ref.master.events import Deposed, Elected, Event, Tick
from mesos_ref.master.http_api import HttpApi
from mesos_ref.master.links import LinkLimits, Links
from mesos_ref.master.operator import About
from mesos_ref.master.schedulers import Schedulers
from mesos_ref.ports.clock import Clock
from mesos_ref.ports.net import Listener, Net
from mesos_ref.runtime import Owner, Recorder
from mesos_ref.step import Effect, IdSource
from mesos_ref.wire.v1 import Address, MasterInfo

#: The Mesos version whose API a master speaks.
MESOS_VERSION: Final = "1.12.0"

#: At the end: for the last events to reach their subscribers.
_FAREWELL_S = 1.0

Outcome = Literal["stopped", "deposed"]
Announce = Callable[[str, dict[str, Any]], None]

_log = logging.getLogger("mesos_ref.master")


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Where a master is found, and what it is called."""

    host: str = "127.0.0.1"
    #: 0: any free port.
    port: int = 5050
    link_port: int = 0
    #: What clients are told instead of `host`.
    hostname: str | None = None
    release: str = "0"


class Ports(msgspec.Struct, frozen=True, kw_only=True):
    """The master's doors to the world."""

    net: Net
    clock: Clock
    ids: IdSource
    election: Election


class MasterShell:
    """One master. Make it, `await run()`, and `stop()` it from another task or a signal."""

    def __init__(
        self,
        core: MasterCore,
        settings: Settings,
        ports: Ports,
        *,
        recorder: Recorder[Event] | None = None,
        announce: Announce = lambda what, facts: None,
        http_limits: Limits | None = None,
        link_limits: LinkLimits | None = None,
    ) -> None:
        """`announce` is told ("serving" | "leading" | "deposed", facts) for whoever waits for it.

        `ids` in `ports` are not the core's: what they give is part of the events.
        """
        self.core = core
        self.settings = settings
        self.ports = ports
        self._announce = announce
        self._http_limits = http_limits
        self._owner: Owner[Event] = Owner(
            core, clock=ports.clock, tick=Tick(), perform=self._perform, recorder=recorder
        )
        post, post_nowait = self._owner.post, self._owner.post_nowait
        heartbeat_s = core.state.config.heartbeat_interval_us / 1e6
        self.schedulers = Schedulers(
            post, post_nowait, ports.ids, heartbeat_interval_s=heartbeat_s, limits=http_limits
        )
        self.links = Links(post, post_nowait, self._is_leading, link_limits)
        self._deeds: dict[type[Effect], Callable[[Any], None]] = {
            SendFrame: lambda effect: self.links.send(effect.link, effect.frame),
            CloseLink: lambda effect: self.links.close(effect.link),
            OpenStream: lambda effect: self.schedulers.open_stream(effect.request, effect.stream),
            SendEvent: lambda effect: self.schedulers.send_event(effect.stream, effect.event),
            CloseStream: lambda effect: self.schedulers.close_stream(effect.stream),
            Answer: self.schedulers.answer,
            AskElection: lambda effect: self._ask_election(effect.newest_epoch),
        }
        self._outcome: Outcome = "stopped"
        self._own: Leader | None = None
        self._seen: Leader | None = None

    # Leading ------------------------------------------------------------------------------------

    def _is_leading(self) -> bool:
        return self._own is not None and not self._owner.is_stopping

    def _leader(self) -> Leader | None:
        """The newest leader known. An election may show oneself late, or a reign that is over."""
        own, seen = self._own, self._seen
        if own is None or (seen is not None and seen.epoch > own.epoch):
            return seen
        return own if self._is_leading() else None

    async def _contend(self, candidate: Candidate) -> None:
        """Compete until there is nothing left to compete for; leaving resigns."""
        async with self.ports.election.contend(candidate) as leadership:
            async for news in leadership:
                match news:
                    case Won(epoch=epoch):
                        self._lead(Leader(epoch, candidate))
                    case Lost(why=why):
                        self._fall(why)
            await trio.sleep_forever()

    def _lead(self, leader: Leader) -> None:
        self._own = leader
        self.schedulers.begin_reign(leader.epoch)
        self.links.begin_reign()
        self._owner.post_nowait(Elected(leader.epoch, leader.candidate.info))
        _log.info("leading, epoch %d", leader.epoch)
        self._announce("leading", {"epoch": leader.epoch})

    def _fall(self, why: str) -> None:
        """Leadership is lost: nothing that is queued counts any more."""
        if not self._owner.is_stopping:
            _log.warning("deposed: %s", why)
            self._announce("deposed", {"why": why})
            self._outcome = "deposed"
            self._owner.end_with(Deposed(why))

    def _ask_election(self, newest_epoch: int) -> None:
        """An agent speaks of a newer leader: it may be right."""
        _log.warning("an agent says epoch %d has begun: asking the election", newest_epoch)
        self.ports.election.look_now()

    async def _watch(self) -> None:
        async for leader in self.ports.election.watch():
            self._seen = leader

    # Running ------------------------------------------------------------------------------------

    def stop(self) -> None:
        """End in order: `run` returns "stopped"."""
        self._owner.end_with(Deposed("the master was told to end"))

    async def run(self) -> Outcome:
        """Serve until stopped or deposed.

        Raises `OSError` if a port can't be had, and what `Owner.run` raises.
        """
        http, links = await self._listen()
        candidate = self._candidate(http, links)
        api = self._api(candidate)
        failure: Exception | None = None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._serve_http, http, api)
            nursery.start_soon(self.links.serve, links)
            nursery.start_soon(self._watch)
            nursery.start_soon(self._contend, candidate)
            facts = {"host": http.host, "port": http.port, "link_port": links.port}
            self._announce("serving", facts)
            try:
                await self._owner.run()
            except Exception as error:  # raised below, bare, when the rest has ended
                failure = error
            await self._say_farewell()
            nursery.cancel_scope.cancel()
        if failure is not None:
            raise failure
        return self._outcome

    async def _listen(self) -> tuple[Listener, Listener]:
        net, settings = self.ports.net, self.settings
        http = await net.listen(settings.host, settings.port)
        try:
            return http, await net.listen(settings.host, settings.link_port)
        except OSError:
            await http.aclose()
            raise

    async def _serve_http(self, listener: Listener, api: HttpApi) -> None:
        await serve(listener, api.handle, limits=self._http_limits)

    async def _say_farewell(self) -> None:
        """Let subscribers have what was sent, and waiting clients an answer."""
        streams = list(self.schedulers.streams.values())
        self.schedulers.abandon("This master does not lead any more")
        with trio.move_on_after(_FAREWELL_S):
            for stream in streams:
                await stream.ended.wait()

    def _perform(self, effects: Sequence[Effect]) -> None:
        deeds = self._deeds
        for effect in effects:
            deeds[type(effect)](effect)

    # Who it is ----------------------------------------------------------------------------------

    def _candidate(self, http: Listener, links: Listener) -> Candidate:
        hostname = self.settings.hostname or http.host
        info = MasterInfo(
            id=self.core.state.node_id,
            ip=ip_number(http.host),
            port=http.port,
            pid=f"master@{http.host}:{http.port}",
            hostname=hostname,
            version=MESOS_VERSION,
            address=Address(hostname=hostname, ip=http.host, port=http.port),
        )
        host = f"[{links.host}]" if ":" in links.host else links.host
        return Candidate(info, f"{host}:{links.port}")

    def _api(self, candidate: Candidate) -> HttpApi:
        clock, info = self.ports.clock, candidate.info
        start_us = clock.now_us()
        about = About(
            id=info.id,
            hostname=info.hostname or "",
            ip=candidate.host,
            port=candidate.port,
            version=MESOS_VERSION,
            start_s=clock.wall_us() / 1e6,
            release=self.settings.release,
        )
        return HttpApi(
            state=self.core.state,
            schedulers=self.schedulers,
            about=about,
            leader=self._leader,
            is_leading=self._is_leading,
            uptime_s=lambda: (clock.now_us() - start_us) / 1e6,
        )


def ip_number(host: str) -> int:
    """An IPv4 address as `MasterInfo.ip` has it, in network order; 0 for what is none."""
    try:
        return int.from_bytes(socket.inet_aton(host), "little")
    except OSError:
        return 0
