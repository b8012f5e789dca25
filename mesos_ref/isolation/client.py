"""The agent's end of its template: start it, ask it, hear it."""

from __future__ import annotations

import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import trio

from mesos_ref.isolation.messages import FromTemplate, Launch, Ready, Refused, RunSpec

HANG_UP_PATIENCE_S = 3.0

_decoder: msgspec.json.Decoder[FromTemplate] = msgspec.json.Decoder(FromTemplate)


class TemplateError(Exception):
    """No template could be started for the work directory; the message says why."""


class TemplateGone(Exception):
    """The template has ended; runs it forked live on."""


class TemplateClient:
    """A running template."""

    def __init__(self, control: trio.SocketStream) -> None:
        self._control = control
        self._unread = b""
        self._sending = trio.Lock()
        self.pid = 0

    async def ask(self, run: RunSpec) -> None:
        """Ask for a fork; `Launched` or `LaunchFailed` will be heard.  Raises TemplateGone."""
        try:
            async with self._sending:
                await self._control.send_all(msgspec.json.encode(Launch(run)) + b"\n")
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise TemplateGone from error

    async def hear(self) -> list[FromTemplate]:
        """The next messages, at least one.  Raises TemplateGone."""
        while True:
            try:
                data = await self._control.receive_some(1 << 16)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                data = b""
            if not data:
                raise TemplateGone
            *lines, self._unread = (self._unread + data).split(b"\n")
            if lines:
                return [_decoder.decode(line) for line in lines]


@asynccontextmanager
async def open_template(work_dir: Path, lifeline: int) -> AsyncIterator[TemplateClient]:
    """Start a template for this work directory and wait until it is ready; hang up on exit.

    `lifeline` is the read end of a pipe whose write end this process, and no other, holds: runs
    without checkpointing end when it does.  Hanging up ends the template, not what it forked.
    Raises TemplateError.
    """
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    argv = [sys.executable, "-m", "mesos_ref.isolation.template"]
    argv += ["--control-fd", str(theirs.fileno()), "--lifeline-fd", str(lifeline)]
    argv += ["--work-dir", str(work_dir)]
    with theirs:
        process = await trio.lowlevel.open_process(
            argv, pass_fds=[theirs.fileno(), lifeline], start_new_session=True
        )
    async with trio.SocketStream(trio.socket.from_stdlib_socket(ours)) as control:
        try:
            client = TemplateClient(control)
            client.pid = process.pid
            await _wait_until_ready(client)
            yield client
        finally:
            with trio.CancelScope(shield=True):
                await trio.aclose_forcefully(control)
                with trio.move_on_after(HANG_UP_PATIENCE_S) as patience:
                    await process.wait()
                if patience.cancelled_caught:  # it was stopped, say
                    process.kill()
                    await process.wait()


async def _wait_until_ready(client: TemplateClient) -> None:
    try:
        first, *_ = await client.hear()
    except TemplateGone:
        raise TemplateError("the template process ended before it was ready") from None
    if isinstance(first, Refused):
        raise TemplateError(first.why)
    assert isinstance(first, Ready), f"a template's first word is Ready or Refused, not {first}"
