"""What tasks write: read from their agents, as far as it goes, and then as it grows.

An agent knows each sandbox by framework and executor, long after both are gone from its books; for
a command task the executor's id is the task's.  Nothing is asked for but pieces from an offset on,
so that a reader that loses its agent for a while goes on where it was.
"""

from __future__ import annotations

import base64
from typing import Any, Final

import msgspec

from mesos_ref.cluster.asking import Unanswered
from mesos_ref.http.client import HttpClient, HttpError
from mesos_ref.wire import json

_PIECE_BYTES: Final = 64 * 1024


class Sandbox(msgspec.Struct, frozen=True, kw_only=True):
    """Where one task writes."""

    #: Of its agent, ``http://host:port``.
    agent: str
    framework_id: str
    executor_id: str

    @property
    def path(self) -> str:
        """As agents know it; `latest` is the executor's last life."""
        return f"/frameworks/{self.framework_id}/executors/{self.executor_id}/runs/latest"


class Reader:
    """Reads one file of a sandbox from its beginning, a piece at a time."""

    def __init__(self, client: HttpClient, sandbox: Sandbox, name: str) -> None:
        self.sandbox = sandbox
        self.name = name
        self._client = client
        self._offset = 0

    async def more(self) -> bytes:
        """All that was written since the last time; nothing if the file is not there (yet).

        Raises `Unanswered` if the agent can't be asked.
        """
        pieces = []
        while piece := await self._piece():
            self._offset += len(piece)
            pieces.append(piece)
        return b"".join(pieces)

    async def exists(self) -> bool:
        """Whether the file is there.  Raises `Unanswered`."""
        return await self._ask(0) is not None

    async def _piece(self) -> bytes:
        found = await self._ask(_PIECE_BYTES)
        return b"" if found is None else base64.b64decode(found["data"])

    async def _ask(self, length: int) -> dict[str, Any] | None:
        path = f"{self.sandbox.path}/{self.name}"
        part = {"path": path, "offset": self._offset, "length": length}
        return await ask_agent(
            self._client, self.sandbox.agent, {"type": "READ_FILE", "read_file": part}
        )


async def ask_agent(client: HttpClient, url: str, call: dict[str, Any]) -> dict[str, Any] | None:
    """Make an operator call at an agent; None if it says that there is no such thing.

    Raises `Unanswered`.
    """
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    try:
        answer = await client.request(
            "POST", f"{url}/api/v1", headers=headers, body=json.dump(call)
        )
    except HttpError as error:
        raise Unanswered(f"the agent at {url} does not answer: {error}") from error
    if answer.status == 404:
        return None
    if answer.status != 200:
        text = answer.body[:300].decode(errors="replace")
        raise Unanswered(f"the agent at {url} answered {answer.status}: {text}")
    content: dict[str, Any] = msgspec.json.decode(answer.body)[call["type"].lower()]
    return content
