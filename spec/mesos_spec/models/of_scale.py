"""Models of millions of states, for the fast search: what breaks, restarts and changes at once.

Every party is as in the small models; but little is prompt, and several things that go wrong in
turn there go wrong together here.  Counts are pinned, and found by `check --engine numba` alone:
the plain search, its oracle on all smaller models, would need a day.  So these models stand beside
the others and are found by name only.
"""

from __future__ import annotations

from mesos_spec.kernel.model import Counts, Model
from mesos_spec.models.cases import LINES, LINKS, WORK, cluster, model
from mesos_spec.models.settings import RUNNING
from mesos_spec.state import State

RESTARTS = "crash_agent start_agent executor_subscribes recover_executor "
REIGNS = "lead end_reign turn_to "
RETURNS = "turn_scheduler_to ask_to_subscribe "

LINKS_BREAK = model(
    "restarts-and-broken-links",
    "An agent restarts and its links break, while one master follows another.",
    REIGNS + RESTARTS + RETURNS + LINKS + WORK,
    cluster(epochs=(1, 2), links=2),
    Counts(states=4_028_867, steps=15_854_672, depth=66, cut=100_830),
    script=RUNNING,
    prompt="calls events",
    room=1,
)

LINES_BREAK = model(
    "restarts-and-broken-lines",
    "An agent restarts and a scheduler is cut off, while one master follows another.",
    REIGNS + RESTARTS + "register " + LINES + WORK,
    cluster(epochs=(1, 2), links=2),
    Counts(states=6_902_160, steps=35_323_245, depth=78, cut=389_722),
    script=RUNNING,
    prompt="calls",
    room=1,
)

CUT_OFF = model(
    "unreachable-and-restarted",
    "An agent is given up and restarts, over links that break, while its updates wait.",
    RESTARTS + "resend mark_unreachable " + LINKS + WORK,
    cluster(words=("TASK_RUNNING", "TASK_FINISHED"), links=2),
    Counts(states=5_043_593, steps=17_373_554, depth=85, cut=130_188),
    script=RUNNING,
    prompt="calls events",
)

LATE_EVENTS = model(
    "restarts-and-late-events",
    "As restarts-and-broken-links; but what a scheduler is told may wait, too.",
    REIGNS + RESTARTS + RETURNS + LINKS + WORK,
    cluster(epochs=(1, 2), links=2),
    Counts(states=14_244_073, steps=66_268_965, depth=87, cut=901_632),
    script=RUNNING,
    prompt="calls",
    room=1,
)

GIVEN_UP_TWICE = model(
    "unreachable-under-two-leaders",
    "An agent restarts, its links break, and either of two masters may give it up.",
    REIGNS + RESTARTS + RETURNS + "mark_unreachable " + LINKS + WORK,
    cluster(epochs=(1, 2), links=2),
    Counts(states=14_211_051, steps=57_361_241, depth=73, cut=253_696),
    script=RUNNING,
    prompt="calls events",
    room=1,
)

ALL_LATE = model(
    "unreachable-and-late-events",
    "As unreachable-and-restarted; but what a scheduler is told may wait, too.",
    RESTARTS + "resend mark_unreachable " + LINKS + WORK,
    cluster(words=("TASK_RUNNING", "TASK_FINISHED"), links=2),
    Counts(states=39_871_733, steps=148_744_531, depth=98, cut=5_310_232),
    script=RUNNING,
    prompt="calls",
)

NOTHING_PROMPT = model(
    "unreachable-and-nothing-prompt",
    "An agent is given up and restarts, over links that break, and all that is sent may wait.",
    RESTARTS + "resend mark_unreachable " + LINKS + WORK,
    cluster(links=2),
    Counts(states=9_197_911, steps=49_228_359, depth=68, cut=1_905_492),
    script=RUNNING,
)

MODELS: tuple[Model[State], ...] = (
    LINKS_BREAK,
    LINES_BREAK,
    CUT_OFF,
    LATE_EVENTS,
    GIVEN_UP_TWICE,
    ALL_LATE,
    NOTHING_PROMPT,
)
