"""ACCEPT: turning offers into tasks.

All offers of a call make one pool; its tasks are taken from the pool in order, each on its own: a
bad one is answered with an error, the rest go on. What is left is free again, and filtered.
"""

from collections.abc import Iterator
from typing import NamedTuple

from mesos_ref import link as frames
from mesos_ref.master import offers
from mesos_ref.master.state import Agent, Executor, Framework, Offer, State, Task
from mesos_ref.master.statuses import lost_or, tell_status
from mesos_ref.master.task_validation import Demand, task_fault
from mesos_ref.master.validation import refuse_us
from mesos_ref.resources import EMPTY, Resources
from mesos_ref.wire import scheduler, v1
from mesos_ref.wire.v1 import ExecutorInfo, StatusReason, TaskInfo


class Asked(NamedTuple):
    """A task a call asks for; `fault` if the way it asks is wrong already."""

    task: TaskInfo
    reason: StatusReason
    fault: str | None


def hear_accept(m: State, framework: Framework, call: scheduler.Accept) -> None:
    """Accept, or refuse, or decline: a call without tasks is a DECLINE (OFR-8)."""
    asked = list(_asked(call.operations))
    if not asked:
        offers.decline(m, framework, call.offer_ids, call.filters)
        return
    fault = _offers_fault(framework, call.offer_ids)
    if fault is not None:
        _refuse(m, framework, call, asked, fault)
    else:
        m.act("accept")
        _accept(m, framework, call, asked)


def _asked(operations: tuple[v1.Operation, ...]) -> Iterator[Asked]:
    """All tasks of a call, in order. Other operations are not supported, and dropped."""
    for operation in operations:
        if operation.type == "LAUNCH" and operation.launch is not None:
            fault = "LAUNCH takes no operation id" if operation.id is not None else None
            for task in operation.launch.task_infos:
                yield Asked(task, "REASON_TASK_INVALID", fault)
        elif operation.type == "LAUNCH_GROUP" and operation.launch_group is not None:
            for task in operation.launch_group.task_group.tasks:
                fault = "LAUNCH_GROUP is not supported; use LAUNCH"
                yield Asked(task, "REASON_TASK_GROUP_INVALID", fault)


# Refusing -----------------------------------------------------------------------------------------


def _offers_fault(framework: Framework, offer_ids: tuple[str, ...]) -> str | None:
    """Why these offers can't be accepted together (OFR-9)."""
    if not offer_ids:
        return "no offers are named"
    if len(set(offer_ids)) < len(offer_ids):
        return "an offer is named twice"
    for offer_id in offer_ids:
        if offer_id not in framework.offers:
            return f"offer '{offer_id[:80]}' is no longer valid, or not this framework's"
    named = [framework.offers[offer_id] for offer_id in offer_ids]
    if len({offer.role for offer in named}) > 1:
        return "the offers are of different roles"
    if len({offer.agent_id for offer in named}) > 1:
        return "the offers are of different agents"
    return None


def _refuse(
    m: State, framework: Framework, call: scheduler.Accept, asked: list[Asked], fault: str
) -> None:
    """No task is launched; the offers that were good are void, without filter (OFR-10, S20)."""
    m.act("refuse_accept")
    for offer_id in call.offer_ids:
        offer = framework.offers.get(offer_id)
        if offer is not None:
            m.remove_offer(offer)
    state = lost_or(framework, "TASK_DROPPED")
    for task, _, _ in asked:
        tell_status(
            m,
            framework,
            task.task_id,
            state,
            "REASON_INVALID_OFFERS",
            f"Task launched with invalid offers: {fault}",
            agent_id=task.agent_id,
        )


# Accepting ----------------------------------------------------------------------------------------


def _accept(m: State, framework: Framework, call: scheduler.Accept, asked: list[Asked]) -> None:
    """Tasks in order against the pool of all offers (OFR-12…22)."""
    taken = [framework.offers[offer_id] for offer_id in call.offer_ids]
    agent, role = m.agents[taken[0].agent_id], taken[0].role
    pool = _pool(m, taken)
    for task, reason, fault in asked:
        demand = fault or task_fault(m, framework, agent, role, task, pool)
        if isinstance(demand, Demand):
            pool = _launch(m, framework, agent, role, task, demand, pool)
        else:
            _reject(m, framework, task, reason, demand)
    life_us = refuse_us(None if call.filters is None else call.filters.refuse_seconds, m.config)
    m.add_filter(agent, framework, role, pool, life_us)


def _pool(m: State, taken: list[Offer]) -> Resources:
    pool = EMPTY
    for offer in taken:
        m.remove_offer(offer)
        pool = pool + offer.resources
    return pool


def _reject(
    m: State, framework: Framework, task: TaskInfo, reason: StatusReason, fault: str
) -> None:
    """A bad task never exists here; its resources stay in the pool (TSK-9)."""
    tell_status(m, framework, task.task_id, "TASK_ERROR", reason, fault, agent_id=task.agent_id)


def _launch(
    m: State,
    framework: Framework,
    agent: Agent,
    role: str,
    info: TaskInfo,
    demand: Demand,
    pool: Resources,
) -> Resources:
    """Charge the task, and its executor if that is new (OFR-18); tell the agent. The new pool."""
    executor = demand.executor
    if demand.new_executor is not None and executor is not None:
        record = Executor(
            framework.framework_id,
            executor.executor_id,
            agent.agent_id,
            role,
            demand.new_executor,
            executor,
        )
        m.add_executor(agent, framework, record)
        pool = pool - demand.new_executor
    task = Task(
        framework_id=framework.framework_id,
        task_id=info.task_id,
        agent_id=agent.agent_id,
        role=role,
        resources=demand.task,
        executor_id=None if executor is None else executor.executor_id,
        info=info,
    )
    m.add_task(agent, framework, task)
    is_new = executor is None or demand.new_executor is not None
    _tell_agent(m, framework, agent, task, executor, is_new)
    return pool - demand.task


def _tell_agent(
    m: State,
    framework: Framework,
    agent: Agent,
    task: Task,
    executor: ExecutorInfo | None,
    launch_executor: bool,
) -> None:
    frame = frames.RunTask(
        epoch=m.reign,
        framework=framework.info,
        task=task.info,
        role=task.role,
        executor=executor,
        launch_executor=launch_executor,
    )
    m.send(agent.link, frame)
