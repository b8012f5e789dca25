"""Connecting a framework: everything `mesos_ref.scheduler.library` stands on, put together.

One core, its shell and what watches for leaders run as long as the `async with` block does.
"""

from __future__ import annotations

import base64
import getpass
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import trio

from mesos_ref.ports.clock import Clock, TrioClock
from mesos_ref.ports.net import Net, TrioNet
from mesos_ref.runtime import Keep, SystemIds
from mesos_ref.scheduler.core import SchedulerConfig, SchedulerCore
from mesos_ref.scheduler.events import LeaderSeen
from mesos_ref.scheduler.leaders import watch_leaders
from mesos_ref.scheduler.library import Framework, FrameworkEnded, OnUpdates
from mesos_ref.scheduler.shell import SchedulerShell
from mesos_ref.scheduler.tracing import config_of
from mesos_ref.step import IdSource
from mesos_ref.trace import RecordedIds, Traces, TraceWriter, header, target_in
from mesos_ref.wire import scheduler as wire
from mesos_ref.wire.v1 import Capability, CapabilityType, FrameworkInfo

#: What a framework of this library can deal with.
CAPABILITIES: tuple[CapabilityType, ...] = ("MULTI_ROLE", "PARTITION_AWARE", "TASK_KILLING_STATE")

#: How long `connect` waits at its end for the master to hear TEARDOWN.
FAREWELL_S = 10.0


@asynccontextmanager
async def connect(
    master: str,
    *,
    name: str,
    roles: Sequence[str] = ("*",),
    user: str | None = None,
    failover_timeout_s: float = 60.0,
    checkpoint: bool = True,
    teardown: bool = True,
    credential: tuple[str, str] | None = None,
    recovered: Mapping[str, Any] | None = None,
    keep: Keep | None = None,
    on_updates: OnUpdates | None = None,
    trace: Traces | None = None,
    node: str | None = None,
    net: Net | None = None,
    clock: Clock | None = None,
    ids: IdSource | None = None,
) -> AsyncIterator[Framework]:
    """Be a framework while the block runs. If it ends without an error, the framework is torn down.

    * `master` is ``http://host:port``, several of them separated by commas, or ``file:PATH``.
    * `failover_timeout_s` is how long tasks survive a scheduler that is gone. With `teardown` False
      they survive the block, too, by that time.
    * `credential` is a principal and its secret.
    * `recovered` (``framework_id``, ``tasks``) and `keep` are for frameworks that survive their
      process: what `keep` was called with is `recovered` of the next.
    * `on_updates` sees each batch of updates before they are acknowledged.
    * `trace` is a folder for a trace, and `node` the name in it (else `name`).
    * `net`, `clock` and `ids` are the outside, for simulations; so is a `trace` that is no folder.

    Raises `ValueError` for a bad `master`; the framework's methods raise `FrameworkEnded`.
    """
    info = FrameworkInfo(
        user=user or getpass.getuser(),
        name=name,
        roles=tuple(roles),
        failover_timeout=failover_timeout_s,
        checkpoint=checkpoint,
        principal=credential[0] if credential else None,
        capabilities=tuple(Capability(type=kind) for kind in CAPABILITIES),
    )
    net, clock, ids = net or TrioNet(), clock or TrioClock(), ids or SystemIds()
    leaders = watch_leaders(master, net)
    core, writer = _core_of(info, ids, recovered, trace, node or name, clock.wall_us())
    framework = Framework(core, name, ids, on_updates)
    shell = framework.shell = SchedulerShell(
        core,
        net=net,
        clock=clock,
        tell=framework.hear,
        keep=keep or _forget,
        recorder=writer,
        authorization=_basic(credential),
    )
    async with _running(framework, shell, leaders):
        yield framework
        if teardown:
            await _tear_down(framework)


def _core_of(
    info: FrameworkInfo,
    ids: IdSource,
    recovered: Mapping[str, Any] | None,
    trace: Traces | None,
    node: str,
    wall_us: int,
) -> tuple[SchedulerCore, TraceWriter | None]:
    """A core, and what writes its trace if one is wanted."""
    config = SchedulerConfig(framework=info)
    if trace is None:
        return SchedulerCore(config, ids, recovered), None
    recorded = RecordedIds(ids)
    core = SchedulerCore(config, recorded, recovered)
    incarnation = ids.uuid()
    top = header(
        role="scheduler",
        node=node,
        incarnation=incarnation,
        wall_us=wall_us,
        config=config_of(config),
        recovered=recovered,
    )
    target = target_in(trace, "scheduler", node, incarnation)
    return core, TraceWriter(target, top, core, recorded)


@asynccontextmanager
async def _running(
    framework: Framework, shell: SchedulerShell, leaders: AsyncIterator[LeaderSeen]
) -> AsyncIterator[None]:
    """Everything at work. What the block raises is raised as it is, not in a group with ours."""
    failure: BaseException | None = None
    async with trio.open_nursery() as nursery:

        async def run() -> None:
            await shell.run(leaders)
            nursery.cancel_scope.cancel()

        nursery.start_soon(run)
        nursery.start_soon(framework.handle_updates)
        try:
            yield
        except trio.Cancelled:
            raise
        except BaseException as error:
            failure = error
        finally:
            shell.owner.stop()
    if failure is not None:
        raise failure


async def _tear_down(framework: Framework) -> None:
    with trio.move_on_after(FAREWELL_S), suppress(FrameworkEnded):
        await framework.call(wire.Call(type="TEARDOWN"))
        await framework.ended()


async def _forget(kept: Mapping[str, Any]) -> None:
    """A framework that does not survive its process keeps nothing."""


def _basic(credential: tuple[str, str] | None) -> str | None:
    if credential is None:
        return None
    return "Basic " + base64.b64encode(":".join(credential).encode()).decode()
