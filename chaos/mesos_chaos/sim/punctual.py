"""Timer bounds: what a process must do by itself is not done late (D7, D12).

The specification is untimed, so the judge can only say that something came too early.  Here time is
virtual, and a core that has forgotten a timer is found out: a state that ends by a timeout, and is
still shown when that timeout is long over, is overdue.  What is watched is what records show, never
a core's own account of its timers.  A process that is paused, or has just been, is excused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from mesos_chaos.sim.dialling import WAITS, Dialler
from mesos_spec.tools.judging.trace import Record, Trace

SLACK_US = 50_000
LOOK_US = 250_000
WATCHED = ("master", "agent")
REFUSE_S = 5.0  #: for how long a filter stands that says nothing of it (FLT-3)


@dataclass(slots=True)
class Watched:
    """What one process incarnation shows that must end, and since when."""

    role: str
    config: dict[str, Any]
    ends_late_us: int = 0  #: how long a process that was killed may take until it is gone
    since_us: dict[str, int] = field(default_factory=dict)
    resent: dict[str, int] = field(default_factory=dict)
    failover_us: dict[str, int] = field(default_factory=dict)  #: of each framework, as it asked
    waits: dict[str, str] = field(default_factory=dict)  #: what each key waits for
    filters_us: dict[str, int] = field(default_factory=dict)  #: until when there may be any of each

    def hear(self, record: Record) -> None:
        """Take in one record: what it shows, and the updates it sent."""
        shown = record.whole if record.whole is not None else record.view or {}
        if record.whole is not None:
            gone = [key for key in self.since_us if key not in shown and key[:6] != "pings/"]
            shown = {**shown, **dict.fromkeys(gone)}
        if self.role == "master":
            self._hear_master(record, shown)
            self._hear_filters(record, shown)
        for key, value in shown.items():
            if key.startswith("updates/"):
                if not value:
                    self.since_us.pop(key, None)
                    self.resent.pop(key, None)
            elif self._limit_us(key, value) is None:
                self.since_us.pop(key, None)
            else:
                self._wait(key, str(value.get("phase") or value.get("standing")), record.now)
        if self.role == "agent":
            self._hear_agent(record, shown)

    def _hear_agent(self, record: Record, shown: dict[str, Any]) -> None:
        """An agent says what it has to say again and again, while it is registered (UPD-2)."""
        me = shown.get("agent")
        if me is not None and not me["registered"]:  # nothing is sent again meanwhile (UPD-17)
            self.since_us = {k: v for k, v in self.since_us.items() if k[:8] != "updates/"}
        again = any(name == "resend" for name, _ in record.did)
        for key in _updates_sent(record):
            self.since_us[key] = record.now
            self.resent[key] = self.resent.get(key, 0) + 1 if again else 0

    def _wait(self, key: str, what: str, now_us: int) -> None:
        """Who is told to end while he registers has from then on as long as others have."""
        if key not in self.since_us or self.waits.get(key) != what:
            self.since_us[key], self.waits[key] = now_us, what

    def _hear_master(self, record: Record, shown: dict[str, Any]) -> None:
        """A master that gets no answers stops asking in time (AGT-8); and a framework says how
        long it may be away (FWK-13)."""
        for name, names in record.did:
            if name == "ping":
                self.since_us.setdefault(f"pings/{names['agent']}", record.now)
            elif name == "hear_pong":
                self.since_us.pop(f"pings/{names['agent']}", None)
            elif name == "subscribe" and record.heard is not None and record.heard.msg is not None:
                info = record.heard.msg["subscribe"]["framework_info"]
                patience_us = max(0, round(info.get("failover_timeout", 0.0) * 1_000_000))
                self.failover_us[names["framework"]] = patience_us
        for key in shown:
            if key.startswith("agents/"):
                self.since_us.pop(f"pings/{key.removeprefix('agents/')}", None)

    def _hear_filters(self, record: Record, shown: dict[str, Any]) -> None:
        """What was declined is offered again when the time is over that was asked for (FLT-5)."""
        keys = [key for key in shown if key[:8] == "filters/"]
        if not keys:
            return
        msg = (record.heard.msg if record.heard is not None else None) or {}
        part = msg.get("accept", msg.get("decline"))
        for key in keys:
            if shown[key] is None:
                self.filters_us.pop(key, None)
            elif part is not None:
                until_us = record.now + self._refused_us(part.get("filters") or {})
                self.filters_us[key] = max(until_us, self.filters_us.get(key, 0))

    def _refused_us(self, filters: dict[str, Any]) -> int:
        asked_s: float = filters.get("refuse_seconds", REFUSE_S)
        life_us = round((asked_s if asked_s >= 0 else REFUSE_S) * 1_000_000)
        return max(life_us, int(self.config["allocation_interval_us"]))

    def _limit_us(self, key: str, value: Any) -> int | None:
        """How long `key` may show `value`; None: for ever."""
        if value is None:
            return None
        match self.role, key.partition("/")[0]:
            case "master", "offers":
                names = ["offer_timeout_us"]
            case "master", "agents" if value["standing"] == "disconnected":
                names = ["agent_reregister_timeout_us"]
            case "master", "frameworks" if value["standing"] == "disconnected":
                return self.failover_us.get(key.partition("/")[2])
            case "agent", "executors" if value["phase"] == "terminating":
                return int(self.config["executor_shutdown_grace_us"]) + self.ends_late_us
            case "agent", "executors" if value["phase"] == "registering":
                names = ["executor_registration_timeout_us", "executor_reregistration_timeout_us"]
            case _:
                return None
        limits = [self.config[name] for name in names if self.config.get(name) is not None]
        return max(limits, default=None)

    def overdue(self, now_us: int, view: Callable[[], dict[str, Any]]) -> Iterator[str]:
        """A sentence for each thing that should have ended; `view` says what is shown now."""
        shown: dict[str, Any] | None = None
        limit_us: int | None
        for key, since_us in self.since_us.items():
            if now_us - since_us <= SLACK_US:
                continue  # whatever its timer
            if key.startswith("updates/"):
                base = self.config["status_update_retry_us"] << min(self.resent.get(key, 0), 30)
                limit_us = min(base, self.config["status_update_retry_max_us"])
            elif key.startswith("pings/"):
                most = self.config["max_agent_ping_timeouts"]
                limit_us = most * self.config["agent_ping_timeout_us"]
            else:
                shown = view() if shown is None else shown
                limit_us = self._limit_us(key, shown.get(key))
            if limit_us is not None and now_us - since_us > limit_us + SLACK_US:
                late_s = (now_us - since_us - limit_us) / 1e6
                what = "was not sent again" if key.startswith("updates/") else "is still there"
                yield f"{key} {what}, {late_s:.2f} s after its timer"
        for key, until_us in self.filters_us.items():
            if now_us > until_us + SLACK_US and view().get(key):
                late_s = (now_us - until_us) / 1e6
                yield f"{key} is still there, {late_s:.2f} s after the time that was asked for"

    def excuse(self, now_us: int) -> None:
        """The process could not act until now."""
        self.since_us = dict.fromkeys(self.since_us, now_us)
        self.filters_us = {key: max(at, now_us) for key, at in self.filters_us.items()}


def _updates_sent(record: Record) -> Iterator[str]:
    for sent in record.sent:
        if sent.msg is not None and sent.msg.get("kind") == "Update":
            task = sent.msg["status"]["task_id"]["value"]
            yield f"updates/{sent.msg['framework_id']}/{task}"


class Punctuality:
    """All processes of a run, by incarnation."""

    def __init__(self, ends_late_us: int = 0) -> None:
        """`ends_late_us`: how long executors that were killed may take until they are gone."""
        self._ends_late_us = ends_late_us
        self._watched: dict[str, Watched] = {}
        self._diallers: dict[str, Dialler] = {}
        self.waiting: set[str] = set()  #: those that may be late, now or later

    def hear(self, incarnation: str, trace: Trace, record: Record) -> None:
        """A process has written a record.  What a scheduler shows may stay for ever."""
        if trace.header.role in WAITS:
            dialler = self._diallers.get(incarnation)
            if dialler is None:
                header = trace.header
                dialler = self._diallers[incarnation] = Dialler(header.role, header.config)
            dialler.hear(record)
            if dialler.due_us is not None:
                self.waiting.add(incarnation)
        if trace.header.role not in WATCHED:
            return
        watched = self._watched.get(incarnation)
        if watched is None:
            header = trace.header
            made = Watched(header.role, header.config, self._ends_late_us)
            watched = self._watched[incarnation] = made
        watched.hear(record)
        if watched.since_us or watched.filters_us:
            self.waiting.add(incarnation)

    def look(self, incarnation: str, now_us: int, view: Callable[[], dict[str, Any]]) -> list[str]:
        """What is overdue at a process that could have acted, and shows `view()`."""
        dialler = self._diallers.get(incarnation)
        late_us = 0 if dialler is None else dialler.overdue_us(now_us)
        if late_us > SLACK_US:
            return [f"{incarnation}: has lost its leader, and does not dial, {late_us / 1e6:.2f} s"]
        watched = self._watched.get(incarnation)
        if watched is None or not (watched.since_us or watched.filters_us):
            if dialler is None or dialler.due_us is None:
                self.waiting.discard(incarnation)
            return []
        return [f"{incarnation}: {says}" for says in watched.overdue(now_us, view)]

    def excuse(self, incarnation: str, now_us: int) -> None:
        """That process cannot act now."""
        if incarnation in self._diallers:
            self._diallers[incarnation].excuse(now_us)
        if incarnation in self._watched:
            self._watched[incarnation].excuse(now_us)
