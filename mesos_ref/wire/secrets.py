"""Secrets taken out of what others get to see: traces, and the pages of masters and agents."""

from __future__ import annotations

from typing import Any, Final

from mesos_ref.wire import json
from mesos_ref.wire.shape import Message

REDACTED: Final = "(redacted)"


def shown(message: Message) -> dict[str, Any]:
    """`message` as plain data, without what is secret in it."""
    plain: dict[str, Any] = without_secrets(json.to_builtins(message))
    return plain


def without_secrets(data: Any) -> Any:
    """`data` with what is called a secret, or is the value of one, replaced."""
    if isinstance(data, list):
        return [without_secrets(item) for item in data]
    if not isinstance(data, dict):
        return data
    is_secret = data.get("type") == "SECRET"
    kept: dict[str, Any] = {}
    for key, value in data.items():
        if key == "secret" and isinstance(value, dict):
            kept[key] = {"value": REDACTED}
        elif key == "secret" or (is_secret and key == "value"):
            kept[key] = REDACTED
        else:
            kept[key] = without_secrets(value)
    return kept
