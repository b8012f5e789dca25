"""What masters owe: each call and frame that is meant for them has its whole effect.

The actions say what a master does; a claim here says what must have come of it, in the state after
and in what was sent, so that an effect that was left out is missed.
"""

from __future__ import annotations

from mesos_spec.domains import agents, epochs, frameworks, lines
from mesos_spec.heard import heard_call, heard_up, news, sent_down, served
from mesos_spec.ids import AgentId, Epoch, ExecutorKey, FrameworkId, LineId, TaskId
from mesos_spec.kernel import Always, EachStep, always, each_step
from mesos_spec.messages import (
    Acknowledge,
    EndExecutor,
    Error,
    Exited,
    FrameDown,
    FromExecutor,
    Kill,
    Message,
    Register,
    Revive,
    SendMessage,
    ShutdownExecutor,
    ShutdownFramework,
    Subscribe,
    Subscribed,
    Suppress,
    Teardown,
    ToExecutor,
    Update,
)
from mesos_spec.network import NO_STREAM, hearer, is_connected
from mesos_spec.properties import sent
from mesos_spec.state import Reign, Standing, State, is_terminal

# ---- tasks asked for -----------------------------------------------------------------------


# ---- other calls ---------------------------------------------------------------------------
@each_step("calls", at="calls", cites=("FLT-5", "FLT-7", "FLT-8", "FLT-9"), line=lines)
def roles_are_revived_and_suppressed(before: State, after: State, line: LineId) -> bool:
    """REVIVE ends all refusing and suppressing in its roles; SUPPRESS suppresses them (FLT-8)."""
    call, epoch = served(before, after, line), hearer(after, line)
    if not isinstance(call, Revive | Suppress):
        return True
    record = after.frameworks[epoch, call.framework]
    named = set(call.roles or record.roles)
    if not named <= set(record.roles):
        return record == before.frameworks[epoch, call.framework]
    if isinstance(call, Suppress):
        return named <= set(record.suppressed)
    refused = {role for _, role in after.filters[epoch, call.framework]}
    return named.isdisjoint(record.suppressed) and named.isdisjoint(refused)


@each_step("filters", cites=("FLT-4", "FLT-5"), epoch=epochs, framework=frameworks)
def filters_end_one_by_one(
    before: State, after: State, epoch: Epoch, framework: FrameworkId
) -> bool:
    """What a framework refuses is forgotten one by one, unless it calls, or somebody goes."""
    old, new = before.filters[epoch, framework], after.filters[epoch, framework]
    called = any(before.calls.differs(after.calls, line) for line in lines(before))
    stays = before.frameworks[epoch, framework] == after.frameworks[epoch, framework]
    away = {a for a, _ in old if before.agents.differs(after.agents, (epoch, a))}
    gone = sum(len(refused) - len(new.get(key, ())) for key, refused in old.items())
    return called or not stays or bool(away) or gone <= 1


@each_step("calls", at="calls", cites=("UPD-10",), line=lines)
def an_ended_task_is_forgotten_when_seen(before: State, after: State, line: LineId) -> bool:
    """When its end is acknowledged, a master knows a task no more (UPD-10)."""
    call, epoch = served(before, after, line), hearer(after, line)
    if not isinstance(call, Acknowledge) or not is_connected(before, epoch, call.agent):
        return True
    known = before.tasks[epoch, call.agent].get(call.task, None)
    seen = known is not None and is_terminal(known.told) and known.uuid == call.uuid
    return not seen or call.task not in after.tasks[epoch, call.agent]


@each_step("calls", at="calls", cites=("KIL-8", "KIL-9"), line=lines)
def executors_are_reached(before: State, after: State, line: LineId) -> bool:
    """What is meant for an executor goes to its agent, if that is connected (KIL-8, KIL-9)."""
    call, epoch = served(before, after, line), hearer(after, line)
    if not isinstance(call, EndExecutor | SendMessage):
        return True
    if not is_connected(before, epoch, call.agent):
        return True
    key = ExecutorKey(call.framework, call.executor)
    said = sent_down(before, after, epoch, call.agent)
    if isinstance(call, EndExecutor):
        return said == (ShutdownExecutor(epoch, key),)
    return said == (ToExecutor(epoch, key, call.data),)


# ---- who comes and goes --------------------------------------------------------------------


@each_step("calls", at="calls", cites=("FWK-15",), line=lines)
def who_is_done_is_removed(before: State, after: State, line: LineId) -> bool:
    """A framework that says it is done is removed (FWK-15)."""
    call, epoch = served(before, after, line), hearer(after, line)
    if not isinstance(call, Teardown):
        return True
    return after.frameworks[epoch, call.framework].standing == Standing.REMOVED


def has_nothing_offered(s: State, epoch: Epoch, framework: FrameworkId) -> bool:
    """Whether a framework has no offers, and refuses nothing."""
    made = (o for agent in s.met_agents[epoch] for o in s.offers[epoch, agent].values())
    return not s.filters[epoch, framework] and all(o.framework != framework for o in made)


@each_step(
    "frameworks", cites=("FWK-3", "FWK-12", "OFR-6", "FLT-10"), epoch=epochs, framework=frameworks
)
def a_new_stream_starts_empty(
    before: State, after: State, epoch: Epoch, framework: FrameworkId
) -> bool:
    """A framework that subscribes, or goes, has no offers and no filters; and who listened for it
    before hears an ERROR (FWK-3, OFR-6)."""
    was, now = before.frameworks[epoch, framework], after.frameworks[epoch, framework]
    if was.stream == now.stream or after.reign[epoch] != Reign.LEADING:
        return True
    old = was.stream if now.stream is not None else None
    warned = old is None or Error() in sent(before.events, after.events, old)
    made = (o for agent in after.met_agents[epoch] for o in after.offers[epoch, agent].values())
    nothing = not after.filters[epoch, framework] and all(o.framework != framework for o in made)
    return warned and nothing


