"""What agents owe: each order that is meant for them has its whole effect, and executors theirs.

As in `promises_of_masters`: a claim says what must have come of what was heard.
"""

from __future__ import annotations

from mesos_spec.domains import agents
from mesos_spec.heard import heard_down, order, sent_up, told
from mesos_spec.ids import AgentId, ExecutorKey, TaskId
from mesos_spec.kernel import Always, EachStep, each_step
from mesos_spec.messages import (
    Ack,
    Acknowledged,
    Deliver,
    ExecutorSubscribed,
    Exited,
    Kill,
    LaunchTask,
    Ping,
    Pong,
    Register,
    Registered,
    RunTask,
    Shutdown,
    ShutdownExecutor,
    ShutdownFramework,
    StopExecutor,
    StopTask,
    ToExecutor,
    ToldExecutor,
    Update,
    UpdateFramework,
)
from mesos_spec.network import own_link
from mesos_spec.properties import sent
from mesos_spec.queues import knows, lost_to
from mesos_spec.runs import can_run, executor_for
from mesos_spec.state import Phase, Run, State, is_terminal


# ---- what was said of tasks ----------------------------------------------------------------
def last_state(s: State, agent: AgentId, task: TaskId) -> str | None:
    """The state that an agent's last update of a task says; None if none waits."""
    queue = s.updates[agent].get(task, ())
    return queue[-1].state if queue else None


def ends_as(before: State, after: State, agent: AgentId, task: TaskId, state: str) -> bool:
    """Whether an agent's last word on a task became `state` in this step; a framework that can't
    tell hears TASK_LOST."""
    said = last_state(after, agent, task)
    return said == lost_to(before, agent, task.framework, state) or said == state


def updated(before: State, after: State, agent: AgentId) -> set[TaskId]:
    """The tasks of which an agent sent an update."""
    return {frame.task for frame in sent_up(before, after, agent) if isinstance(frame, Update)}


def hears(
    before: State, after: State, agent: AgentId, key: ExecutorKey, event: ToldExecutor
) -> bool:
    """Whether an executor was told so, if it ever opened a stream."""
    runner = before.runners[agent].get(key, None)
    deaf = runner is None or runner.stream is None
    return deaf or event in told(before, after, agent, key)


# ---- orders --------------------------------------------------------------------------------
@each_step("down", cites=("UPD-17", "RCV-9", "AGT-9"), agent=agents)
def a_registered_agent_speaks_up(before: State, after: State, agent: AgentId) -> bool:
    """An agent that hears it is registered sends what waits, and answers for what it is asked
    about and does not have (UPD-17, AGT-9)."""
    heard = heard_down(before, after, agent)
    if not isinstance(heard, Registered):
        return True
    me = after.agent[agent]
    lacking = [task for task in heard.reconcile if not knows(before, agent, task)]
    return (
        me.registered
        and me.epoch == heard.epoch
        and {*before.updates[agent], *lacking} <= updated(before, after, agent)
        and all(ends_as(before, after, agent, task, "TASK_DROPPED") for task in lacking)
    )


@each_step("down", cites=("AGT-8",), agent=agents)
def a_ping_is_answered(before: State, after: State, agent: AgentId) -> bool:
    """An agent that is asked whether it is there says so (AGT-8)."""
    heard = heard_down(before, after, agent)
    return not isinstance(heard, Ping) or Pong(before.agent[agent].epoch) in sent_up(
        before, after, agent
    )


@each_step("down", cites=("LCH-2", "LCH-3", "LCH-5"), agent=agents)
def a_task_is_run_or_refused(before: State, after: State, agent: AgentId) -> bool:
    """A task that was sent is given to its executor or waits for it; one that can't run is DROPPED,
    and its framework will hear so (LCH-3, LCH-5)."""
    heard = order(before, after, agent)
    if not isinstance(heard, RunTask) or knows(before, agent, heard.task):
        return True
    if not can_run(before, agent, heard):
        hosted = heard.task.framework in after.hosted[agent]
        return hosted and ends_as(after, after, agent, heard.task, "TASK_DROPPED")
    run = after.runs[agent].get(heard.task, None)
    key = executor_for(heard)
    runner = after.runners[agent].get(key, None)
    if run is None or runner is None or heard.task.framework not in after.hosted[agent]:
        return False
    if runner.phase != Phase.RUNNING:
        return run.phase == Phase.QUEUED
    return run.phase == Phase.LAUNCHED and LaunchTask(heard.task) in told(before, after, agent, key)


