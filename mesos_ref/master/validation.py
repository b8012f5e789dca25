"""Why the master refuses something, as a sentence; None where it does not.

Subscriptions (FWK-7), registrations (AGT-1) and tasks (behaviour reference, section 6). Pure
functions: they look at the tables and change nothing.
"""

import math
import re
from typing import Any, NamedTuple

from mesos_ref.link import ExecutorReport, Register, TaskReport
from mesos_ref.master.config import MasterConfig
from mesos_ref.master.state import ExecutorKey, Framework, TaskKey
from mesos_ref.resources import ResourceError, Resources
from mesos_ref.wire import json, scheduler
from mesos_ref.wire.v1 import FrameworkInfo, Resource
from mesos_ref.wire.validate import id_fault

OLDEST_AGENT = (1, 0, 0)
#: A duration in seconds must be a 64-bit number of nanoseconds (FWK-13).
LONGEST_S = 2**63 / 1e9


# Frameworks ---------------------------------------------------------------------------------------


def has_capability(info: FrameworkInfo, capability: str) -> bool:
    """Whether the framework says it can handle something."""
    return any(one.type == capability for one in info.capabilities)


def roles_of(info: FrameworkInfo) -> tuple[str, ...]:
    """The roles a framework subscribes to."""
    if has_capability(info, "MULTI_ROLE"):
        return info.roles
    return (info.role or "*",)


def subscription_fault(
    subscribe: scheduler.Subscribe, known: Framework | None, config: MasterConfig
) -> str | None:
    """Why a framework may not subscribe like this (FWK-7)."""
    info = subscribe.framework_info
    if has_capability(info, "MULTI_ROLE") and info.role is not None:
        return "'FrameworkInfo.role' must not be set when the framework is MULTI_ROLE capable"
    if not has_capability(info, "MULTI_ROLE") and info.roles:
        return "'FrameworkInfo.roles' needs the MULTI_ROLE capability"
    roles = roles_of(info)
    if len(set(roles)) < len(roles):
        return f"'FrameworkInfo.roles' contains duplicates: {', '.join(sorted(roles))}"
    for role in roles:
        if fault := role_fault(role):
            return f"'{role}' is no role: {fault}"
    if info.id is not None and (fault := id_fault(info.id)):
        return f"'FrameworkInfo.id' is invalid: {fault}"
    if not -LONGEST_S < info.failover_timeout < LONGEST_S:
        return (
            f"'FrameworkInfo.failover_timeout' must be less than {LONGEST_S:.0f} seconds, "
            f"but is {info.failover_timeout}"
        )
    if not set(subscribe.suppressed_roles) <= set(roles):
        return "'suppressed_roles' must be a subset of the framework's roles"
    if known is not None and known.info.principal != info.principal:
        return f"Changing framework's principal from '{known.info.principal}' is not allowed"
    size = json.size(info)
    if size > config.max_framework_bytes:
        return f"FrameworkInfo has {size} bytes; at most {config.max_framework_bytes} are taken"
    return None


def role_fault(role: str) -> str | None:
    """Why `role` can't be the name of a role; '/' separates levels."""
    if not role:
        return "a role must not be empty"
    if role == "*":
        return None
    for part in role.split("/"):
        if part in ("", ".", "..", "*"):
            return f"no level of a role may be '{part}'"
        if part.startswith("-"):
            return "a role must not start with '-'"
        if re.search(r"[\s\\\x00-\x1f\x7f]", part):
            return "a role must not contain white space, backslash or control characters"
    return None


# Agents -------------------------------------------------------------------------------------------


class Declared(NamedTuple):
    """What a Register says, with its amounts read."""

    total: Resources
    tasks: dict[TaskKey, tuple[TaskReport, Resources]]
    executors: dict[ExecutorKey, tuple[ExecutorReport, Resources]]


def read_register(register: Register) -> Declared | str:
    """The declaration, or why it can't be one."""
    if fault := id_fault(register.agent_id):
        return f"agent id: {fault}"
    if fault := _version_fault(register.version):
        return fault
    try:
        total = Resources.from_wire(register.info.resources)
        tasks = {
            (one.framework_id, one.task_id): (one, Resources.from_wire(one.resources))
            for one in register.tasks
        }
        executors = {
            (one.framework_id, one.executor_id): (one, Resources.from_wire(one.resources))
            for one in register.executors
        }
    except ResourceError as error:
        return f"resources: {error}"
    if len(tasks) < len(register.tasks) or len(executors) < len(register.executors):
        return "a task or an executor is listed twice"
    for some in (*tasks, *executors):
        for text in some:
            if fault := id_fault(text):
                return f"id of a framework, task or executor: {fault}"
    return Declared(total, tasks, executors)


def _version_fault(version: str) -> str | None:
    match = re.match(r"(\d{1,6})\.(\d{1,6})\.(\d{1,6})(?![\d.])", version, re.ASCII)
    if match is None:
        return f"version {version[:40]!r} is not of the form 1.2.3"
    if tuple(int(part) for part in match.groups()) < OLDEST_AGENT:
        return f"version {version[:40]} is older than 1.0.0"
    return None


# Declined resources -------------------------------------------------------------------------------

DEFAULT_REFUSE_S = 5.0
LONGEST_REFUSE_S = 365 * 24 * 3600.0


def refuse_us(seconds: float | None, config: MasterConfig) -> int:
    """How long a filter lives, in microseconds; 0: there is none (FLT-3, FLT-4)."""
    if seconds is None or not math.isfinite(seconds) or seconds < 0:
        seconds = DEFAULT_REFUSE_S
    life_us = round(min(seconds, LONGEST_REFUSE_S) * 1_000_000)
    return max(life_us, config.allocation_interval_us) if life_us > 0 else 0


def amount_in_role(resources: tuple[Resource, ...], role: str) -> Resources:
    """What `resources` add up to. Raises `ResourceError`, also if they are of another role."""
    for one in resources:
        info: Any = one.allocation_info
        if info is not None and info.role not in (None, role):
            raise ResourceError(f"{one.name} is allocated to role '{info.role}', not to '{role}'")
    return Resources.from_wire(resources)
