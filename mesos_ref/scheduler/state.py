"""What a scheduler core remembers, and the small decisions that concern memory alone.

Three memories have nothing to do with the connection, and outlive it: which updates the user's code
was given (UPD-21: an update may come again after any failure), which tasks may be alive somewhere
(they are asked about after each subscription), and which of those the master has yet to speak of.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from mesos_ref.wire.v1 import TERMINAL_STATES, Offer, TaskStatus

Standing: TypeAlias = Literal["disconnected", "subscribing", "subscribed", "stopped"]

#: Updates remembered so that none is delivered twice. An agent repeats only the oldest update of a
#: task that is not acknowledged, so this is reached by that many tasks at once.
MAX_REMEMBERED_UPDATES = 65_536

#: Tasks asked about in one RECONCILE, so that the call stays far below any body limit.
RECONCILE_BATCH = 1_000


class State:
    """One scheduler's memory. Only `mesos_ref.scheduler.core` changes it."""

    def __init__(self, framework_id: str | None, tasks: dict[str, str | None]) -> None:
        #: None until the first SUBSCRIBED; then it never changes.
        self.framework_id = framework_id
        #: The newest leader known, and where it listens. Both or neither.
        self.epoch: int | None = None
        self.url = ""
        self.standing: Standing = "disconnected"
        #: The attempt under way; None between attempts.
        self.connection: str | None = None
        #: As answered to SUBSCRIBE; `stream` is the same once SUBSCRIBED was heard, else None.
        self.opened: str | None = None
        self.stream: str | None = None
        #: Number of the next call on this connection.
        self.next_call = 0
        #: Offer -> agent. Empty unless subscribed.
        self.held: dict[str, str] = {}
        #: (task, uuid) -> whether the user's code has handled it, oldest first.
        self.delivered: dict[tuple[str, bytes], bool] = {}
        #: Task -> agent, of what may be alive.
        self.tasks = tasks
        #: Tasks to be asked about again, in asking order: since they were asked about no update has
        #: come for them, or that they are unreachable.
        self.unanswered: dict[str, None] = {}
        #: View keys that may have changed, in order; kept only if somebody watches.
        self.dirty: dict[str, None] = {}
        self.watched = False

    # Offers -------------------------------------------------------------------------------------

    def hold(self, offer: Offer) -> None:
        """An offer was made to us."""
        self.held[offer.id] = offer.agent_id
        self.touch_offer(offer.id)

    def release(self, offer_id: str) -> None:
        """An offer is used, declined or rescinded; unknown ones are no matter."""
        if self.held.pop(offer_id, None) is not None:
            self.touch_offer(offer_id)

    def release_all(self) -> None:
        """Offers end with the subscription they were made on (OFR-6)."""
        for offer_id in self.held:
            self.touch_offer(offer_id)
        self.held.clear()

    # Updates and tasks --------------------------------------------------------------------------

    def note(self, status: TaskStatus) -> bool:
        """Learn from an update whether its task may still be alive.

        Returns whether it is one more to be asked about: an unreachable task ends unseen if its
        agent comes back without it, and the master did not know it.
        """
        was_unanswered = status.task_id in self.unanswered
        if status.state == "TASK_UNREACHABLE":
            self.unanswered[status.task_id] = None
        else:
            self.unanswered.pop(status.task_id, None)
        if status.state in TERMINAL_STATES or status.state == "TASK_UNKNOWN":
            self.tasks.pop(status.task_id, None)
        else:
            self.tasks[status.task_id] = status.agent_id or self.tasks.get(status.task_id)
        return status.task_id in self.unanswered and not was_unanswered

    def remember(self, task_id: str, uuid: bytes, handled: bool) -> None:
        """Keep an update in mind, and forget the oldest if there are too many."""
        self.delivered[(task_id, uuid)] = handled
        if len(self.delivered) > MAX_REMEMBERED_UPDATES:
            del self.delivered[next(iter(self.delivered))]

    # The view -----------------------------------------------------------------------------------

    def touch(self) -> None:
        """The scheduler's own entry may have changed."""
        if self.watched:
            self.dirty["scheduler"] = None

    def touch_offer(self, offer_id: str) -> None:
        """An offer's entry may have changed."""
        if self.watched:
            self.dirty["offers/" + offer_id] = None

    def take_dirty(self) -> list[str]:
        """The keys marked since this was asked last."""
        keys = list(self.dirty)
        self.dirty.clear()
        return keys
