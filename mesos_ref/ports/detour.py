"""A network on which some addresses are elsewhere: dial TO where FROM is meant.

As curl's `--connect-to`. Whoever injects faults puts a proxy between two nodes this way, without
either of them calling the other anything but its own name.
"""

from __future__ import annotations

from collections.abc import Mapping

from mesos_ref.ports.net import Listener, Net, Stream

Address = tuple[str, int]


class Detours:
    """`net`, but that connections to the keys of `detours` are made to their values."""

    def __init__(self, net: Net, detours: Mapping[Address, Address]) -> None:
        self._net = net
        self._detours = detours

    async def listen(self, host: str, port: int) -> Listener:
        return await self._net.listen(host, port)

    async def connect(self, host: str, port: int) -> Stream:
        return await self._net.connect(*self._detours.get((host, port), (host, port)))


def parse_detour(text: str) -> tuple[Address, Address]:
    """Read ``FROMHOST:FROMPORT:TOHOST:TOPORT``; IPv6 hosts in brackets. Raises `ValueError`."""
    try:
        meant, rest = _take_address(text)
        if not rest.startswith(":"):
            raise ValueError
        actual, rest = _take_address(rest[1:])
        if rest:
            raise ValueError
    except ValueError:
        raise ValueError(
            f"{text!r} is no detour: right would be FROMHOST:FROMPORT:TOHOST:TOPORT"
        ) from None
    return meant, actual


def _take_address(text: str) -> tuple[Address, str]:
    """The host and port that `text` begins with, and the rest."""
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        rest = rest.removeprefix(":") if bracket and rest.startswith(":") else ""
    else:
        host, _, rest = text.partition(":")
    digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
    if not host or not digits or int(digits) > 65535:
        raise ValueError
    return (host, int(digits)), rest[len(digits) :]
