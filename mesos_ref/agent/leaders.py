"""Who leads, and where it takes agents: from an election that can be watched, or by asking masters.

An election tells by itself. Masters that are known by address only are asked for a redirect, all of
them, over and over; the newest epoch that any of them names counts. Either way the core hears of
each leader once, and the dialer learns here where that leader's links go.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import trio

from mesos_ref.agent.events import LeaderSeen
from mesos_ref.election.interface import Candidate, Election, Leader
from mesos_ref.http.client import Answer, HttpClient, HttpError, parse_url
from mesos_ref.wire.v1 import Address, MasterInfo

ASK_EVERY_S = 1.0
ASK_TIMEOUT_S = 5.0

_log = logging.getLogger("mesos_ref.agent.leaders")


class Leaders(Protocol):
    """What the shell needs: something that posts `LeaderSeen`, and can locate who was posted."""

    async def watch(self, post: Callable[[LeaderSeen], Awaitable[None]]) -> None:
        """Post each new leader. Never returns."""
        ...

    async def locate(self, url: str) -> tuple[str, int]:
        """Where the leader known by `url` takes links. Raises `OSError`."""
        ...


class WatchedLeaders:
    """Leaders that an election names."""

    def __init__(self, election: Election) -> None:
        self._election = election
        self._links: dict[str, str] = {}

    async def watch(self, post: Callable[[LeaderSeen], Awaitable[None]]) -> None:
        async for leader in self._election.watch():
            if leader is not None:
                self._links = {leader.candidate.url: _link_of(leader.candidate)}
                await post(LeaderSeen(leader.epoch, leader.candidate.url))

    async def locate(self, url: str) -> tuple[str, int]:
        return _address(self._links.get(url, url))


class AskedLeaders:
    """Leaders that masters name when they are asked."""

    def __init__(self, client: HttpClient, masters: Sequence[str]) -> None:
        """`masters`: ``http://host:port`` each."""
        self._client = client
        self._masters = masters
        self._newest: Leader | None = None
        #: Why a master last named no leader.
        self._troubles: dict[str, str] = {}

    async def watch(self, post: Callable[[LeaderSeen], Awaitable[None]]) -> None:
        async with trio.open_nursery() as nursery:
            for url in self._masters:  # each by itself: one that hangs holds up no other
                nursery.start_soon(self._keep_asking, url, post)

    async def _keep_asking(self, url: str, post: Callable[[LeaderSeen], Awaitable[None]]) -> None:
        while True:
            await self._ask(url, post)
            await trio.sleep(ASK_EVERY_S)

    async def locate(self, url: str) -> tuple[str, int]:
        newest = self._newest
        known = newest is not None and newest.candidate.url == url
        return _address(_link_of(newest.candidate) if known and newest is not None else url)

    async def _ask(self, url: str, post: Callable[[LeaderSeen], Awaitable[None]]) -> None:
        try:
            answer = await self._client.request("GET", f"{url}/redirect", timeout_s=ASK_TIMEOUT_S)
            leader = read_redirect(answer)
        except (HttpError, ValueError) as error:
            if self._troubles.get(url) != str(error):  # it is asked each second, and told once
                self._troubles[url] = str(error)
                _log.warning("%s names no leader: %s", url, error)
            return
        self._troubles.pop(url, None)
        newest = self._newest
        if newest is None or leader.epoch > newest.epoch:
            self._newest = leader
            await post(LeaderSeen(leader.epoch, leader.candidate.url))


def read_redirect(answer: Answer) -> Leader:
    """Read what a master answers to `GET /redirect`. Raises `ValueError` if nobody leads."""
    if answer.status != 307:
        raise ValueError(f"{answer.status} {answer.body[:200]!r}")
    target = parse_url(answer.headers.get("location", ""))
    address = Address(hostname=target.host, ip=target.host, port=target.port)
    info = MasterInfo(id="", ip=0, port=target.port, hostname=target.host, address=address)
    epoch = answer.headers.get("mesos-ref-epoch", "")
    if not (epoch.isascii() and epoch.isdigit()):
        raise ValueError(f"expected a number in Mesos-Ref-Epoch, found {epoch[:80]!r}")
    return Leader(int(epoch), Candidate(info, answer.headers.get("mesos-ref-link")))


def _link_of(candidate: Candidate) -> str:
    return candidate.link or candidate.url


def _address(text: str) -> tuple[str, int]:
    """``host:port``, or that of a URL."""
    try:
        target = parse_url(text if "//" in text else f"//{text}")
    except ValueError as error:
        raise OSError(f"the leader takes links at {text!r}, which is no address") from error
    return target.host, target.port
