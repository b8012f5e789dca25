"""What an agent tells an executor: the environment of the Mesos documentation, read."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from decimal import Decimal, InvalidOperation

import msgspec

_UNITS_US = {
    "ns": Decimal("0.001"),
    "us": Decimal(1),
    "ms": Decimal(1_000),
    "secs": Decimal(1_000_000),
    "mins": Decimal(60_000_000),
    "hrs": Decimal(3_600_000_000),
    "days": Decimal(86_400_000_000),
    "weeks": Decimal(604_800_000_000),
}


class SettingsError(ValueError):
    """A variable the executor needs is missing or makes no sense."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Where the agent is, who we are, how patient to be (microseconds)."""

    host: str
    port: int
    framework_id: str
    executor_id: str
    token: str | None
    checkpoint: bool
    shutdown_grace_us: int
    recovery_timeout_us: int
    subscription_backoff_max_us: int

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Settings:
        """From MESOS_* variables.  Raises SettingsError."""
        host, port = _endpoint(_needed(environment, "MESOS_AGENT_ENDPOINT"))
        return cls(
            host=host,
            port=port,
            framework_id=_needed(environment, "MESOS_FRAMEWORK_ID"),
            executor_id=_needed(environment, "MESOS_EXECUTOR_ID"),
            token=environment.get("MESOS_EXECUTOR_AUTHENTICATION_TOKEN"),
            checkpoint=environment.get("MESOS_CHECKPOINT", "0") == "1",
            shutdown_grace_us=_duration(
                environment, "MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD", "5secs"
            ),
            recovery_timeout_us=_duration(environment, "MESOS_RECOVERY_TIMEOUT", "15mins"),
            subscription_backoff_max_us=_duration(
                environment, "MESOS_SUBSCRIPTION_BACKOFF_MAX", "2secs"
            ),
        )


def parse_duration_us(text: str) -> int:
    """`1.5secs` is 1500000.  Raises ValueError naming what was wrong."""
    number = text.rstrip("abcdefghijklmnopqrstuvwxyz")
    unit = text[len(number) :]
    with suppress(InvalidOperation, ValueError, OverflowError):
        if unit in _UNITS_US:
            return int(Decimal(number) * _UNITS_US[unit])
    raise ValueError(f"{text!r} is no duration: a number and one of {', '.join(_UNITS_US)}")


def format_duration(microseconds: int) -> str:
    """The shortest exact form that Mesos' parser takes: 5000000 is `5secs`."""
    for unit, size in reversed(_UNITS_US.items()):
        if size >= 1 and microseconds and microseconds % size == 0:
            return f"{microseconds // int(size)}{unit}"
    return "0secs"


def _needed(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name)
    if not value:
        raise SettingsError(f"{name} is not set: an executor is started by an agent")
    return value


def _endpoint(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit():
        raise SettingsError(f"MESOS_AGENT_ENDPOINT is {text!r}; right would be ip:port")
    return host.strip("[]"), int(port)


def _duration(environment: Mapping[str, str], name: str, default: str) -> int:
    try:
        return parse_duration_us(environment.get(name) or default)
    except ValueError as error:
        raise SettingsError(f"{name}: {error}") from None
