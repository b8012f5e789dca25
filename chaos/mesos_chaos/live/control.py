"""A held cluster takes orders: faults by hand, over a socket in the run directory.

`mesos-chaos run --hold` leaves the cluster up when its plan is over, and serves `control.sock`;
`mesos-chaos inject` sends one fault there.  A request and its answer are one line of JSON each.
"""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import trio
from pydantic import ValidationError

from mesos_chaos.live.faults import LiveFaults
from mesos_chaos.live.world import World
from mesos_chaos.plan import Fault, complaints

NAME = "control.sock"
MAX_REQUEST_BYTES = 65_536


def control_path(folder: Path) -> Path:
    """The socket of a run directory.  Socket paths are short: a long one goes by way of /tmp."""
    return folder / NAME


class Control:
    """Serves one world until it is told to let go, or cancelled."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._faults = LiveFaults(world)
        self._let_go = trio.Event()

    async def serve(self) -> None:
        """Take orders until one is `release`."""
        path = control_path(self._world.folder)
        path.unlink(missing_ok=True)
        listener = trio.socket.socket(trio.socket.AF_UNIX, trio.socket.SOCK_STREAM)
        await listener.bind(str(path))
        path.chmod(0o600)
        listener.listen(8)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(
                    trio.serve_listeners, self._converse, [trio.SocketListener(listener)]
                )
                await self._let_go.wait()
                nursery.cancel_scope.cancel()
        finally:
            path.unlink(missing_ok=True)
            with trio.CancelScope(shield=True):
                await self._faults.heal()

    async def _converse(self, stream: trio.SocketStream) -> None:
        with contextlib.suppress(trio.BrokenResourceError), trio.move_on_after(60):
            data = b""
            while not data.endswith(b"\n") and len(data) < MAX_REQUEST_BYTES:
                more = await stream.receive_some(4096)
                if not more:
                    return
                data += more
            answer = await self._answer(data)
            await stream.send_all(json.dumps(answer).encode() + b"\n")

    async def _answer(self, data: bytes) -> dict[str, Any]:
        try:
            order = json.loads(data)
        except ValueError as error:
            return {"error": f"not JSON: {error}"}
        if order == "release":
            self._let_go.set()
            return {"done": "released: the cluster is taken down"}
        if order == "heal":
            await self._faults.heal()
            return {"done": "healed: everything is undone"}
        try:
            fault = Fault.model_validate(order)
        except ValidationError as error:
            return {"error": "; ".join(complaints("fault", error))}
        return {"done": await self._faults.strike(fault)}


def order(folder: Path, what: Any) -> dict[str, Any]:
    """Send one order to the cluster that is held in `folder`.

    Raises `OSError` if nobody holds one there.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as to:
        to.settimeout(60)
        to.connect(str(control_path(folder)))
        to.sendall(json.dumps(what).encode() + b"\n")
        data = b""
        while not data.endswith(b"\n"):
            more = to.recv(4096)
            if not more:
                break
            data += more
    answer: dict[str, Any] = json.loads(data)
    return answer


def holding(announce: Callable[[World], None]) -> Callable[[World], Any]:
    """A `hold` for `run_live`: announce, then take orders until released."""

    async def hold(world: World) -> None:
        announce(world)
        await Control(world).serve()

    return hold
