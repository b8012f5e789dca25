"""What the library gives to its user's code (UPD-12, FWK-1).

The judge follows what a scheduler is told and what it says; what its user's code gets to see is a
deed that no trace rule looks at.  A library that swallows an event, gives another one, or gives an
update again, conforms and is of no use.  So what it delivers is held against what it was told: each
event that it takes in, as it came and once; an update that the code has already, not again.  And
who is told that he is subscribed is told by whom: the leader at the other end.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mesos_ref.wire import scheduler as wire


def misdelivered(
    told: wire.Event, is_known: bool, delivered: Sequence[wire.Event]
) -> Iterator[str]:
    """A sentence if `delivered` is not what follows from being told `told`.

    `is_known`: it is an update that the user's code was given before.
    """
    due = [] if is_known else [told]
    if list(delivered) != due:
        found = [event.type for event in delivered]
        other = ", which was another one" if found == [event.type for event in due] else ""
        yield f"was told {told.type}, and gave {found or 'nothing'} to its user's code{other}"


def misgreeted(greeting: wire.Subscribed, master: str) -> Iterator[str]:
    """A sentence for each thing that is wrong with what `master` says of itself."""
    info = greeting.master_info
    name = None if info is None else info.hostname
    if name != master:
        yield f"was subscribed by {name}, and had dialled {master}"
    if not greeting.heartbeat_interval_seconds:
        yield f"was subscribed by {master} without being told of heartbeats"
