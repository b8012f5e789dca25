"""What models are made of: agents, schedulers and tasks to name, choices to allow.

A model names the choices that its subject is about; what hears is in every model.  *Prompt*
channels are heard before anything else happens, so that they add no interleavings; the others hold
what is sent, and states where one holds more than `room` are cut.
"""

from __future__ import annotations

from typing import Any

from mesos_spec.bounds import Bounds, Program
from mesos_spec.ids import AgentId, FrameworkId, SchedulerId, TaskId
from mesos_spec.kernel import Action, EachStep, Table
from mesos_spec.kernel.model import Counts, Model
from mesos_spec.messages import FrameworkInfo, TaskAsk
from mesos_spec.models.settings import Script, Some, crowded, specification
from mesos_spec.resources import Resources
from mesos_spec.state import State

# ---- who and what --------------------------------------------------------------------------
A1, A2 = AgentId("a1"), AgentId("a2")
F1, F2, F3 = FrameworkId("f1"), FrameworkId("f2"), FrameworkId("f3")
S1, S2, S3 = SchedulerId("s1"), SchedulerId("s2"), SchedulerId("s3")

AWARE, OLD = FrameworkInfo(("r",), partition_aware=True), FrameworkInfo(("r",))


def cpus(n: int, mem_mb: int = 0) -> Resources:
    """So many processors, and so much memory."""
    return Resources({"cpus": 1000 * n, "mem": 1000 * mem_mb})


def task(
    name: str = "t1", n: int = 1, of: FrameworkId = F1, mem_mb: int = 0, **more: Any
) -> TaskAsk:
    """A task that wants `n` processors of whatever agent it is offered."""
    ask = TaskAsk(TaskId(of, name), AgentId(""), cpus(n, mem_mb))
    return ask._replace(**more)


ONE = (task(),)


def user(
    *calls: str, of: FrameworkId | None = F1, role: str = "r", tasks: tuple[TaskAsk, ...] = ONE
) -> Program:
    """A scheduler's user, who launches tasks and makes such calls."""
    info = FrameworkInfo((role,), partition_aware=True)
    return Program(of, info, tasks=tasks, calls=frozenset({"accept", *calls}))


def cluster(**sizes: Any) -> Bounds:
    """One master, one agent of two processors, one scheduler; but for what is said otherwise."""
    usual: dict[str, Any] = {
        "epochs": (1,),
        "agents": Table({A1: cpus(2)}),
        "schedulers": Table({S1: user()}),
        "frameworks": (F1,),
    }
    return Bounds(**{**usual, **sizes})


# ---- which choices -------------------------------------------------------------------------
# (What hears is in every model.)
WORK = "executor_updates executor_ends ack "
LINKS = "register drop_link lose_agent "
LINES = "turn_scheduler_to ask_to_subscribe lose_stream lose_framework "


def model(
    name: str,
    title: str,
    choices: str,
    bounds: Bounds,
    expect: Counts | None,
    *,
    script: Script = (),
    prompt: str = "",
    room: int = 2,
    sometimes: tuple[Some, ...] = (),
    own: tuple[Action[State, ...], ...] = (),
    claims: tuple[EachStep[State, ...], ...] = (),
) -> Model[State]:
    """A part of Mesos, made finite; executors always hear what they are told at once."""
    channels = ("to_executor", *prompt.split())
    return Model(
        name=name,
        title=title,
        spec=specification(name, choices.split(), script, channels, sometimes, own, claims),
        bounds=bounds,
        expect=expect,
        cut=crowded(room, channels),
    )
