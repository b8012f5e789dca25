"""Every path a master answers, and what it says when another master leads.

`/master/x` is `/x`, a `.json` or a slash at the end means nothing, and a path that is not known
falls back to the one above it, as in libprocess: `/api/v1/operator` is `/api/v1`. What needs the
leader is redirected to it by a 307 without a scheme, or answered 503 while nobody leads. Both carry
`Mesos-Ref-Epoch`, so that a client who asks around knows whose word is newer.

Nothing here changes anything but by way of an event: calls go to `Schedulers`, reads to `operator`.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final
from urllib.parse import parse_qs, quote

import msgspec

from mesos_ref.election.interface import Leader
from mesos_ref.http.messages import Request, Response
from mesos_ref.http.negotiation import refuse_accept, refuse_content_type, refuse_method
from mesos_ref.http.server import Later
from mesos_ref.http.streaming import StreamResponse
from mesos_ref.master import operator
from mesos_ref.master.events import OperatorTeardown
from mesos_ref.master.operator import About, OperatorCall
from mesos_ref.master.schedulers import Schedulers
from mesos_ref.master.state import State
from mesos_ref.wire import json
from mesos_ref.wire.shape import WireError

EPOCH_HEADER: Final = "Mesos-Ref-Epoch"
#: Where agents connect, `host:port`, beside a redirect.
LINK_HEADER: Final = "Mesos-Ref-Link"

Answer = Response | StreamResponse | Later
Handle = Callable[[Request], Awaitable[Answer]]
Read = Callable[[], Any]


class Route(msgspec.Struct, frozen=True):
    """Who answers a path, and whether only a leader may."""

    handle: Handle
    by_leader: bool


#: A callback's name, as scripts in pages give it.
_CALLBACK = re.compile(r"[A-Za-z_$][\w$.]{0,127}", re.ASCII)


class HttpApi:
    """A master's HTTP endpoints: `handle` is what its server calls."""

    def __init__(
        self,
        *,
        state: State,
        schedulers: Schedulers,
        about: About,
        leader: Callable[[], Leader | None],
        is_leading: Callable[[], bool],
        uptime_s: Callable[[], float],
    ) -> None:
        """`state` is only read. `leader` is the newest known, this master or another."""
        self._state = state
        self._schedulers = schedulers
        self._about = about
        self._leader = leader
        self._is_leading = is_leading
        self._uptime_s = uptime_s
        self._reads = self._operator_reads()
        self._routes: dict[str, Route] = {
            "/api/v1/scheduler": Route(schedulers.serve_call, True),
            "/api/v1": Route(self._operate, True),
            "/teardown": Route(self._teardown_form, True),
            "/state": _reading(lambda: operator.state(state, about), by_leader=True),
            "/metrics/snapshot": _reading(self._metrics),
            "/version": _reading(lambda: operator.version(about)),
            "/flags": _reading(lambda: {"flags": operator.flags(state.config)}),
            "/health": Route(_health, False),
            "/redirect": Route(self._redirect, False),
        }

    async def handle(self, request: Request) -> Answer:
        """Answer one request."""
        route = self._route(request.path)
        if route is None:
            return Response.text(404, f"Nothing is found at {request.path[:200]!r}")
        if route.by_leader and not self._is_leading():
            return self._elsewhere(request)
        return await route.handle(request)

    def _route(self, path: str) -> Route | None:
        """The route of the longest known path above or at `path`."""
        path = path.rstrip("/")
        if path.startswith("/master/"):
            path = path.removeprefix("/master")
        path = path.removesuffix(".json")
        while path:
            route = self._routes.get(path)
            if route is not None:
                return route
            path = path.rpartition("/")[0]
            if path == "/redirect":
                return None
        return None

    # Who leads ----------------------------------------------------------------------------------

    def _elsewhere(self, request: Request) -> Response:
        """The same request, at the leader."""
        target = request.target if request.target.startswith("/") else quote(request.path)
        return self._to_leader(target)

    async def _redirect(self, request: Request) -> Response:
        """`/redirect`: where the leader is, also when it is this master."""
        return refuse_method(request, "GET", "HEAD") or self._to_leader("")

    def _to_leader(self, target: str) -> Response:
        leader = self._leader()
        if leader is None:
            return Response.text(503, "No leader elected")
        headers = {
            "Location": leader.candidate.url.removeprefix("http:") + target,
            EPOCH_HEADER: str(leader.epoch),
        }
        if leader.candidate.link is not None:
            headers[LINK_HEADER] = leader.candidate.link
        return Response(307, headers=headers)

    # The operator API ---------------------------------------------------------------------------

    def _operator_reads(self) -> Mapping[str, Read]:
        state, about = self._state, self._about
        return {
            "GET_HEALTH": lambda: {"healthy": True},
            "GET_VERSION": lambda: {"version_info": operator.version(about)},
            "GET_FLAGS": lambda: {"flags": _pairs(operator.flags(state.config))},
            "GET_METRICS": lambda: {"metrics": _pairs(self._metrics())},
            "GET_MASTER": lambda: operator.master_v1(state, about),
            "GET_STATE": lambda: operator.state_v1(state),
            "GET_AGENTS": lambda: operator.agents_v1(state),
            "GET_FRAMEWORKS": lambda: operator.frameworks_v1(state),
            "GET_EXECUTORS": lambda: operator.executors_v1(state),
            "GET_TASKS": lambda: operator.tasks_v1(state),
            "GET_ROLES": lambda: operator.roles_v1(state),
        }

    async def _operate(self, request: Request) -> Answer:
        """`POST /api/v1`."""
        refusal = refuse_method(request, "POST") or refuse_content_type(request)
        if refusal is not None:
            return refusal
        try:
            call = json.decode(request.body, OperatorCall)
        except WireError as error:
            return Response.text(400, f"Failed to parse body into Call: {error}")
        if call.type is None:
            return Response.text(
                400, "Failed to validate master::Call: Expecting 'type' to be present"
            )
        if call.type == "TEARDOWN" and call.teardown is None:
            return Response.text(
                400, "Failed to validate master::Call: Expecting 'teardown' to be present"
            )
        refusal = refuse_accept(request)
        if refusal is not None:
            return refusal
        if call.teardown is not None and call.type == "TEARDOWN":
            return await self._teardown(call.teardown.framework_id)
        read = self._reads.get(call.type)
        if read is None:
            known = ", ".join(sorted([*self._reads, "TEARDOWN"]))
            return Response.text(501, f"No {call.type[:80]!r} is known here; these are: {known}")
        return Response.json(200, json.dump({"type": call.type, call.type.lower(): read()}))

    async def _teardown(self, framework_id: str) -> Answer:
        return await self._schedulers.ask_for_operator(
            lambda request: OperatorTeardown(request, framework_id)
        )

    async def _teardown_form(self, request: Request) -> Answer:
        """`POST /teardown` with `frameworkId=…`."""
        refusal = refuse_method(request, "POST")
        if refusal is not None:
            return refusal
        form = parse_qs(request.body[:4096].decode("latin-1"), max_num_fields=None)
        wanted = form.get("frameworkId")
        if not wanted:
            return Response.text(400, "Missing 'frameworkId' query parameter")
        return await self._teardown(wanted[0])

    def _metrics(self) -> dict[str, float]:
        return operator.metrics(self._state, self._schedulers.calls, self._uptime_s())


async def _health(request: Request) -> Response:
    """`/health`: the master answers, so it is well."""
    return refuse_method(request, "GET", "HEAD") or Response(200)


def _pairs(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"name": name, "value": value} for name, value in values.items()]


def _reading(read: Read, *, by_leader: bool = False) -> Route:
    """A route for a GET endpoint; `?jsonp=callback` wraps its JSON in a call."""

    async def handle(request: Request) -> Response:
        refusal = refuse_method(request, "GET", "HEAD")
        if refusal is not None:
            return refusal
        callback = request.query.get("jsonp")
        if callback is None:
            return Response.json(200, json.dump(read()))
        if not _CALLBACK.fullmatch(callback):
            return Response.text(400, "Expecting 'jsonp' to be the name of a function")
        script = b"%b(%b);" % (callback.encode(), json.dump(read()))
        return Response(200, script, "text/javascript")

    return Route(handle, by_leader)
