"""Models of millions of states, for the fast search: what many parties do at once.

Every party is as in the small models; there are more of them, connections break, and little is
prompt.  Their counts are not pinned: they have not been searched to the end.  So they stand beside
the others and are found by name only.
"""

from __future__ import annotations

from mesos_spec.kernel import Table
from mesos_spec.kernel.model import Model
from mesos_spec.models.cases import A1, A2, LINES, LINKS, S1, WORK, cluster, cpus, model, task, user
from mesos_spec.models.settings import CLUSTER, RUNNING, Script, agent_up
from mesos_spec.state import State


def run_on(agent: str) -> Script:
    """Another task is launched, on this agent, and runs."""
    return (
        ("offer", {"agent": agent}),
        ("hear_offers", {"scheduler": "s1"}),
        ("call", {"scheduler": "s1"}),
        ("accept", {}),
        ("run", {"agent": agent}),
        ("executor_subscribes", {"agent": agent, "updates": ()}),
        *(("executor_hears", {}), ("executor_hears", {})),
    )


TWO = {
    "agents": Table({A1: cpus(1), A2: cpus(1)}),
    "schedulers": Table({S1: user(tasks=(task("t1"), task("t2")))}),
}
TWO_RUN: Script = (*CLUSTER, *run_on("a1"), *agent_up("a2"), *run_on("a2"))

PAIRED = model(
    "pairs-over-broken-links",
    "Two agents with a task each; links break and are replaced, updates are sent again.",
    "resend " + LINKS + WORK,
    cluster(**TWO, links=2),
    None,
    script=TWO_RUN,
    prompt="calls events",
    room=1,
)

RESTARTED = model(
    "restarts-under-two-masters",
    "An agent restarts and a scheduler comes back while one master follows another.",
    "lead end_reign turn_to crash_agent start_agent executor_subscribes recover_executor "
    + LINES
    + LINKS
    + WORK,
    cluster(epochs=(1, 2), links=2),
    None,
    script=RUNNING,
    prompt="calls",
    room=1,
)

CUT_OFF = model(
    "unreachable-and-restarted",
    "An agent is given up and restarts, over links that break, while its updates wait.",
    "resend crash_agent start_agent executor_subscribes recover_executor mark_unreachable "
    + LINKS
    + WORK,
    cluster(words=("TASK_RUNNING", "TASK_FINISHED"), links=2),
    None,
    script=RUNNING,
    prompt="calls events",
)

MODELS: tuple[Model[State], ...] = (PAIRED, RESTARTED, CUT_OFF)
