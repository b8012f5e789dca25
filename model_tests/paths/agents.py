"""Agents along a path: what masters and executors say is the model's.

An agent chooses its own id, its links and the uuids of what it says by itself; they are asked of it
when the path speaks of them.  What it has kept outlives it, as on a disk.  An executor is what the
agent has started last under its name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from mesos_ref import link as frames
from mesos_ref import trace
from mesos_ref.agent import checks, tracing
from mesos_ref.agent.config import AgentConfig
from mesos_ref.agent.core import AgentCore
from mesos_ref.agent.effects import Connect, DestroyExecutor, StartExecutor
from mesos_ref.agent.events import (
    Event,
    ExecutorCall,
    ExecutorExited,
    Frame,
    LeaderSeen,
    Linked,
    LinkEnded,
    Started,
    Tick,
)
from mesos_ref.step import Persist
from mesos_ref.wire import executor as wire
from mesos_ref.wire import json as wire_json
from mesos_ref.wire.v1 import Resource
from mesos_spec.ids import AgentId, ExecutorKey, FrameworkId, LinkId, TaskId
from mesos_spec.messages import Ack
from mesos_spec.resources import Resources
from mesos_spec.state import State
from mesos_spec.tools.search.checker import Taken
from model_tests.paths import wording
from model_tests.paths.players import Counting, Left, Players, Process, message_of, process

#: Names that the agent mints, or that only the specification has.
UNCOMPARED = frozenset({"link", "agent", "minted", "stream", "updates", "tasks", "total"})
#: Steps that empty a channel, and hear nothing of what was in it.
DEAF = frozenset({"drop_link", "turn_to"})


@dataclass
class Agents(Players):
    """The agents of one path."""

    path: Sequence[tuple[State, Taken]] = ()
    at: int = 0  #: how many steps of the path were taken
    kept: dict[AgentId, dict[str, Any]] = field(default_factory=dict)
    lives: dict[AgentId, int] = field(default_factory=dict)
    containers: dict[tuple[AgentId, str, str], str] = field(default_factory=dict)
    dialled: dict[AgentId, str] = field(default_factory=dict)
    destroyed: list[tuple[AgentId, str]] = field(default_factory=list)  #: at the end: no more
    calls: int = 0
    dials: int = 0

    tick: ClassVar[Any] = Tick()

    def follow(self, s: State, step: Taken) -> None:
        """Take the next step of a path, which is taken in `s`.  Raises `Left` and `Parted`."""
        self.at += 1
        if step.action == "crash_agent":
            self.now.pop(step.bound["agent"], None)
        elif step.action == "executor_hears" or "agent" not in step.bound or "epoch" in step.bound:
            if step.action == "turn_to":
                self._agent(s, step.bound["agent"], step)
        elif step.action == "start_agent":
            self._start(s, step.bound["agent"], step)
        elif step.action != "ack":
            self._agent(s, step.bound["agent"], step)

    def _start(self, s: State, agent: AgentId, step: Taken) -> None:
        self.lives[agent] = life = self.lives.get(agent, 0) + 1
        kept = self.kept.setdefault(agent, {})
        ids = trace.RecordedIds(Counting(f"{agent}.{life}"))
        config = AgentConfig(resources=_resources(s.bounds.agents[agent]))
        core = AgentCore(config, ids, dict(kept))
        given = {"config": tracing.config_of(config), "recovered": dict(kept)}
        written = process("agent", agent, life, core, ids, given)
        self.begin(agent, Process(core, *written, f"{agent}.{life}", _violations))
        alive = tuple(sorted(self._alive(s, agent)))
        self.compare(agent, step, self.hear(agent, Started(alive, 0)))

    def _alive(self, s: State, agent: AgentId) -> Iterator[str]:
        """The containers that outlived the agent: of every other life, all that it remembers.

        Else those that the path says did not survive are gone at once, and no timer gives them up.
        """
        lost = set()
        for _, step in self.path[self.at :]:
            if step.action == "crash_agent" and step.bound["agent"] == agent:
                break
            if step.action == "recover_executor" and step.bound["agent"] == agent:
                lost.add((step.bound["framework"], step.bound["executor"]))
        for (where, framework, executor), container in self.containers.items():
            key = ExecutorKey(FrameworkId(framework), executor)
            is_lost = (framework, executor) in lost and self.lives[agent] % 2 == 0
            if where == agent and key in s.runners[agent] and not is_lost:
                yield container

    def _agent(self, s: State, agent: AgentId, step: Taken) -> None:
        if self.is_done(agent, step):
            return
        if step.action == "register":
            self._register(s, agent, step)
        elif (event := self._event(s, agent, step)) is not None:
            self.compare(agent, step, self.hear(agent, event))
        else:
            self.wait(agent, step)

    def _register(self, s: State, agent: AgentId, step: Taken) -> None:
        """The agent is told again who leads, dials after a while, and is linked."""
        epoch = s.agent[agent].epoch
        assert self.hear(agent, LeaderSeen(epoch, f"http://m{epoch}")) == []
        core = self.now[agent].core if agent in self.now else None
        while agent not in self.dialled:
            if core is None or core.next_deadline is None:
                raise Left("it does not dial")
            self.now_us = max(self.now_us, core.next_deadline)
            self.time_passed(agent, step)
            self.dials += agent in self.dialled
            if self.dials % 3 == 1 and agent in self.dialled:  # a dial that fails is nothing yet
                self.dials += 1
                assert self.hear(agent, LinkEnded(self.dialled.pop(agent))) == []
        dialled = self.dialled.pop(agent)
        self.compare(agent, step, self.hear(agent, Linked(dialled)))

    # ---- events ------------------------------------------------------------------------------
    def _event(self, s: State, agent: AgentId, step: Taken) -> Event | None:
        """What a step hears; None: it is a timer's."""
        bound = step.bound
        taken = None if step.action in DEAF else message_of(step, "down")
        if taken is not None:
            return self._frame(s, agent, taken[0][1], taken[1])
        match step.action:
            case "turn_to":
                return LeaderSeen(bound["epoch"], f"http://m{bound['epoch']}")
            case "drop_link":
                return LinkEnded(self._link(s.agent[agent].link))
            case "executor_subscribes":
                self._speak_too_early(agent, bound)
                part = wording.executor_subscribe(bound["updates"], bound["tasks"], agent)
                return self._call("SUBSCRIBE", bound, part)
            case "executor_updates":
                return self._call("UPDATE", bound, wording.executor_update(bound["update"]))
            case "send_up":
                return self._call("MESSAGE", bound, {"data": wording.free(bound["data"].encode())})
            case "executor_ends":
                key = agent, self.names.framework(bound["framework"]), bound["executor"]
                return ExecutorExited(self.containers.get(key, "none"), None)
            case _:
                return None

    def _frame(self, s: State, agent: AgentId, link: LinkId, message: Any) -> Event:
        name = self._link(link)
        me = self.now[agent].core.state.agent_id or agent if agent in self.now else agent
        ack = self._head(s, agent, message) if isinstance(message, Ack) else None
        said = wording.frame_down(message, me, ack, self.names)
        n = self.names.next(f"{name} down")
        body = wire_json.dump({**said, "n": n})
        return Frame(name, n, frames.decode_from_master(body)[1])

    def _link(self, link: LinkId | None) -> str:
        return "none" if link is None else self.names.links.get(link, "none")

    def _head(self, s: State, agent: AgentId, ack: Ack) -> str | None:
        """The real uuid of a task's oldest update, if that is the one the path means."""
        waiting = s.updates[agent].get(ack.task, ())
        if not waiting or waiting[0].uuid != ack.uuid or agent not in self.now:
            return None
        key = f"updates/{self.names.framework(ack.task.framework)}/{ack.task.id}"
        queue = self.now[agent].core.view().get(key)
        return str(queue[0][0]) if queue else None

    def _speak_too_early(self, agent: AgentId, bound: Mapping[str, Any]) -> None:
        """An executor that has not subscribed says something else: it is refused (EXE-1)."""
        known = self.now[agent].core.state.frameworks if agent in self.now else {}
        framework = known.get(self.names.framework(bound["framework"]))
        executor = None if framework is None else framework.executors.get(bound["executor"])
        if executor is not None and executor.stream is None:
            self.overhear(agent, self._call("MESSAGE", bound, {"data": wording.free(b"early")}))

    def _call(self, kind: str, bound: Mapping[str, Any], part: wording.Json) -> Event:
        self.calls += 1
        framework = self.names.framework(bound["framework"])
        said = wording.executor_call(kind, framework, bound["executor"], part)
        return ExecutorCall(
            request=f"request-{self.calls}",
            id=("ext", self.calls),
            framework_id=framework,
            executor_id=bound["executor"],
            call=wire.decode_call(wire_json.dump(said)),
            new_stream=f"stream-{self.calls}",
        )

    # ---- what is done, and its names ---------------------------------------------------------
    def performed(self, by: Any, effect: Any) -> None:
        """What outlives a step: what is kept, who was dialled, which container is whose."""
        match effect:
            case Persist(key=key, value=None):
                self.kept[by].pop(key, None)
            case Persist(key=key, value=value):
                self.kept[by][key] = value
            case Connect(link=link):
                self.dialled[by] = link
            case DestroyExecutor(container=container):
                self.destroyed.append((by, container))
            case StartExecutor(container=container, framework_id=framework, executor_id=executor):
                self.containers[by, framework, executor] = container
            case _:
                pass

    def consequences(self, by: Any) -> tuple[Event, ...]:
        """What was to be destroyed ends."""
        mine = [container for agent, container in self.destroyed if agent == by]
        self.destroyed = [one for one in self.destroyed if one[0] != by]
        return tuple(ExecutorExited(container, 9) for container in dict.fromkeys(mine))

    def unborn(self) -> AgentCore:
        """An agent that was not started."""
        return AgentCore(AgentConfig(), Counting("unborn"), {})

    def is_meant(self, step: Taken, real: Mapping[str, Any]) -> bool:
        """Whether the names of what was done are the path's, as far as those are known."""
        for name, value in step.bound.items():
            if name not in real or name in UNCOMPARED:
                continue
            if name == "framework":
                value = self.names.framework(value)
            elif isinstance(value, TaskId):
                value = value.id
            if value != real[name]:
                return False
        return True

    def learn(self, step: Taken, real: Mapping[str, Any]) -> None:
        """The real name of a link."""
        if step.action == "register":
            self.names.links[step.bound["link"]] = real["link"]
            self.names.said.pop(f"{real['link']} down", None)


def _resources(total: Resources) -> tuple[Resource, ...]:
    """What an agent has, as its configuration names it."""
    return tuple(wire_json.from_builtins(one, Resource) for one in wording.resources(total))


def _violations(core: AgentCore) -> list[str]:
    return checks.violations(core.state)
