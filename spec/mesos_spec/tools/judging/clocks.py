"""Timers: nothing happens before its time, by the clock of the process that decided.

The specification is untimed: what a timeout does may happen whenever it is armed.  Here a process'
own clock is held against the timers it was started with (D7): *not before*.  A clock belongs to one
incarnation, so nothing is ever compared between processes.  Where the trace does not show when a
timer was armed, the check is left out rather than guessed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from mesos_spec.tools.judging.trace import Record

SECOND_US = 1_000_000
Key = tuple[Any, ...]


@dataclass(slots=True)
class Clocks:
    """What one process incarnation has armed, and when.  Times are its own, in microseconds."""

    config: dict[str, Any] = field(default_factory=dict)
    elected_us: int | None = None
    now_us: int = 0
    _armed: dict[Key, int] = field(default_factory=dict)
    _filters: dict[str, list[int]] = field(default_factory=dict)
    _failover: dict[str, int] = field(default_factory=dict)
    _resent: dict[Key, int] = field(default_factory=dict)
    _is_tick: bool = False  #: whether nothing but time has moved this process
    _stream: str | None = None  #: a scheduler's, while it is subscribed
    _ask_wait_us: int | None = None  #: how long a scheduler waits until it asks again

    def setting(self, name: str) -> int | None:
        """A timer's length in microseconds; None if the header does not give it."""
        value = self.config.get(name)
        return value if isinstance(value, int) else None

    def now(self, record: Record) -> None:
        """A record is about to be judged."""
        self.now_us = record.now
        heard = record.heard
        self._is_tick = heard is not None and heard.local == "tick"
        if heard is not None and heard.local == "elected":
            self.elected_us = record.now
        elif heard is not None and self._stream is not None:
            on = heard.stream if heard.id is None else heard.id[0]
            if on == self._stream and heard.local != "ended":
                self._armed["stream",] = record.now

    def settled(self) -> bool:
        """Whether agents that have not come back since the election are really unknown (D19)."""
        wait = self.setting("agent_reregister_timeout_us")
        if self.elected_us is None or wait is None:
            return False
        return self.now_us - self.elected_us >= wait

    # ---- not before --------------------------------------------------------------------------
    def too_soon(self, name: str, bound: dict[str, Any], now_us: int) -> str | None:
        """A sentence if action `name` happens before its timer can have run out, else None."""
        due = _DUE.get(name)
        limit = None if due is None else due(self, bound)
        if limit is None or now_us >= limit:
            return None
        return f"{name} comes {limit - now_us} µs before its timer runs out"

    def _after(self, key: Key, wait_us: int | None) -> int | None:
        armed = self._armed.get(key)
        return None if armed is None or wait_us is None else armed + wait_us

    def _unreachable(self, bound: dict[str, Any]) -> int | None:
        agent = bound["agent"]
        away = self._after(("away", agent), self.setting("agent_reregister_timeout_us"))
        if away is not None:
            return away
        every, times = (
            self.setting("agent_ping_timeout_us"),
            self.setting("max_agent_ping_timeouts"),
        )
        wait = None if every is None or times is None else every * times
        return self._after(("heard", agent), wait)

    def _retry(self, bound: dict[str, Any]) -> int | None:
        task = tuple(bound["task"])
        base = self.setting("status_update_retry_us")
        if base is None:
            return None
        most = self.setting("status_update_retry_max_us") or 600 * SECOND_US
        return self._after(("sent", task), min(base << min(self._resent.get(task, 0), 30), most))

    def _silent_link(self, bound: dict[str, Any]) -> int | None:
        """An agent that nothing but time has moved leaves a leader that did not ping (AGT-10)."""
        wait_us = self.setting("ping_timeout_us")
        return self._after(("pinged",), wait_us) if self._is_tick else None

    def _silent_stream(self, bound: dict[str, Any]) -> int | None:
        """A scheduler leaves a stream that was silent for some heartbeats."""
        every, times = self._armed.get(("heartbeat",)), self.setting("missed_heartbeats")
        if not self._is_tick or every is None or times is None:
            return None
        return self._after(("stream",), every * times)

    def _ask(self, bound: dict[str, Any]) -> int | None:
        """Who asks about tasks, and is not told, asks again at growing intervals (REC-10)."""
        return self._after(("asked",), self._ask_wait_us) if self._is_tick else None

    def _filter(self, bound: dict[str, Any]) -> int | None:
        expiries = self._filters.get(bound["framework"])
        return min(expiries) if expiries else None

    # ---- arming ------------------------------------------------------------------------------
    def took(self, name: str, bound: dict[str, Any], now_us: int, record: Record) -> None:
        """Action `name` was taken: what it arms, and what it disarms."""
        arm = _ARM.get(name)
        if arm is not None:
            arm(self, bound, now_us, record)

    def over(self, record: Record) -> None:
        """A record was judged: updates that it sent are waited for, twice as long if again.

        So are the answers to what a scheduler has asked; sooner, if one more task is unreachable.
        """
        for sent in record.sent:
            msg = sent.msg
            if msg is not None and msg.get("type") == "RECONCILE":
                self._asked(msg, record)
            elif msg is not None and msg.get("kind") == "Update":
                task = (msg["framework_id"], msg["status"]["task_id"]["value"])
                again = any(
                    name == "resend" and (x.get("framework"), x.get("task")) == task
                    for name, x in record.did
                )
                self._armed["sent", task] = record.now
                self._resent[task] = self._resent.get(task, 0) + 1 if again else 0

    def _asked(self, call: dict[str, Any], record: Record) -> None:
        base, most = self.setting("reconcile_us"), self.setting("reconcile_max_us")
        user_asks = record.heard is not None and record.heard.local == "asked"
        if base is None or user_asks or not (call.get("reconcile") or {}).get("tasks"):
            return
        if self._armed.get(("asked",)) != record.now:  # or it is more of the same question
            again = 2 * (self._ask_wait_us or base) if self._is_tick else base
            self._ask_wait_us = again if most is None else min(again, most)
        self._armed["asked",] = record.now

    def _be_subscribed(self, bound: dict[str, Any], now_us: int, record: Record) -> None:
        msg = (record.heard and record.heard.msg) or {}
        seconds = (msg.get("subscribed") or {}).get("heartbeat_interval_seconds")
        self._armed.pop(("asked",), None)
        if record.heard is not None and record.heard.id is not None:
            self._stream = str(record.heard.id[0])
            self._armed["stream",] = now_us
        if isinstance(seconds, int | float):
            self._armed["heartbeat",] = round(seconds * SECOND_US)

    def _lost_stream(self, bound: dict[str, Any], now_us: int, record: Record) -> None:
        self._stream = None
        for key in ("stream", "heartbeat", "asked"):
            self._armed.pop((key,), None)

    def _hear_update(self, bound: dict[str, Any], now_us: int, record: Record) -> None:
        msg = (record.heard and record.heard.msg) or {}
        status = (msg.get("update") or {}).get("status") or {}
        if status.get("state") == "TASK_UNREACHABLE":
            self._ask_wait_us = self.setting("reconcile_us")

    def _pinged(self, bound: dict[str, Any], now_us: int, record: Record) -> None:
        self._armed["pinged",] = now_us

    def _offered(self, bound: dict[str, Any], now_us: int, record: Record) -> None:
        self._armed["offer", bound["offer"]] = now_us

    def _heard_agent(self, bound: dict[str, Any], now_us: int, record: Record) -> None:
        agent = bound["agent"] if "agent" in bound else bound["link"].agent
        self._armed["heard", agent] = now_us
        self._armed.pop(("away", agent), None)

    def _lost_agent(self, bound: dict[str, Any], now_us: int, record: Record) -> None:
        self._armed["away", bound["agent"]] = now_us

    def _subscribed(self, bound: dict[str, Any], now_us: int, record: Record) -> None:
        body = ((record.heard and record.heard.msg) or {}).get("subscribe") or {}
        seconds = (body.get("framework_info") or {}).get("failover_timeout", 0.0)
        self._failover[bound["framework"]] = max(0, round(float(seconds) * SECOND_US))
        self._armed.pop(("gone", bound["framework"]), None)

    def _lost_framework(self, bound: dict[str, Any], now_us: int, record: Record) -> None:
        self._armed["gone", bound["framework"]] = now_us

    def _refused(self, bound: dict[str, Any], now_us: int, record: Record) -> None:
        msg = (record.heard and record.heard.msg) or {}
        body = msg.get(str(msg.get("type", "")).lower()) or {}
        seconds = (body.get("filters") or {}).get("refuse_seconds", 5.0)
        framework = (msg.get("framework_id") or {}).get("value", "")
        if isinstance(seconds, int | float) and seconds >= 0:
            expiry = now_us + min(round(seconds * SECOND_US), 365 * 86_400 * SECOND_US)
            self._filters.setdefault(framework, []).append(expiry)

    def _forgot(self, bound: dict[str, Any], now_us: int, record: Record) -> None:
        expiries = self._filters.get(bound["framework"])
        if expiries:
            expiries.remove(min(expiries))

    def _started(self, bound: dict[str, Any], now_us: int, record: Record) -> None:
        msg = (record.heard and record.heard.msg) or {}
        if msg.get("launch_executor") and msg.get("executor") is None:
            framework = msg["framework"]["id"]["value"]
            self._armed["executor", framework, msg["task"]["task_id"]["value"]] = now_us

    def _restarted(self, bound: dict[str, Any], now_us: int, record: Record) -> None:
        self._armed["restart",] = now_us

    def _back_due(self, bound: dict[str, Any]) -> int | None:
        """Executors that are dead when their agent starts are given up at once, in one record."""
        if self._armed.get(("restart",)) == self.now_us:
            return None
        return self._after(("restart",), self.setting("executor_reregistration_timeout_us"))

    def _executor_due(self, bound: dict[str, Any]) -> int | None:
        key = ("executor", bound["framework"], bound["executor"])
        return self._after(key, self.setting("executor_registration_timeout_us"))


