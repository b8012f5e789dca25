"""The scheduler library: how a framework talks to Mesos, and what it needs not care about.

`core` decides (subscribe, back off, de-duplicate, acknowledge, reconcile), `shell` speaks HTTP, and
`connect` gives a framework's author a `Framework`. What to launch is the author's own async code.

    async with mesos_ref.scheduler.connect("http://127.0.0.1:5050", name="demo") as framework:
        async for offer in framework.offers():
            task = await framework.launch(offer, command="echo hi", cpus=1, mem_mb=32)
            print((await task.finished()).state)
            break
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__ = [
    "Framework",
    "FrameworkEnded",
    "Item",
    "OfferGone",
    "Progress",
    "Task",
    "Verdict",
    "connect",
    "run_items",
]

#: Where each is. `__init__.pyi` says the same to type checkers.
_HOMES = {
    "connect": "connecting",
    "Item": "items",
    "Progress": "items",
    "Framework": "library",
    "FrameworkEnded": "library",
    "OfferGone": "library",
    "Task": "library",
    "Verdict": "run",
    "run_items": "run",
}


def __getattr__(name: str) -> Any:
    """Load what is asked for; the core must be had without what the library stands on."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
