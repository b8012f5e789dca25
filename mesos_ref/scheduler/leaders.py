"""Who leads: from an election that can be watched, or by asking masters, over and over.

Every master answers `GET /redirect` with where the leader is and, if it is one of ours, the epoch
it leads in. A master that is Apache's names no epoch, so each leader it names after another gets
the next number; that is enough to turn to it, and only traces of our own masters are compared.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence

import trio

from mesos_ref.election.interface import Election
from mesos_ref.election.open import open_election
from mesos_ref.http.client import Answer, HttpClient, HttpError, parse_url
from mesos_ref.ports.net import Net
from mesos_ref.scheduler.events import LeaderSeen

ASK_EVERY_S = 0.5
ASK_TIMEOUT_S = 3.0
DEFAULT_PORT = 5050

_log = logging.getLogger("mesos_ref.scheduler.leaders")


def watch_leaders(master: str, net: Net) -> AsyncIterator[LeaderSeen]:
    """Each leader there is to know of, once; never ends.

    `master` is ``http://host:port``, or ``host:port``, or several separated by commas, or what
    `open_election` takes: ``file:PATH``. Raises `ValueError` for anything else.
    """
    asked = [part.strip() for part in master.split(",") if part.strip()]
    if asked and all(_is_address(part) for part in asked):
        return _ask(HttpClient(net), [_url_of(part) for part in asked])
    return _watch(open_election(master))


def _is_address(text: str) -> bool:
    host, _, port = text.removeprefix("http://").rstrip("/").rpartition(":")
    return text.startswith("http://") or (bool(host) and ":" not in host and port.isdigit())


def _url_of(text: str) -> str:
    target = parse_url(text if text.startswith("http://") else f"//{text}", DEFAULT_PORT)
    return f"http://{target.authority}"


async def _watch(election: Election) -> AsyncIterator[LeaderSeen]:
    async for leader in election.watch():
        if leader is not None:
            yield LeaderSeen(leader.epoch, leader.candidate.url)


async def _ask(client: HttpClient, masters: Sequence[str]) -> AsyncIterator[LeaderSeen]:
    newest: LeaderSeen | None = None
    while True:
        for url in masters:
            try:
                answer = await client.request("GET", f"{url}/redirect", timeout_s=ASK_TIMEOUT_S)
                leader = read_redirect(answer, url, newest)
            except (HttpError, ValueError) as error:
                _log.debug("no leader known from %s: %s", url, error)
                continue
            if newest is None or leader.epoch > newest.epoch:
                newest = leader
                yield leader
        await trio.sleep(ASK_EVERY_S)


def read_redirect(answer: Answer, asked: str, newest: LeaderSeen | None) -> LeaderSeen:
    """What a master's answer to `GET /redirect` says. Raises `ValueError` if nobody leads.

    A server at `asked` that knows no such thing is taken for the leader itself.
    """
    if answer.status >= 500:
        raise ValueError(f"{answer.status} {answer.body[:200]!r}")
    url = asked
    if answer.status == 307:
        url = f"http://{parse_url(answer.headers.get('location', '')).authority}"
    epoch = answer.headers.get("mesos-ref-epoch", "")
    if epoch.isascii() and epoch.isdigit():
        return LeaderSeen(int(epoch), url)
    if newest is None:
        return LeaderSeen(1, url)
    return newest if newest.url == url else LeaderSeen(newest.epoch + 1, url)
