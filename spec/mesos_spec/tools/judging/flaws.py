"""What is wrong with a task, a framework or an agent by rules the specification does not model.

The specification knows a bad task as *flawed*, and says what follows.  Whether one is flawed is a
matter of texts, ids and shapes (FWK-7, AGT-1, the rules for launching a task), which this module
reads once more by itself, so that a master that lets a bad task through is noticed.
Each function gives the reason the master must name, or a sentence; None means: nothing is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Json = Mapping[str, Any]

INVALID = "REASON_TASK_INVALID"


def bad_id(name: str) -> bool:
    """Whether `name` can't be a task or executor id: 1 to 255 characters, usable as a file name."""
    if not 1 <= len(name) <= 255 or name in (".", ".."):
        return True
    return any(c in "/\\" or ord(c) < 32 or ord(c) == 127 for c in name)


def of_task(info: Json, framework: str) -> str | None:
    """The reason a task can't be launched whatever the cluster's state, or None."""
    if bad_id(_text(info["task_id"])):
        return INVALID
    if _negative(info.get("kill_policy"), "grace_period"):
        return INVALID
    if (info.get("max_completion_time") or {}).get("nanoseconds", 0) < 0:
        return INVALID
    if not _amounts_are_good(info.get("resources")):
        return INVALID
    command, executor = info.get("command"), info.get("executor")
    if (command is None) == (executor is None):
        return INVALID
    if executor is not None and _bad_executor(executor, framework):
        return INVALID
    if command is not None and _bad_environment(command):
        return INVALID
    container = info.get("container") or {}
    if container.get("type") == "DOCKER" and "docker" not in container:
        return INVALID
    if set(info.get("limits") or ()) - {"cpus", "mem"}:
        return INVALID
    return None


def _bad_environment(command: Json) -> bool:
    """Whether a variable has not what its type says, or something else besides."""
    for variable in (command.get("environment") or {}).get("variables") or ():
        value, secret = variable.get("value"), variable.get("secret")
        match variable.get("type", "VALUE"):
            case "VALUE" if value is None or secret is not None:
                return True
            case "SECRET" if secret is None or value is not None:
                return True
            case _:
                pass
    return False


def _bad_executor(executor: Json, framework: str) -> bool:
    if bad_id(_text(executor["executor_id"])):
        return True
    if executor.get("framework_id") is not None and _text(executor["framework_id"]) != framework:
        return True
    if executor.get("type", "CUSTOM") != "CUSTOM" or executor.get("command") is None:
        return True
    if (executor.get("shutdown_grace_period") or {}).get("nanoseconds", 0) < 0:
        return True
    listed = executor.get("resources")
    return bool(listed) and not _amounts_are_good(listed)


def _negative(policy: Json | None, key: str) -> bool:
    return bool(policy) and ((policy or {}).get(key) or {}).get("nanoseconds", 0) < 0


def _amounts_are_good(listed: Any) -> bool:
    """Whether a wire list of resources is not empty, and every amount is a positive number."""
    if not listed:
        return False
    return all(_amount_is_good(item) for item in listed)


def _amount_is_good(item: Json) -> bool:
    if not item.get("name"):
        return False
    match item.get("type"):
        case "SCALAR":
            value = (item.get("scalar") or {}).get("value")
            return isinstance(value, int | float) and 0 < value < 1e15
        case "RANGES":
            spans = (item.get("ranges") or {}).get("range") or ()
            return bool(spans) and all(0 <= r["begin"] <= r["end"] for r in spans)
        case "SET":
            return bool((item.get("set") or {}).get("item"))
        case _:
            return False


def of_framework(info: Json, subscribe: Json) -> str | None:
    """A sentence on what is wrong with a FrameworkInfo (FWK-7), or None."""
    capabilities = {c.get("type") for c in info.get("capabilities") or ()}
    many = "MULTI_ROLE" in capabilities
    if many and info.get("role") not in (None, "*"):
        return "with MULTI_ROLE, roles are in `roles`, not in `role`"
    if not many and info.get("roles"):
        return "without MULTI_ROLE, the role is in `role`, not in `roles`"
    roles = list(info.get("roles") or ()) if many else [info.get("role") or "*"]
    if len(set(roles)) != len(roles):
        return "a role is named twice"
    if any(bad_role(role) for role in roles):
        return "a role's name is not valid"
    if set(subscribe.get("suppressed_roles") or ()) - set(roles):
        return "a suppressed role is not among the roles"
    timeout = info.get("failover_timeout", 0.0)
    if not isinstance(timeout, int | float) or not abs(timeout) < 9.2e9:
        return "failover_timeout does not fit in 64 bits of nanoseconds"
    return None


def bad_role(role: str) -> bool:
    """Whether a role's name breaks the rules of FrameworkInfo.roles."""
    if role == "*":
        return False
    parts = role.split("/")
    return any(
        not p
        or p in (".", "..", "*")
        or p.startswith("-")
        or any(c.isspace() or c == "\b" for c in p)
        for p in parts
    )


def of_agent(register: Json) -> str | None:
    """A sentence on what is wrong with a Register frame (AGT-1), or None."""
    version = str(register.get("version", ""))
    parts = version.split(".")
    if len(parts) != 3 or not all(p.isdigit() for p in parts) or int(parts[0]) < 1:
        return f"version {version!r} is not x.y.z with x at least 1"
    if bad_id(_text(register["agent_id"])):
        return "the agent id can't be a path component"
    tasks = [(t["framework_id"], t["task_id"]) for t in register.get("tasks") or ()]
    if len(set(tasks)) != len(tasks):
        return "a task is reported twice"
    return None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else str(value["value"])
