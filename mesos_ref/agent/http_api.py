"""Every path an agent answers: the executor API, the operator API, and what older tools read.

`/slave(1)/x` is `/x`, a `.json` or a slash at the end means nothing, and a path that is not known
falls back to the one above it, as in libprocess: `/api/v1/operator` is `/api/v1`. Nothing here
changes anything but by way of an event: executors' calls go to `ExecutorApi`, reads to `operator`
and `files`.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import trio

from mesos_ref.agent import operator
from mesos_ref.agent.executor_api import ExecutorApi
from mesos_ref.agent.files import FileError, Files, file_info_v1
from mesos_ref.agent.operator import About, OperatorCall
from mesos_ref.agent.state import Agent
from mesos_ref.http.messages import Request, Response
from mesos_ref.http.negotiation import (
    json_or_script,
    refuse_accept,
    refuse_content_type,
    refuse_method,
)
from mesos_ref.http.pieces import PiecesResponse
from mesos_ref.http.streaming import StreamResponse
from mesos_ref.wire import json
from mesos_ref.wire.shape import WireError

Answer = Response | StreamResponse | PiecesResponse
Handle = Callable[[Request], Awaitable[Answer]]
Read = Callable[[], Any]

#: Our libprocess name, whatever number a client puts in it.
_OWN_NAME = re.compile(r"/slave\([^/]*\)(?=/)")


class HttpApi:
    """An agent's HTTP endpoints: `handle` is what its server calls."""

    def __init__(
        self,
        *,
        state: Agent,
        executors: ExecutorApi,
        about: About,
        now_s: Callable[[], float],
        uptime_s: Callable[[], float],
    ) -> None:
        """`state` is only read."""
        self._files = Files(about.work_dir)

        def metrics() -> dict[str, float]:
            return operator.metrics(state, uptime_s())

        self._reads: Mapping[str, Read] = {
            "GET_HEALTH": lambda: {"healthy": True},
            "GET_VERSION": lambda: {"version_info": operator.version(state, about)},
            "GET_FLAGS": lambda: {"flags": _pairs(operator.flags(state.config))},
            "GET_METRICS": lambda: {"metrics": _pairs(metrics())},
            "GET_AGENT": lambda: operator.agent_v1(state),
            "GET_STATE": lambda: operator.state_v1(state),
            "GET_FRAMEWORKS": lambda: operator.frameworks_v1(state),
            "GET_EXECUTORS": lambda: operator.executors_v1(state),
            "GET_TASKS": lambda: operator.tasks_v1(state),
            "GET_CONTAINERS": lambda: operator.containers_v1(state),
        }
        self._routes: dict[str, Handle] = {
            "/api/v1/executor": executors.serve_call,
            "/api/v1": self._operate,
            "/health": _health,
            "/state": _reading(lambda: operator.state(state, about)),
            "/version": _reading(lambda: operator.version(state, about)),
            "/flags": _reading(lambda: {"flags": operator.flags(state.config)}),
            "/metrics/snapshot": _reading(metrics),
            "/containers": _reading(lambda: operator.containers(state)),
            "/monitor/statistics": _reading(lambda: operator.statistics(state, now_s())),
            "/files/read": self._read,
            "/files/browse": self._browse,
            "/files/download": self._download,
        }

    async def handle(self, request: Request) -> Answer:
        """Answer one request."""
        route = self._route(request.path)
        if route is None:
            return Response.text(404, f"Nothing is found at {request.path[:200]!r}")
        try:
            return await route(request)
        except FileError as error:
            return Response.text(error.status, str(error))

    def _route(self, path: str) -> Handle | None:
        """The route of the longest known path above or at `path`."""
        path = _OWN_NAME.sub("", path.rstrip("/"), count=1).removesuffix(".json")
        while path:
            route = self._routes.get(path)
            if route is not None:
                return route
            path = path.rpartition("/")[0]
        return None

    # The operator API ---------------------------------------------------------------------------

    async def _operate(self, request: Request) -> Answer:
        """`POST /api/v1`."""
        refusal = refuse_method(request, "POST") or refuse_content_type(request)
        if refusal is not None:
            return refusal
        try:
            call = json.decode(request.body, OperatorCall)
        except WireError as error:
            return Response.text(400, f"Failed to parse body into Call: {error}")
        fault = _fault(call)
        if fault is not None:
            return Response.text(400, f"Failed to validate agent::Call: {fault}")
        refusal = refuse_accept(request)
        if refusal is not None:
            return refusal
        kind = call.type or ""
        if call.list_files is not None and kind == "LIST_FILES":
            shown = await trio.to_thread.run_sync(self._files.browse, call.list_files.path)
            return _answer(kind, {"file_infos": [file_info_v1(entry) for entry in shown]})
        if call.read_file is not None and kind == "READ_FILE":
            size, data = await self._read_part(
                call.read_file.path, call.read_file.offset, call.read_file.length
            )
            return _answer(kind, {"size": size, "data": base64.b64encode(data).decode()})
        read = self._reads.get(kind)
        if read is None:
            known = ", ".join(sorted([*self._reads, "LIST_FILES", "READ_FILE"]))
            return Response.text(501, f"No {kind[:80]!r} is known here; these are: {known}")
        return _answer(kind, read())

    # Files --------------------------------------------------------------------------------------

    async def _read(self, request: Request) -> Response:
        """`/files/read?path=&offset=&length=`; without offset, or with −1, only the size."""
        refusal = refuse_method(request, "GET", "HEAD")
        if refusal is not None:
            return refusal
        path = request.query.get("path", "")
        offset = _number(request, "offset")
        length = _number(request, "length")
        if offset is None or offset == -1:
            size, _ = await self._read_part(path, 0, 0)
            return json_or_script(request, json.dump({"data": "", "offset": size}))
        size, data = await self._read_part(path, offset, None if length == -1 else length)
        text = data.decode("utf-8", errors="replace")
        return json_or_script(request, json.dump({"data": text, "offset": offset}))

    async def _read_part(self, path: str, offset: int, length: int | None) -> tuple[int, bytes]:
        return await trio.to_thread.run_sync(self._files.read, path, offset, length)

    async def _browse(self, request: Request) -> Response:
        """`/files/browse?path=`."""
        refusal = refuse_method(request, "GET", "HEAD")
        if refusal is not None:
            return refusal
        shown = await trio.to_thread.run_sync(self._files.browse, request.query.get("path", ""))
        return json_or_script(request, json.dump(shown))

    async def _download(self, request: Request) -> Response | PiecesResponse:
        """`/files/download?path=`."""
        refusal = refuse_method(request, "GET", "HEAD")
        if refusal is not None:
            return refusal
        path = request.query.get("path", "")
        file = await trio.to_thread.run_sync(self._files.open, path)
        safe = re.sub(r"[^\w.-]", "_", path.rpartition("/")[2], flags=re.ASCII)
        disposition = {"Content-Disposition": f"attachment; filename={safe}"}
        return PiecesResponse(file, file.size, "application/octet-stream", disposition)


