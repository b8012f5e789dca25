"""Files of behaviours on the command line: found, read, and done again with their model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mesos_spec.kernel.model import Model
from mesos_spec.tools.cli.common import Misused
from mesos_spec.tools.report.behaviours import BehaviourError, Written, read_behaviour
from mesos_spec.tools.report.replay import Differs, Replayed, replay


def split(target: str) -> tuple[Path, int | None]:
    """`FILE` or `FILE:STEP` in its parts."""
    name, colon, number = target.rpartition(":")
    if colon and number.isdigit() and not Path(target).exists():
        return Path(name), int(number)
    return Path(target), None


def read(path: Path, model: str | None = None) -> tuple[Written, Model[Any]]:
    """What a file says, and the model it speaks of, or `model` instead.  Raises `Misused`."""
    from mesos_spec.tools.cli.find import find

    try:
        written = read_behaviour(path)
    except BehaviourError as error:
        raise Misused(str(error)) from None
    try:
        return written, find(model or written.header.model)
    except Misused as error:
        text = f"{path} is a behaviour of {written.header.model}: {error}"
        raise Misused(f"{text} (--model says where it is now)") from None


def done(path: Path, model: str | None = None) -> tuple[Written, Model[Any], Replayed[Any]]:
    """A file's behaviour, done again.  Raises `Misused` where the model does not do it any more."""
    written, found = read(path, model)
    try:
        return written, found, replay(found, written)
    except Differs as error:
        text = f"{path} is no behaviour of {found.name} as it is now: {error}"
        raise Misused(f"{text}\n  see: mesos-spec replay {path}") from None