@each_step("calls", at="calls", cites=("FWK-1", "FWK-4"), line=lines)
def who_subscribes_is_what_it_says(before: State, after: State, line: LineId) -> bool:
    """A framework is connected in the roles that it last named, and wants offers in all but those
    that it suppressed (FWK-4)."""
    asked, epoch = heard_call(before, after, line), hearer(after, line)
    stream = after.answer[line] or NO_STREAM
    said = sent(before.events, after.events, stream)
    if not isinstance(asked, Subscribe) or said == (Error(),):
        return True
    if not asked.usable:
        return False
    if len(said) != 1 or not isinstance(said[0], Subscribed):
        return False
    now = after.frameworks[epoch, said[0].framework]
    declared = (Standing.CONNECTED, stream, asked.info.roles, asked.suppressed)
    return (now.standing, now.stream, now.roles, now.suppressed) == declared


@each_step("agents", cites=("PRT-2", "FLT-5"), epoch=epochs, agent=agents)
def a_lost_agent_is_kept_in_mind(before: State, after: State, epoch: Epoch, agent: AgentId) -> bool:
    """When an agent is given up, its tasks are kept aside, and what was refused of it is not
    (PRT-2, FLT-5)."""
    was, now = before.agents[epoch, agent].standing, after.agents[epoch, agent].standing
    if was == now or now != Standing.UNREACHABLE:
        return True
    kept = {*before.tasks[epoch, agent], *before.unreachable[epoch, agent]}
    met = after.met_frameworks[epoch]
    refused = {where for one in met for where, _ in after.filters[epoch, one]}
    return {*after.unreachable[epoch, agent]} == kept and agent not in refused


@each_step("agents", cites=("AGT-11",), epoch=epochs, agent=agents)
def a_lost_link_is_silent(before: State, after: State, epoch: Epoch, agent: AgentId) -> bool:
    """Of what was in flight on a link that a master has lost, it hears nothing more (AGT-11)."""
    was, now = before.agents[epoch, agent].link, after.agents[epoch, agent].link
    left = was is not None and now is None and after.reign[epoch] == Reign.LEADING
    return not left or was is None or not after.up[was]


@each_step("up", cites=("AGT-9", "KIL-3", "FWK-18", "S7"), epoch=epochs, agent=agents)
def who_registers_is_taken_at_its_word(
    before: State, after: State, epoch: Epoch, agent: AgentId
) -> bool:
    """What an admitted agent runs is known, or is told to end; nothing else runs there (AGT-9)."""
    asked = heard_up(before, after, epoch, agent)
    if not isinstance(asked, Register) or not is_connected(after, epoch, agent):
        return True
    said = sent_down(before, after, epoch, agent)
    executors = {*after.executors[epoch, agent]} <= {*asked.executors}
    return executors and all(is_accounted_for(after, epoch, agent, t, said) for t in asked.tasks)


def is_accounted_for(
    after: State, epoch: Epoch, agent: AgentId, task: TaskId, said: tuple[FrameDown, ...]
) -> bool:
    """Whether a task that an agent reports is known there, or told to end."""
    known = after.tasks[epoch, agent].get(task, None)
    if known is not None:
        doomed = known.killed and not is_terminal(known.state)
        return not doomed or Kill(epoch, task) in said
    return Kill(epoch, task) in said or ShutdownFramework(epoch, task.framework) in said


# ---- what agents say -----------------------------------------------------------------------
@each_step("up", cites=("UPD-7", "UPD-8"), epoch=epochs, agent=agents)
def an_update_is_noted(before: State, after: State, epoch: Epoch, agent: AgentId) -> bool:
    """A master notes of a task what was told last and its latest state, an end for good (UPD-7)."""
    heard = heard_up(before, after, epoch, agent)
    was = before.tasks[epoch, agent].get(heard.task, None) if isinstance(heard, Update) else None
    if not isinstance(heard, Update) or was is None:
        return True
    now = after.tasks[epoch, agent].get(heard.task, None)
    state = was.state if is_terminal(was.state) else heard.latest
    noted = (state, heard.status.state, heard.status.uuid)
    return now is not None and (now.state, now.told, now.uuid) == noted


@each_step("up", cites=("EXE-6", "KIL-9"), epoch=epochs, agent=agents)
def executors_are_heard(before: State, after: State, epoch: Epoch, agent: AgentId) -> bool:
    """An executor that ended is known no more; what it says reaches its framework (KIL-9)."""
    heard = heard_up(before, after, epoch, agent)
    if isinstance(heard, Exited):
        return heard.executor not in after.executors[epoch, agent]
    if isinstance(heard, FromExecutor):
        framework, executor = heard.executor
        passed = (Message(agent, executor, heard.data),)
        return news(before, after, epoch, framework) in (None, passed)
    return True


@always(cites=("FWK-19", "AGT-9"), epoch=epochs, agent=agents)
def masters_know_whose_work_they_know(s: State, epoch: Epoch, agent: AgentId) -> bool:
    """Of each task and executor that a master knows, it knows the framework (FWK-19)."""
    known = (*s.tasks[epoch, agent], *s.unreachable[epoch, agent], *s.executors[epoch, agent])
    return all(one.framework in s.met_frameworks[epoch] for one in known)


ALWAYS = tuple(claim for claim in list(vars().values()) if isinstance(claim, Always))
EACH_STEP = tuple(claim for claim in list(vars().values()) if isinstance(claim, EachStep))