@each_step("down", cites=("KIL-4", "KIL-5", "KIL-6"), agent=agents)
def a_kill_reaches_its_task(before: State, after: State, agent: AgentId) -> bool:
    """A task to be killed that runs: its executor is told; that waits: it is KILLED; that is not
    there: it is DROPPED (KIL-4, KIL-5, KIL-6)."""
    heard = order(before, after, agent)
    if not isinstance(heard, Kill):
        return True
    task, run = heard.task, before.runs[agent].get(heard.task, None)
    if run is None:
        unheard = task.framework in before.hosted[agent] and not knows(before, agent, task)
        return not unheard or ends_as(before, after, agent, task, "TASK_DROPPED")
    if run.phase == Phase.ENDED:
        return True
    key = ExecutorKey(task.framework, run.executor)
    now = after.runs[agent].get(task, None)
    if now is None or not now.killed:
        return False
    if run.phase == Phase.QUEUED:
        return ends_as(before, after, agent, task, "TASK_KILLED")
    return hears(before, after, agent, key, StopTask(task))


@each_step("down", cites=("UPD-2", "UPD-4", "UPD-5"), agent=agents)
def the_next_update_follows(before: State, after: State, agent: AgentId) -> bool:
    """When its oldest update is acknowledged, the next one of the task is sent; when its end is,
    the agent forgets the task (UPD-4, UPD-5)."""
    heard = order(before, after, agent)
    queue = before.updates[agent].get(heard.task, ()) if isinstance(heard, Ack) else ()
    if not isinstance(heard, Ack) or not queue or queue[0].uuid != heard.uuid:
        return True
    if is_terminal(queue[0].state):
        return not knows(after, agent, heard.task)
    left = after.updates[agent].get(heard.task, ())
    return left == queue[1:] and (not left or heard.task in updated(before, after, agent))


@each_step("down", cites=("KIL-8", "KIL-9", "FWK-15"), agent=agents)
def executors_are_told(before: State, after: State, agent: AgentId) -> bool:
    """Orders to end an executor, alone or with its framework, and messages for it, get through
    (KIL-8, KIL-9, FWK-15)."""
    heard = order(before, after, agent)
    if isinstance(heard, ToExecutor):
        runner = before.runners[agent].get(heard.executor, None)
        there = runner is not None and runner.phase == Phase.RUNNING
        return not there or Deliver(heard.data) in told(before, after, agent, heard.executor)
    if isinstance(heard, ShutdownExecutor):
        return is_ending(before, after, agent, heard.executor)
    if isinstance(heard, ShutdownFramework):
        mine = [key for key in before.runners[agent] if key.framework == heard.framework]
        tasks = (*after.runs[agent], *after.updates[agent])
        gone = all(task.framework != heard.framework for task in tasks)
        return gone and all(
            is_ending(before, after, agent, key) and after.runners[agent][key].disowned
            for key in mine
        )
    return True


def is_ending(before: State, after: State, agent: AgentId, key: ExecutorKey) -> bool:
    """Whether an executor is to end, and knows it if it runs."""
    was, now = before.runners[agent].get(key, None), after.runners[agent].get(key, None)
    if was is None or now is None:
        return True
    asked = was.phase != Phase.RUNNING or StopExecutor() in told(before, after, agent, key)
    return now.phase == Phase.TERMINATING and asked


@each_step("down", cites=("UPD-9",), agent=agents)
def who_is_back_is_told_at_once(before: State, after: State, agent: AgentId) -> bool:
    """When its framework has subscribed again, what waits for it is sent (UPD-9)."""
    heard = order(before, after, agent)
    if not isinstance(heard, UpdateFramework):
        return True
    waits = {t for t in before.updates[agent] if t.framework == heard.framework}
    known = after.hosted[agent].get(heard.framework, heard.info)
    return waits <= updated(before, after, agent) and known == heard.info


@each_step("agent", cites=("AGT-1",), agent=agents)
def who_is_shut_out_ends(before: State, after: State, agent: AgentId) -> bool:
    """An agent that may not join ends, and its executors with it (AGT-1)."""
    if after.agent[agent].up or not before.agent[agent].up:
        return True
    link = own_link(before, agent)
    old = before.down[link].mail
    heard = old[0] if old and not after.down[link] else None
    if not isinstance(heard, Shutdown):
        return True
    runners = before.runners[agent]
    return all(is_ending(before, after, agent, key) for key in runners)


