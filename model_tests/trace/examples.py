"""One example of everything a trace can hold, for each role, and the trace it makes.

The golden files beside this are what `mesos_ref.trace` writes for these examples; they are the
format, by example, for whoever reads traces with code of his own. Cores have no part in it:
`Scripted` says what the example says. After a wanted change of the format:

    python -m model_tests.trace.examples
"""

from __future__ import annotations

from pathlib import Path

from model_tests.trace import (
    example_agent,
    example_executor,
    example_master,
    example_messages,
    example_scheduler,
)
from model_tests.trace.scripted import Line, written

GOLDENS = Path(__file__).parent / "goldens"

#: Name of a golden file -> whose trace it is, and the lines it is made of.
EXAMPLES: dict[str, tuple[str, list[Line]]] = {
    "agent": ("agent", example_agent.LINES),
    "agent-messages": ("agent", example_messages.AT_AGENT),
    "executor": ("executor", example_executor.LINES),
    "master": ("master", example_master.LINES),
    "master-messages": ("master", example_messages.AT_MASTER),
    "scheduler": ("scheduler", example_scheduler.LINES),
    "scheduler-messages": ("scheduler", example_messages.AT_SCHEDULER),
}

#: Written by whoever breaks things, before the deed. No core is behind it.
HARNESS = (
    b'{"trace":"mesos-ref","version":1,"role":"harness","node":"harness","incarnation":"i-1",'
    b'"wall":1.5,"config":{}}\n'
    b'{"seq":0,"wall":2.25,"fault":{"kind":"kill","node":"master-1","incarnation":"i-1"}}\n'
    b'{"seq":1,"wall":3.5,"fault":{"kind":"pause","node":"agent-1","incarnation":"i-2"}}\n'
)


def golden(name: str) -> Path:
    """Where the golden trace of that name is."""
    return GOLDENS / f"{name}.ndjson"


def rewrite() -> None:
    """Make the golden files say what the writer writes now."""
    GOLDENS.mkdir(exist_ok=True)
    for name, (role, lines) in EXAMPLES.items():
        golden(name).write_bytes(written(role, lines))
    golden("harness").write_bytes(HARNESS)


if __name__ == "__main__":
    rewrite()
