"""Workloads with a name, so that figures of different days and machines are of the same thing.

Both have fifty agents, pinged as often as Mesos does it.  `calm50` does a task every two seconds,
`busy50` ten a second; each task takes two seconds, so one, or twenty, run at a time.  The framework
is one that Mesos' documentation would praise: what it has no use for it declines for long, and is
offered again only what its own tasks give back.
"""

from __future__ import annotations

from mesos_chaos.plan import Cluster, Expect, Plan, Workload

TASK_S = 2
#: Mesos' own (AGT-8), where simulations otherwise ask more often, to find the dead sooner.
PINGS = {"agent_ping_timeout_s": 15.0, "ping_timeout_s": 75.0}


def calm50(seconds: int = 120) -> Plan:
    """Half a task a second, for about so long."""
    return _plan("calm", at_once=1, items=max(1, seconds // TASK_S))


def busy50(seconds: int = 60) -> Plan:
    """Ten tasks a second, for about so long."""
    return _plan("busy", at_once=10 * TASK_S, items=10 * seconds)


def _plan(name: str, at_once: int, items: int) -> Plan:
    work = Workload(
        name=name,
        items=items,
        command=f"sleep {TASK_S}",
        cpus=0.5,
        mem_mb=32,
        parallel=at_once,
        patient=True,
    )
    return Plan(
        cluster=Cluster(masters=1, agents=50, timers=PINGS),
        workload=[work],
        expect=Expect(settles_within_s=3600),
    )
