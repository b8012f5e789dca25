"""Masters along a path: one for each reign.  What agents and schedulers say is the model's.

While time passes, agents answer their pings, but the one that the path has given up next.  Free
resources are offered at the next tick, as soon as there are any, and all of them: an offer that the
path has later was made ahead, one of a part of them is never made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from mesos_ref import link as frames
from mesos_ref import trace
from mesos_ref.master import tracing
from mesos_ref.master.config import MasterConfig
from mesos_ref.master.core import MasterCore, violations
from mesos_ref.master.events import (
    Call,
    Deposed,
    Elected,
    Event,
    Frame,
    LinkEnded,
    OperatorTeardown,
    StreamEnded,
    Tick,
)
from mesos_ref.wire import json as wire_json
from mesos_ref.wire import scheduler
from mesos_ref.wire.v1 import Address, MasterInfo
from mesos_spec.ids import AgentId, FrameworkId, LineId, LinkId
from mesos_spec.kernel.cells import Cell
from mesos_spec.state import State
from mesos_spec.tools.search.checker import Taken
from model_tests.paths import wording
from model_tests.paths.players import Counting, Done, Left, Players, Process, message_of, process

SECOND_US = 1_000_000

#: Steps of others that speak of an epoch, too.
OTHERS = frozenset({"turn_to", "turn_scheduler_to"})
#: Steps that empty a channel, and hear nothing of what was in it.
DEAF = frozenset({"lose_agent", "mark_unreachable", "end_reign", "lose_framework"})
#: Names that are learned, or that only the specification has.
UNCOMPARED = frozenset({"stream", "offer", "link", "resources", "full"})


@dataclass
class Masters(Players):
    """The masters of one path."""

    config: MasterConfig = field(default_factory=MasterConfig)
    links: dict[AgentId, tuple[int, LinkId]] = field(default_factory=dict)  #: as registered

    tick: ClassVar[Any] = Tick()
    prompt: ClassVar[frozenset[str]] = frozenset({"offer"})

    def follow(self, s: State, step: Taken) -> None:
        """Take the next step of a path, which is taken in `s`.  Raises `Left` and `Parted`."""
        names, bound = self.names, step.bound
        if step.action == "register":
            names.links[bound["link"]] = names.fresh(f"link-{bound['link'].agent}")
        elif step.action == "ask_to_subscribe" or (
            step.action == "foreign_call" and bound["line"] not in names.lines
        ):
            names.lines[bound["line"]] = names.fresh(f"line-{bound['line'].scheduler}")
        elif step.action == "lead":
            self._lead(bound["epoch"], step)
        elif "epoch" in bound and step.action not in OTHERS:
            self._master(s, bound["epoch"], step)

    def _lead(self, epoch: int, step: Taken) -> None:
        name = f"m{epoch}"
        ids = trace.RecordedIds(Counting(name))
        core = MasterCore(self.config, ids, ids.uuid())
        given = {"config": tracing.config_of(self.config, core.state.node_id)}
        self.begin(
            epoch, Process(core, *process("master", name, 1, core, ids, given), name, violations)
        )
        address = Address(hostname=name, ip="127.0.0.1", port=5050)
        info = MasterInfo(id=name, ip=0, port=5050, hostname=name, address=address)
        self.compare(epoch, step, self.hear(epoch, Elected(epoch, info)))

    def _master(self, s: State, epoch: int, step: Taken) -> None:
        self._settle(epoch, step)
        taken = None if step.action in DEAF else message_of(step, "up", "calls")
        if taken is not None:
            self.compare(epoch, step, self.hear(epoch, self._said(*taken)))
            if step.action == "admit":
                self.links[taken[0][1].agent] = epoch, taken[0][1]
        elif (event := self._event(s, epoch, step)) is not None:
            self.compare(epoch, step, self.hear(epoch, event))
        else:
            self.wait(epoch, step)

    def _settle(self, epoch: int, step: Taken) -> None:
        """Agents of before have had their time, if the path says so."""
        settled = step.bound.get("settled")
        if settled is None or epoch not in self.now:
            return
        elected_us = self.now[epoch].core.state.elected_us
        until_us = elected_us + self.config.agent_reregister_timeout_us
        if settled and self.now_us < until_us:
            self.wait_until(epoch, until_us, step)
        elif not settled and self.now_us >= until_us:
            raise Left("so much time has passed that it is settled")

    # ---- events ------------------------------------------------------------------------------
    def _said(self, cell: Cell, message: Any) -> Event:
        """The message that a step takes, as the master hears it."""
        names = self.names
        if cell[0] == "up":
            link: LinkId = cell[1]
            name = names.links[link]
            n = names.next(name)
            said = wording.frame_up(message, link.agent, names)
            return Frame(name, n, frames.decode_from_agent(wire_json.dump({**said, "n": n}))[1])
        line: LineId = cell[1]
        stream = getattr(message, "stream", None)
        connection = names.lines[line]
        return Call(
            request=names.fresh("request"),
            id=(connection, names.next(connection)),
            stream=None if stream is None else names.stream(stream),
            call=scheduler.decode_call(wire_json.dump(wording.call(message, names))),
            new_stream=names.fresh("stream"),
        )

    def _event(self, s: State, epoch: int, step: Taken) -> Event | None:
        """What a step hears that is no message; None: it is a timer's, or the allocator's."""
        match step.action:
            case "end_reign":
                return Deposed("the path has it so")
            case "lose_agent":
                link = s.agents[epoch, step.bound["agent"]].link
                return LinkEnded("none" if link is None else self.names.links[link])
            case "lose_framework":
                stream = s.frameworks[epoch, step.bound["framework"]].stream
                return StreamEnded("none" if stream is None else self.names.stream(stream))
            case "tear_down_by_operator":
                framework = self.names.framework(step.bound["framework"])
                return OperatorTeardown(self.names.fresh("request"), framework)
            case _:
                return None

    # ---- names -------------------------------------------------------------------------------
    def is_meant(self, step: Taken, real: Mapping[str, Any]) -> bool:
        """Whether the names of what was done are the path's, as far as those are known."""
        for name, value in step.bound.items():
            if name not in real or name in UNCOMPARED:
                continue
            if name == "framework":
                value = real[name] if step.action == "subscribe" else self.names.framework(value)
            if value != real[name]:
                return False
        return step.action != "offer" or self._is_whole(step, real)

    def _is_whole(self, step: Taken, real: Mapping[str, Any]) -> bool:
        """Whether an offer is of as much as the path has."""
        offer = self.now[step.bound["epoch"]].core.state.offers.get(real["offer"])
        wanted = wording.resources(step.bound["resources"])
        return offer is not None and sorted(
            (one.name, one.scalar.value) for one in offer.resources.to_wire()
        ) == sorted((one["name"], one["scalar"]["value"]) for one in wanted)

    def learn(self, step: Taken, real: Mapping[str, Any]) -> None:
        """The real names of what the path has named."""
        if step.action == "subscribe":
            self.names.frameworks[FrameworkId(step.bound["framework"])] = real["framework"]
            self.names.streams[step.bound["stream"]] = real["stream"]
        elif step.action == "offer":
            self.names.offers[step.bound["offer"]] = real["offer"]

    def unborn(self) -> MasterCore:
        """A master that was never elected."""
        return MasterCore(self.config, Counting("unborn"), "unborn")

    def unasked(self, by: Any, did: Done, step: Taken) -> None:
        """A ping is answered, but by the agent that is to be silent."""
        name, names = did
        silent = step.bound.get("agent") if step.action == "mark_unreachable" else None
        if name == "ping" and names["agent"] != silent:
            known, link = self.links[names["agent"]]
            if known == by:
                real = self.names.links[link]
                self.hear(by, Frame(real, self.names.next(real), frames.Pong(epoch=by)))


def configured(path: Sequence[tuple[State, Taken]]) -> MasterConfig:
    """The bounds and timers that a path needs: what it has happen, does."""
    actions = {step.action for _, step in path}
    changes: dict[str, Any] = {}
    if "rescind" in actions:
        changes["offer_timeout_us"] = 20 * SECOND_US
    if "forget_agent" in actions:
        changes["max_unreachable_agents"] = 0
    if "forget_framework" in actions:
        changes["max_removed_frameworks"] = 0
    full = [s for s, step in path if step.bound.get("full") and step.action[:6] == "refuse"]
    if full:
        changes["max_frameworks"] = len(list(full[0].cells("frameworks")))
    return MasterConfig(**changes)