# ---- executors -----------------------------------------------------------------------------
@each_step("runners", cites=("EXE-2", "EXE-3", "LCH-5", "LCH-10", "KIL-5"), agent=agents)
def who_subscribes_is_given_its_work(before: State, after: State, agent: AgentId) -> bool:
    """An executor that subscribes hears so; then what waits for it, what it is to kill, or that it
    is not needed any more (EXE-2, LCH-10)."""
    for key, now in after.runners[agent].items():
        was = before.runners[agent].get(key, None)
        events = told(before, after, agent, key)
        if was is None or now.stream is None or ExecutorSubscribed() not in events:
            if was is not None and now.stream is not None and now.stream != was.stream:
                return False
            continue
        given = [task for task in was.queue if LaunchTask(task) in events]
        wanted = bool(was.queue) or was.used
        ends = was.phase == Phase.TERMINATING or not wanted
        if now.away or ends != (StopExecutor() in events):
            return False
        if ends != (now.phase == Phase.TERMINATING):
            return False
        ready = given == [*was.queue] and kills_are_repeated(after, agent, key, events)
        if not ends and not ready:
            return False
    return True


def kills_are_repeated(
    after: State, agent: AgentId, key: ExecutorKey, events: tuple[ToldExecutor, ...]
) -> bool:
    """Whether an executor was told of each task that it has and is to kill."""
    new = {event.task for event in events if isinstance(event, LaunchTask)}
    doomed = [task for task, run in runs_of(after, agent, key) if run.killed and task not in new]
    return all(StopTask(task) in events for task in doomed)


def runs_of(s: State, agent: AgentId, key: ExecutorKey) -> list[tuple[TaskId, Run]]:
    """The tasks that an executor was given and has not ended."""
    return [
        (task, run)
        for task, run in s.runs[agent].items()
        if run.phase == Phase.LAUNCHED and ExecutorKey(task.framework, run.executor) == key
    ]


@each_step("updates", cites=("UPD-1", "UPD-3", "UPD-14"), agent=agents)
def what_executors_say_is_kept(before: State, after: State, agent: AgentId) -> bool:
    """An executor's update is acknowledged to it, noted as seen, and the task's state (UPD-3)."""
    for task, run in after.runs[agent].items():
        queue, old = after.updates[agent].get(task, ()), before.updates[agent].get(task, ())
        new = [u for u in queue[len(old) :] if u.source == "SOURCE_EXECUTOR"]
        if not new or queue[: len(old)] != old:
            continue
        events = told(before, after, agent, ExecutorKey(task.framework, run.executor))
        kept = all(u.uuid in run.seen and Acknowledged(task, u.uuid) in events for u in new)
        if not kept or run.state != queue[-1].state:
            return False
    return True


@each_step("runners", cites=("EXE-5", "EXE-7", "RCV-3"), agent=agents)
def who_ends_takes_its_tasks_along(before: State, after: State, agent: AgentId) -> bool:
    """Of each task that an ended executor had, the agent has a last word; and of a custom one the
    master hears, if the agent listens to it (EXE-5, EXE-7)."""
    if not (before.agent[agent].up and after.agent[agent].up):
        return True
    for key, was in before.runners[agent].items():
        if key in after.runners[agent]:
            continue
        had = [*was.queue, *(task for task, _ in runs_of(before, agent, key))]
        if any(not is_terminal(last_state(after, agent, task)) for task in had):
            return False
        frames = sent_up(before, after, agent)
        said = any(isinstance(frame, Exited) and frame.executor == key for frame in frames)
        if said != (before.agent[agent].registered and not was.command):
            return False
    return True


# ---- processes -----------------------------------------------------------------------------
@each_step("agent", cites=("RCV-1", "RCV-2"), agent=agents)
def who_starts_waits_for_its_executors(before: State, after: State, agent: AgentId) -> bool:
    """An agent starts unregistered, and all its executors have yet to come back; those that were to
    end still are (RCV-1, RCV-2)."""
    if before.agent[agent].up or not after.agent[agent].up:
        return True
    runners = after.runners[agent]
    ending = [k for k, one in before.runners[agent].items() if one.phase == Phase.TERMINATING]
    away = all(one.away and one.stream is None for one in runners.values())
    still = all(runners[key].phase == Phase.TERMINATING for key in ending if key in runners)
    return away and still and not after.agent[agent].registered


@each_step("agent", cites=("AGT-2", "AGT-10"), agent=agents)
def a_link_begins_and_ends_clean(before: State, after: State, agent: AgentId) -> bool:
    """On a new link an agent says who it is; of one that it has left it hears nothing (AGT-10)."""
    was, now = before.agent[agent].link, after.agent[agent].link
    if was == now:
        return True
    left = was is None or not after.down[was]
    new = sent(before.up, after.up, now) if now is not None else ()
    return left and (now is None or any(isinstance(frame, Register) for frame in new))


ALWAYS = tuple(claim for claim in list(vars().values()) if isinstance(claim, Always))
EACH_STEP = tuple(claim for claim in list(vars().values()) if isinstance(claim, EachStep))
