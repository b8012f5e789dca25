"""From what is written on a command line to an election: `single`, `file:PATH`, or a plug-in's."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import cast

from mesos_ref.election.file import DEFAULT_LEASE_S, FileElection
from mesos_ref.election.interface import Candidate, Election, ElectionError
from mesos_ref.election.single import SingleElection
from mesos_ref.wire.v1 import Address, MasterInfo

GROUP = "mesos_ref.elections"
SHORTEST_LEASE_S = 0.3


def open_election(where: str, *, lease_s: float = DEFAULT_LEASE_S) -> Election:
    """The election that `where` names.

    `single`; `HOST:PORT`, a single master elsewhere (to be watched only); `file:PATH`; and
    `SCHEME:…`, which the entry point SCHEME of the group `mesos_ref.elections` is called with.
    Raises ElectionError.
    """
    if lease_s < SHORTEST_LEASE_S:
        raise ElectionError(f"a lease of {lease_s} s is too short: {SHORTEST_LEASE_S} s at least")
    scheme, colon, rest = where.partition(":")
    if where == "single":
        return SingleElection()
    if scheme == "file" and rest:
        return FileElection(Path(rest).absolute(), lease_s)
    for plugin in entry_points(group=GROUP):
        if colon and plugin.name == scheme:
            return cast(Callable[[str, float], Election], plugin.load())(where, lease_s)
    host, colon, port = where.rpartition(":")
    if colon and _is_host(host) and port.isascii() and port.isdigit() and int(port) < 65536:
        return SingleElection(_at(host.strip("[]"), int(port)))
    raise ElectionError(f"{where!r} names no election: right would be single, host:port, file:PATH")


def _is_host(text: str) -> bool:
    """Whether this can be looked for: a name or an address, and no URL."""
    return bool(text) and text.isascii() and text.isprintable() and not set(text) & set("/@?# ")


def _at(host: str, port: int) -> Candidate:
    """A master of which only the address is known."""
    address = Address(hostname=host, ip=host, port=port)
    return Candidate(MasterInfo(id="", ip=0, port=port, hostname=host, address=address))
