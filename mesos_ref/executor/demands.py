"""What a framework asks for in its `CommandInfo` and `ContainerInfo`, as far as it can be had.

Whatever can't be had is refused with a sentence, so that a task fails rather than run without it: a
command for a container image must not run on the bare machine, nor without the files it needs.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

from mesos_ref.wire.v1 import CommandInfo, Variable


def unsupported(command: CommandInfo | None, container: dict[str, Any] | None) -> str | None:
    """Why this can't be run here, if it can't."""
    return _container_fault(container or {}) or (None if command is None else _fault(command))


def _container_fault(container: dict[str, Any]) -> str | None:
    if container.get("type") == "DOCKER":
        return "Containers of type DOCKER are not supported"
    mesos = container.get("mesos")
    if isinstance(mesos, dict) and "image" in mesos:
        return "Container images are not supported"
    if container.get("volumes"):
        return "Volumes of containers are not supported"
    return None


def _fault(command: CommandInfo) -> str | None:
    if command.uris:
        return f"Fetching of URIs is not supported, as asked for {command.uris[0].value[:200]!r}"
    variables = () if command.environment is None else command.environment.variables
    for variable in variables:
        if variable.secret is not None and visible(variable) is None:
            return f"The secret of variable {variable.name!r} is not given by value, as UTF-8 text"
    return None


def environment_of(command: CommandInfo | None) -> dict[str, str]:
    """The variables the command asks for, secrets included."""
    if command is None or command.environment is None:
        return {}
    found = ((each.name, visible(each)) for each in command.environment.variables)
    return {name: value for name, value in found if value is not None}


def visible(variable: Variable) -> str | None:
    """What the process gets to see; None for a secret that is only referred to."""
    if variable.secret is None:
        return variable.value
    value = variable.secret.get("value")
    data = value.get("data") if isinstance(value, dict) else None
    if not isinstance(data, str):
        return None
    try:
        return base64.b64decode(data, validate=True).decode()
    except (binascii.Error, ValueError):
        return None
