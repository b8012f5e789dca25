"""Tasks under way: updates, acknowledgements, kills; executors, and messages to and from them."""

from mesos_ref import link as frames
from mesos_ref.master import reconcile
from mesos_ref.master.state import Agent, Framework, State
from mesos_ref.master.statuses import tell_update
from mesos_ref.wire import scheduler
from mesos_ref.wire.v1 import TERMINAL_STATES

# Updates and acknowledgements ---------------------------------------------------------------------


def forward(m: State, agent: Agent, update: frames.Update) -> None:
    """An agent reports a status: note it, and pass it on (UPD-7, UPD-8, S8)."""
    m.act("forward", agent=agent.agent_id)
    framework = m.frameworks.get(update.framework_id)
    if framework is None:
        return
    status = update.status
    task = agent.tasks.get((update.framework_id, status.task_id))
    if task is not None:
        m.turn_task(agent, task, update.latest_state)
        task.told, task.uuid, task.last_status = status.state, status.uuid, status
        m.mark("tasks", *task.key)
    tell_update(m, framework, status)


def acknowledge(m: State, framework: Framework, call: scheduler.Acknowledge) -> None:
    """A framework has seen an update: the agent may go on; an ended task is forgotten (UPD-10)."""
    agent = m.agents.get(call.agent_id)
    if agent is None or agent.link is None:
        m.act("drop_acknowledgement")
        return
    task = agent.tasks.get((framework.framework_id, call.task_id))
    if task is not None and task.uuid is None:
        m.act("drop_acknowledgement")
        return
    m.act("acknowledge")
    if task is not None and task.uuid == call.uuid and task.told in TERMINAL_STATES:
        m.remove_task(agent, framework, task)
    ack = frames.Ack(
        epoch=m.reign,
        framework_id=framework.framework_id,
        task_id=call.task_id,
        uuid=call.uuid,
    )
    m.send(agent.link, ack)


# Kills --------------------------------------------------------------------------------------------


def kill(m: State, framework: Framework, call: scheduler.Kill) -> None:
    """Kill a task; one the master does not know is answered as reconciliation (KIL-1…3)."""
    task = framework.tasks.get(call.task_id)
    if task is None:
        m.act("answer_kill", settled=reconcile.is_settled(m))
        reconcile.answer(m, framework, call.task_id, call.agent_id)
        return
    m.act("kill")
    if call.agent_id not in (None, task.agent_id):
        return
    task.killed = True
    m.mark("tasks", *task.key)
    frame = frames.Kill(
        epoch=m.reign,
        framework_id=framework.framework_id,
        task_id=task.task_id,
        kill_policy=call.kill_policy,
    )
    m.send(m.agents[task.agent_id].link, frame)


# Executors and messages ---------------------------------------------------------------------------


def lose_executor(m: State, agent: Agent, exited: frames.Exited) -> bool:
    """A custom executor has ended; its tasks wait for their updates (EXE-6). False: unknown."""
    executor = agent.executors.get((exited.framework_id, exited.executor_id))
    if executor is None:
        return False
    m.act("lose_executor", agent=agent.agent_id)
    m.remove_executor(agent, executor)
    failure = scheduler.Failure(
        agent_id=agent.agent_id,
        executor_id=exited.executor_id,
        status=-1 if exited.status is None else exited.status,
    )
    framework = m.frameworks[exited.framework_id]
    m.tell(framework, scheduler.Event(type="FAILURE", failure=failure))
    return True


def shut_executor(m: State, framework: Framework, call: scheduler.Shutdown) -> None:
    """A framework wants an executor ended; the agent sees to it, if it is connected (KIL-8)."""
    m.act("shut_executor")
    frame = frames.ShutdownExecutor(
        epoch=m.reign, framework_id=framework.framework_id, executor_id=call.executor_id
    )
    m.send(_link_to(m, call.agent_id), frame)


def pass_message(m: State, framework: Framework, call: scheduler.Message) -> None:
    """Free bytes on their way down, at most once (KIL-9)."""
    m.act("pass_message")
    frame = frames.Message(
        epoch=m.reign,
        framework_id=framework.framework_id,
        executor_id=call.executor_id,
        data=call.data,
    )
    m.send(_link_to(m, call.agent_id), frame)


def pass_up(m: State, agent: Agent, message: frames.Message) -> None:
    """Free bytes on their way up, at most once (KIL-9)."""
    m.act("pass_up", agent=agent.agent_id)
    framework = m.frameworks.get(message.framework_id)
    if framework is not None:
        part = scheduler.Message(
            agent_id=agent.agent_id, executor_id=message.executor_id, data=message.data
        )
        m.tell(framework, scheduler.Event(type="MESSAGE", message=part))


def _link_to(m: State, agent_id: str) -> str | None:
    agent = m.agents.get(agent_id)
    return None if agent is None else agent.link