def _fault(call: OperatorCall) -> str | None:
    """What is wrong with an operator's call."""
    if call.type is None:
        return "Expecting 'type' to be present"
    for kind, part in (("LIST_FILES", call.list_files), ("READ_FILE", call.read_file)):
        if call.type == kind and part is None:
            return f"Expecting '{kind.lower()}' to be present"
    return None


def _answer(kind: str, part: Any) -> Response:
    return Response.json(200, json.dump({"type": kind, kind.lower(): part}))


def _number(request: Request, name: str) -> int | None:
    """A whole number of the query; None if it is not there. Raises `FileError`."""
    text = request.query.get(name)
    if text is None:
        return None
    try:
        return int(text)
    except ValueError:
        raise FileError(400, f"Failed to parse {name}: {text[:80]!r} is no number") from None


async def _health(request: Request) -> Response:
    """`/health`: the agent answers, so it is well."""
    return refuse_method(request, "GET", "HEAD") or Response(200)


def _pairs(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"name": name, "value": value} for name, value in values.items()]


def _reading(read: Read) -> Handle:
    """The handler of a GET endpoint."""

    async def handle(request: Request) -> Response:
        refusal = refuse_method(request, "GET", "HEAD")
        return refusal or json_or_script(request, json.dump(read()))

    return handle