_DUE: dict[str, Callable[[Clocks, dict[str, Any]], int | None]] = {
    "rescind": lambda c, b: c._after(("offer", b["offer"]), c.setting("offer_timeout_us")),
    "mark_unreachable": Clocks._unreachable,
    "give_up_framework": lambda c, b: c._after(
        ("gone", b["framework"]), c._failover.get(b["framework"])
    ),
    "forget_filter": Clocks._filter,
    "resend": Clocks._retry,
    "recover_executor": Clocks._back_due,
    "give_up_executor": Clocks._executor_due,
    "drop_link": Clocks._silent_link,
    "lose_stream": Clocks._silent_stream,
    "call": Clocks._ask,
}

_Arm = Callable[[Clocks, dict[str, Any], int, Record], None]
_ARM: dict[str, _Arm] = {
    "offer": Clocks._offered,
    "admit": Clocks._heard_agent,
    "hear_pong": Clocks._heard_agent,
    "lose_agent": Clocks._lost_agent,
    "subscribe": Clocks._subscribed,
    "lose_framework": Clocks._lost_framework,
    "decline": Clocks._refused,
    "accept": Clocks._refused,
    "forget_filter": Clocks._forgot,
    "run": Clocks._started,
    "start_agent": Clocks._restarted,
    "register": Clocks._pinged,
    "be_registered": Clocks._pinged,
    "answer_ping": Clocks._pinged,
    "be_subscribed": Clocks._be_subscribed,
    "lose_stream": Clocks._lost_stream,
    "hear_update": Clocks._hear_update,
}
