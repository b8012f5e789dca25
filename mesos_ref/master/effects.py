"""What a master wants done: the effects all cores share, and one of its own."""

from mesos_ref.step import (
    Answer,
    CloseLink,
    CloseStream,
    Effect,
    OpenStream,
    SendEvent,
    SendFrame,
)

__all__ = [
    "Answer",
    "AskElection",
    "CloseLink",
    "CloseStream",
    "Effect",
    "OpenStream",
    "SendEvent",
    "SendFrame",
]


class AskElection(Effect, frozen=True):
    """Somebody says that a newer epoch has begun: the shell asks the election at once.

    Only the election deposes (MFO-6): whoever reaches the agents' port can say this.
    """

    newest_epoch: int
