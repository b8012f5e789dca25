"""What an agent is told when it is set up: who it is, what it has, how patient it is."""

from __future__ import annotations

from typing import Literal

import msgspec

from mesos_ref.wire.v1 import Attribute, Resource

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US


class AgentConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Defaults are Mesos' (mesos-behaviour §17). Times are in microseconds, and not negative."""

    hostname: str = "localhost"
    ip: str = "127.0.0.1"
    port: int = 5051
    resources: tuple[Resource, ...] = ()
    attributes: tuple[Attribute, ...] = ()
    version: str = "1.12.0"
    #: What to do when hostname, resources or attributes are not those of the last start (RCV-5).
    reconfiguration_policy: Literal["equal", "any"] = "equal"

    #: First and longest wait before a dial: a random part of it, doubled by each failure (AGT-4).
    registration_backoff_us: int = SECOND_US
    registration_backoff_max_us: int = MINUTE_US
    #: A master that says nothing for so long is gone (AGT-10).
    ping_timeout_us: int = 75 * SECOND_US
    status_update_retry_us: int = 10 * SECOND_US
    status_update_retry_max_us: int = 10 * MINUTE_US
    executor_registration_timeout_us: int = MINUTE_US
    executor_reregistration_timeout_us: int = 2 * SECOND_US
    executor_shutdown_grace_us: int = 5 * SECOND_US
    #: How long an executor waits for a restarted agent. The executor keeps this one (RCV-4).
    recovery_timeout_us: int = 15 * MINUTE_US

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if name.endswith("_us") and value < 0:
                raise ValueError(f"{name} must not be negative, but is {value}")
        if self.status_update_retry_us < 1:
            raise ValueError("status_update_retry_us must be at least 1")
