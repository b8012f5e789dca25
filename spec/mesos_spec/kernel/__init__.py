"""The language the specification is written in.

A state is a set of *cells*: one per scalar field, one per key of a `Per` field.  An action is a
plain function that is handed a state.  First it says when it may happen (`require`); then it
assigns.  Seen from outside it is pure: `act(before, ...)` returns the state after and leaves
`before` alone.  A trace checker that owns its state uses `act.apply`, which writes in place and
says what it wrote, and `undo`.  Who writes a cell he did not announce, or asks a guard after an
effect, is told at once.  Nothing in this module is about Mesos.

Everything a specification imports is here; it lives in `values` (what cells hold), `cells`
(states), `names` (bound names), `actions`, `claims` (properties), `fairness`, `mail` (bounds on
channels) and `refines` (two levels).
"""

from __future__ import annotations

from mesos_spec.kernel.actions import Action, Disabled, Guard, action, receive, receive_any, require
from mesos_spec.kernel.cells import (
    ABSENT,
    AFTER,
    BEFORE,
    EVERY_KEY,
    WROTE,
    Cell,
    Cells,
    Closely,
    Const,
    Effects,
    Per,
    Reads,
    emptiness,
    per,
    redo,
    show,
    undo,
    whether_empty,
)  # fmt: skip
from mesos_spec.kernel.claims import (
    Always,
    EachStep,
    Eventually,
    Sometimes,
    Specification,
    Surprise,
    always,
    each_step,
    eventually,
    sometimes,
)  # fmt: skip
from mesos_spec.kernel.fairness import Fair, How, finite, strong, weak
from mesos_spec.kernel.mail import Crowded, Heads, Quiet
from mesos_spec.kernel.model import Counts, Model
from mesos_spec.kernel.names import Among, Domain, Named
from mesos_spec.kernel.refines import Move, Played, Refinement
from mesos_spec.kernel.values import Bag, Fifo, Table, Tally, Untold, check_message_types

__all__ = [
    "ABSENT",
    "AFTER",
    "BEFORE",
    "EVERY_KEY",
    "WROTE",
    "Action",
    "Always",
    "Among",
    "Bag",
    "Cell",
    "Cells",
    "Closely",
    "Const",
    "Counts",
    "Crowded",
    "Disabled",
    "Domain",
    "EachStep",
    "Effects",
    "Eventually",
    "Fair",
    "Fifo",
    "Guard",
    "Heads",
    "How",
    "Model",
    "Move",
    "Named",
    "Per",
    "Played",
    "Quiet",
    "Reads",
    "Refinement",
    "Sometimes",
    "Specification",
    "Surprise",
    "Table",
    "Tally",
    "Untold",
    "action",
    "always",
    "check_message_types",
    "each_step",
    "emptiness",
    "eventually",
    "finite",
    "per",
    "receive",
    "receive_any",
    "redo",
    "require",
    "show",
    "sometimes",
    "strong",
    "undo",
    "weak",
    "whether_empty",
]  # fmt: skip
