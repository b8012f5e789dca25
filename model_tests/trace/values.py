"""What the example traces are about: one framework, one agent, one task, a few messages."""

from __future__ import annotations

from pathlib import Path

from mesos_ref import link
from mesos_ref.wire import scheduler
from mesos_ref.wire.v1 import (
    AgentInfo,
    AllocationInfo,
    CommandInfo,
    Environment,
    ExecutorInfo,
    FrameworkInfo,
    Launch,
    Offer,
    Operation,
    Resource,
    Scalar,
    TaskInfo,
    TaskStatus,
    Variable,
)

GOLDENS = Path(__file__).parent / "goldens"

FRAMEWORK, AGENT, OFFER = "M-0000", "a1", "M-O0"
LINK, STREAM, CONNECTION = "link-1", "stream-1", "connection-1"
UUID = bytes(range(16))
UUID_TEXT = "AAECAwQFBgcICQoLDA0ODw=="
URL = "http://127.0.0.1:5050"

CPUS = Resource(name="cpus", type="SCALAR", scalar=Scalar(value=0.5))
VIEWED = {"cpus": 500}
INFO = FrameworkInfo(user="u", name="démo", id=FRAMEWORK, roles=("a",))
PASSWORD = Variable(name="PASSWORD", type="SECRET", secret={"type": "VALUE", "value": "hush"})
COMMAND = CommandInfo(value="true", environment=Environment(variables=(PASSWORD,)))
TASK = TaskInfo(name="t", task_id="t1", agent_id=AGENT, resources=(CPUS,), command=COMMAND)
STATUS = TaskStatus(
    task_id="t1", state="TASK_RUNNING", uuid=UUID, agent_id=AGENT, source="SOURCE_EXECUTOR"
)
UPDATE = scheduler.Event(type="UPDATE", update=scheduler.Update(status=STATUS))
SUBSCRIBED = scheduler.Event(
    type="SUBSCRIBED",
    subscribed=scheduler.Subscribed(framework_id=FRAMEWORK, heartbeat_interval_seconds=15.0),
)
OFFERS = scheduler.Event(
    type="OFFERS",
    offers=scheduler.Offers(
        offers=(
            Offer(
                id=OFFER,
                framework_id=FRAMEWORK,
                agent_id=AGENT,
                hostname="h",
                resources=(CPUS,),
                allocation_info=AllocationInfo(role="a"),
            ),
        )
    ),
)
SUBSCRIBE = scheduler.Call(type="SUBSCRIBE", subscribe=scheduler.Subscribe(framework_info=INFO))
ACCEPT = scheduler.Call(
    type="ACCEPT",
    framework_id=FRAMEWORK,
    accept=scheduler.Accept(
        offer_ids=(OFFER,),
        operations=(Operation(type="LAUNCH", launch=Launch(task_infos=(TASK,))),),
    ),
)
ACKNOWLEDGE = scheduler.Call(
    type="ACKNOWLEDGE",
    framework_id=FRAMEWORK,
    acknowledge=scheduler.Acknowledge(agent_id=AGENT, task_id="t1", uuid=UUID),
)
REGISTER = link.Register(
    epoch=1,
    agent_id=AGENT,
    info=AgentInfo(hostname="h", resources=(CPUS,)),
    version="1.12.0",
    newest_epoch=1,
)
RUN_TASK = link.RunTask(epoch=1, framework=INFO, task=TASK, role="a", launch_executor=True)
LINK_UPDATE = link.Update(
    epoch=1, framework_id=FRAMEWORK, status=STATUS, latest_state="TASK_RUNNING"
)
EXECUTOR = ExecutorInfo(type="CUSTOM", executor_id="e1", command=CommandInfo(value="./e"))
