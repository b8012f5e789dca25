"""Asking whoever leads: operator calls that find their way by address, redirect or election.

Masters are named as everywhere: ``http://host:port``, ``host:port``, several of them separated by
commas, or an election that can be watched (``file:PATH``).  A master that does not lead says who
does, and is believed.  While a fail-over is under way nobody leads; that is waited for, a moment.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
import trio

from mesos_ref.election.interface import Election
from mesos_ref.election.open import open_election
from mesos_ref.http.client import Answer, HttpClient, HttpError, parse_url
from mesos_ref.wire import json

DEFAULT_MASTER: Final = "http://127.0.0.1:5050"
#: Where commands look if they are not told; else at `DEFAULT_MASTER`.
MASTER_VARIABLE: Final = "MESOS_REF_MASTER"
DEFAULT_PORT: Final = 5050
#: How long a fail-over may take before we say that nobody leads.
PATIENCE_S: Final = 3.0
ANSWER_TIMEOUT_S: Final = 10.0
_LOOK_AGAIN_S: Final = 0.05
_MOST_REDIRECTS: Final = 3
#: What an agent, which is asked the same way, does not have in its answer.
_MASTERS_PART: Final = {"GET_STATE": "get_agents"}


class Unanswered(Exception):
    """There is no answer to be had; a sentence says why, and what would help."""


class Nobody(Unanswered):
    """No master leads just now: perhaps in a moment."""


class Masters:
    """Where masters are, in one of the ways to say it."""

    def __init__(self, urls: Sequence[str] = (), election: Election | None = None) -> None:
        """Either the masters' own URLs, or an election to be watched."""
        self.urls = tuple(urls)
        self.election = election

    @classmethod
    def named(cls, text: str) -> Masters:
        """Read what was given as ``--master``.  Raises `ValueError`, with what would be right."""
        parts = [part.strip() for part in text.split(",") if part.strip()]
        if parts and all(map(_is_address, parts)):
            return cls([_url_of(part) for part in parts])
        if ":" not in text:
            raise ValueError(
                f"{text!r} names no master: right would be http://host:port, host:port,"
                " several of them separated by commas, or file:PATH"
            )
        return cls(election=open_election(text))

    async def candidates(self) -> Sequence[str]:
        """Whom to ask now: the leader, if the election says it, else everybody."""
        if self.election is None:
            return self.urls
        async for leader in self.election.watch():
            return () if leader is None else (leader.candidate.url,)
        return ()


class Operator:
    """The operator API of whoever leads."""

    def __init__(
        self, client: HttpClient, masters: Masters, patience_s: float = PATIENCE_S
    ) -> None:
        self._client = client
        self._masters = masters
        self._patience_s = patience_s
        #: Whoever answered last.
        self.leader: str | None = None

    async def ask(self, call: str) -> dict[str, Any]:
        """Make a call like ``GET_TASKS``; what is under ``get_tasks`` in its answer.

        Raises `Unanswered`.
        """
        give_up_at_s = trio.current_time() + self._patience_s
        while True:
            try:
                return await self._ask_once(call)
            except Nobody:
                if trio.current_time() > give_up_at_s:
                    raise
            await trio.sleep(_LOOK_AGAIN_S)

    async def _ask_once(self, call: str) -> dict[str, Any]:
        candidates = await self._masters.candidates()
        failures: list[Unanswered] = []
        for url in candidates:
            try:
                return await self._ask_at(url, call)
            except Unanswered as error:
                failures.append(error)
        for failure in failures:
            if isinstance(failure, Nobody):
                raise failure
        if failures:
            raise failures[0]
        raise Nobody("no master leads now")

    async def _ask_at(self, url: str, call: str) -> dict[str, Any]:
        """Ask one master, or whom it redirects to."""
        asked = url
        for _ in range(_MOST_REDIRECTS):
            try:
                answer = await self._post(asked, call)
            except HttpError as error:
                if asked == url and self._masters.election is None:
                    raise Unanswered(f"no master answers at {url}: {error}") from error
                raise Nobody(f"the leader was said to be {asked}, but: {error}") from error
            if answer.status == 307:
                asked = _redirected(asked, answer.headers.get("location", ""))
                continue
            if answer.status == 503:
                raise Nobody(f"{asked} knows of no leader now")
            if answer.status != 200:
                text = answer.body[:300].decode(errors="replace")
                raise Unanswered(f"{asked} answered {call} with {answer.status}: {text}")
            self.leader = asked
            return _content(answer, call, asked)
        raise Nobody(f"{url} redirects, and so does whom it names")

    async def _post(self, url: str, call: str) -> Answer:
        return await self._client.request(
            "POST",
            f"{url}/api/v1",
            headers={"Content-Type": "application/json", "Accept": "application/json"},
            body=json.dump({"type": call}),
            timeout_s=ANSWER_TIMEOUT_S,
        )


def _content(answer: Answer, call: str, url: str) -> dict[str, Any]:
    try:
        content = msgspec.json.decode(answer.body)[call.lower()]
    except (msgspec.DecodeError, KeyError, TypeError) as error:
        raise Unanswered(
            f"{url} is no master: {call} was answered with {answer.body[:80]!r}"
        ) from error
    if not isinstance(content, dict) or _MASTERS_PART.get(call, call) not in {call, *content}:
        raise Unanswered(f"{url} is no master: {call} was answered with {answer.body[:80]!r}")
    return content


def _redirected(url: str, location: str) -> str:
    try:
        return f"http://{parse_url(location).authority}"
    except ValueError as error:
        raise Unanswered(f"{url} is no master: it redirects to {location!r}") from error


def _is_address(text: str) -> bool:
    host, _, port = text.removeprefix("http://").rstrip("/").rpartition(":")
    return text.startswith("http://") or (
        bool(host) and not set(host) & set(":/") and port.isdigit()
    )


def _url_of(text: str) -> str:
    target = parse_url(text if text.startswith("http://") else f"//{text}", DEFAULT_PORT)
    return f"http://{target.authority}"
