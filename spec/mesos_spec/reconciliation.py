"""What is claimed of reconciliation: who asks how his tasks are is answered, and by what is so.

    the master                                     answers (TASK_LOST, if not PARTITION_AWARE)
    knows the task                                 what was last told of it, else how it is  (REC-1)
    lost sight of it with its agent                TASK_UNREACHABLE                          (REC-7)
    does not know it; its agent is registered      TASK_GONE                                 (REC-3)
    does not know it; its agent was given up       TASK_UNREACHABLE                          (REC-4)
    knows neither, and agents may still come       nothing                                   (REC-2)
    knows neither, and none will                   TASK_UNKNOWN                              (REC-6)

A KILL of a task that runs nowhere is answered in the same way (KIL-1).
"""

from __future__ import annotations

from mesos_spec.domains import epochs, frameworks, lines
from mesos_spec.heard import heard_call, served, updates_told
from mesos_spec.ids import AgentId, Epoch, FrameworkId, LineId, TaskId
from mesos_spec.kernel import Always, EachStep, each_step
from mesos_spec.messages import Reconcile, TaskUpdate
from mesos_spec.network import hearer
from mesos_spec.state import Standing, State


# ---- what was said in a step ---------------------------------------------------------------
# ---- who asks -----------------------------------------------------------------------------
@each_step(
    "calls events",
    cites=("REC-1", "REC-2", "REC-3", "REC-4", "REC-6", "REC-7", "L7"),
    line=lines,
)
def who_asks_is_answered(before: State, after: State, line: LineId) -> bool:
    """Each task that a RECONCILE names is answered for once, in order, without a uuid; but for
    those the master does not know, of an agent that it has not met (REC-2)."""
    call, epoch = served(before, after, line), hearer(after, line)
    if not isinstance(call, Reconcile):
        return True
    answers = updates_told(before, after, epoch, call.framework)
    if any(u.reason != "REASON_RECONCILIATION" or u.uuid is not None for u in answers):
        return False
    if not call.tasks:
        return True  # `who_asks_for_all_hears_all`
    owed = [task for task, agent in call.tasks if is_known(before, epoch, task, agent)]
    said = [update.task for update in answers]
    return said in (owed, [task for task, _ in call.tasks])


@each_step("calls events", at="calls", cites=("REC-8",), line=lines)
def who_asks_for_all_hears_all(before: State, after: State, line: LineId) -> bool:
    """A RECONCILE that names nothing is answered for each task on agents that are not given up."""
    call, epoch = served(before, after, line), hearer(after, line)
    if not isinstance(call, Reconcile) or call.tasks:
        return True
    mine = [
        task
        for agent in before.met_agents[epoch]
        for task in before.tasks[epoch, agent]
        if task.framework == call.framework
    ]
    answers = updates_told(before, after, epoch, call.framework)
    return sorted(mine) == [update.task for update in answers]


@each_step("calls", at="calls", cites=("REC-11",), line=lines)
def asking_changes_nothing(before: State, after: State, line: LineId) -> bool:
    """Whoever asks how tasks are changes nothing by it (REC-11)."""
    call, epoch = heard_call(before, after, line), hearer(after, line)
    if not isinstance(call, Reconcile):
        return True
    where = [(epoch, agent) for agent in before.met_agents[epoch]]
    return before.frameworks[epoch, call.framework] == after.frameworks[
        epoch, call.framework
    ] and all(
        before.tasks[w] == after.tasks[w]
        and before.unreachable[w] == after.unreachable[w]
        and before.offers[w] == after.offers[w]
        for w in where
    )


@each_step(
    "events",
    cites=("REC-1", "REC-2", "REC-3", "REC-4", "REC-6", "REC-7", "KIL-1"),
    epoch=epochs,
    framework=frameworks,
)
def answers_say_what_is_so(
    before: State, after: State, epoch: Epoch, framework: FrameworkId
) -> bool:
    """What is said by reconciliation is what the table above says (REC-1 to REC-7)."""
    for said in updates_told(before, after, epoch, framework):
        if said.source == "SOURCE_MASTER" and said.reason == "REASON_RECONCILIATION":
            allowed = how_it_is(before, epoch, said)
            aware = before.frameworks[epoch, framework].partition_aware
            if said.state not in (allowed if aware or is_report(before, epoch, said) else LOST):
                return False
    return True


LOST = frozenset({"TASK_LOST"})


def is_report(s: State, epoch: Epoch, said: TaskUpdate) -> bool:
    """Whether an answer is of a task that the master knows, on an agent that is not given up."""
    home = s.home[epoch, said.task]
    return home is not None and said.task in s.tasks[epoch, home]


def how_it_is(s: State, epoch: Epoch, said: TaskUpdate) -> frozenset[str]:
    """What may be answered of a task to who can tell it from TASK_LOST."""
    home = s.home[epoch, said.task]
    if home is not None and said.task in s.tasks[epoch, home]:
        record = s.tasks[epoch, home][said.task]
        return frozenset({record.state if record.told is None else record.told})
    if home is not None:
        return frozenset({"TASK_UNREACHABLE"})
    if said.agent is None:
        return frozenset({"TASK_UNKNOWN"})
    match s.agents[epoch, said.agent].standing:
        case Standing.UNREACHABLE:
            return frozenset({"TASK_UNREACHABLE"})
        case Standing.UNKNOWN:
            return frozenset({"TASK_UNKNOWN"})
        case _:
            return frozenset({"TASK_GONE"})


def is_met(s: State, epoch: Epoch, agent: AgentId | None) -> bool:
    """Whether a master has anything to say of an agent."""
    return agent is not None and s.agents[epoch, agent].standing != Standing.UNKNOWN


def is_known(s: State, epoch: Epoch, task: TaskId, agent: AgentId | None) -> bool:
    """Whether a master must have an answer for a task that is said to be on an agent."""
    return s.home[epoch, task] is not None or is_met(s, epoch, agent)


ALWAYS = tuple(claim for claim in list(vars().values()) if isinstance(claim, Always))
EACH_STEP = tuple(claim for claim in list(vars().values()) if isinstance(claim, EachStep))
