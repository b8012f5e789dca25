"""What a master hears. Everything is taken in by `MasterCore.handle`, one event at a time."""

from typing import TypeAlias

import msgspec

from mesos_ref.link import FromAgent
from mesos_ref.step import MessageId
from mesos_ref.wire import scheduler
from mesos_ref.wire.v1 import MasterInfo


class Elected(msgspec.Struct, frozen=True):
    """This master leads from now on; `epoch` is a number no leader had before."""

    epoch: int
    master_info: MasterInfo


class Deposed(msgspec.Struct, frozen=True):
    """This master leads no more, and never will again."""

    why: str = ""


class Tick(msgspec.Struct, frozen=True):
    """Time has passed."""


class Frame(msgspec.Struct, frozen=True):
    """The n-th frame an agent sent on a link."""

    link: str
    n: int
    frame: FromAgent


class LinkEnded(msgspec.Struct, frozen=True):
    """Nothing more will be heard on a link."""

    link: str


class Call(msgspec.Struct, frozen=True):
    """A scheduler's call, well-formed as `wire.validate` has it.

    `request` is the shell's handle for the answer, `stream` the call's Mesos-Stream-Id,
    `new_stream` a fresh id that is used if the call is a SUBSCRIBE.
    """

    request: str
    id: MessageId
    stream: str | None
    call: scheduler.Call
    new_stream: str


class StreamEnded(msgspec.Struct, frozen=True):
    """A scheduler no longer listens on its stream."""

    stream: str


class OperatorTeardown(msgspec.Struct, frozen=True):
    """An operator wants a framework removed."""

    request: str
    framework_id: str


Event: TypeAlias = (
    Elected | Deposed | Tick | Frame | LinkEnded | Call | StreamEnded | OperatorTeardown
)
