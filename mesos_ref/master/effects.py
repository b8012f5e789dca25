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
    "CloseLink",
    "CloseStream",
    "Effect",
    "OpenStream",
    "SendEvent",
    "SendFrame",
    "StepDown",
]


class StepDown(Effect, frozen=True):
    """A newer leader is known. The shell gives up leadership and answers with `Deposed`."""

    why: str
