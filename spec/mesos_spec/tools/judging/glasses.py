"""What a property looks through: the state before a step, or the state with the touched tasks only.

A property that says something of each task by itself is true after a step if it was true before and
is true of the tasks that the step touched.  So it is asked of a state whose tables hold only those:
the same function, on less.  The same goes for the way to each task, which leads to one agent: then
only agents that may have the task are left among those that the master has met.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from mesos_spec.ids import ExecutorKey
from mesos_spec.kernel.live import Window
from mesos_spec.messages import RunTask, Update
from mesos_spec.state import State
from mesos_spec.tools.judging.changes import Change
from mesos_spec.tools.judging.subjects import OF_AGENTS, Running

#: The tables that are cut down, and whether their keys are (epoch, agent), or the agent alone.
CUT: dict[str, bool] = {
    "runs": False,
    "updates": False,
    "tasks": True,
    "unreachable": True,
    "runners": False,
}


#: What a property may be asked of: the state after the step, the one before it, both cut down to
#: what was touched, and the state where masters have met only agents that may have a touched task.
VIEWS = ("after", "before", "few", "few_before", "homes")


class Look(NamedTuple):
    """What is looked through after one kind of step: `VIEWS` in their order, and what is read."""

    views: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()  #: of those that are `CUT`


class Touched:
    """The tasks and executors that a step, just taken on `s`, touched: by agent."""

    __slots__ = ("_running", "executors", "tasks")

    def __init__(
        self, s: State, changed: Sequence[Change], running: Running, executors: bool
    ) -> None:
        self.tasks: dict[Any, dict[Any, None]] = {}
        self.executors: dict[Any, dict[Any, None]] = {}
        self._running = running
        of_agents = False
        for one in changed:
            name, key = one.cell
            if name in OF_AGENTS:
                of_agents = True
                running.look(key, s.runs[key])
        for one in changed:
            note = _NOTES.get(one.cell[0])
            if note is not None:
                note(self, one)
        if executors and (of_agents or self.executors):
            self._add_executors(s, changed)

    def _add_executors(self, s: State, changed: Sequence[Change]) -> None:
        """The executors of the touched tasks, as they were and as they are."""
        for agent, tasks in self.tasks.items():
            mine = self.executors.setdefault(agent, {})
            tables = [s.runs[agent]._d]
            tables += [one.old._d for one in changed if one.cell == ("runs", agent)]
            for table in tables:
                for task in tasks:
                    run = table.get(task)
                    if run is not None:
                        mine[ExecutorKey(task.framework, run.executor)] = None

    # ---- what a changed cell touched ---------------------------------------------------------
    def of_agent(self, one: Change) -> None:
        """An agent's tasks, or their updates."""
        self._add(self.tasks, one.cell[1], [entry[0] for entry in one.entries])

    def of_master(self, one: Change) -> None:
        """A master's tasks on an agent."""
        self._add(self.tasks, one.cell[1][1], [entry[0] for entry in one.entries])

    def runners(self, one: Change) -> None:
        """An agent's executors, and the tasks they have."""
        agent, touched = one.cell[1], [entry[0] for entry in one.entries]
        self._add(self.executors, agent, touched)
        for executor in touched:
            self._add(self.tasks, agent, self._running.tasks_of(agent, executor))

    def reports(self, one: Change) -> None:
        """A master's executors on an agent."""
        self._add(self.executors, one.cell[1][1], [entry[0] for entry in one.entries])

    def mail(self, one: Change) -> None:
        """The tasks of orders and updates that were taken from a link."""
        if one.mail is not None:
            taken = [frame.task for frame in one.mail.taken if isinstance(frame, _OF_TASKS)]
            self._add(self.tasks, one.cell[1].agent, taken)

    def home(self, one: Change) -> None:
        """A task, wherever it is, was or is said to be."""
        task = one.cell[1][1]
        there = (agent for agent in (one.old, one.new) if agent is not None)
        for agent in (*self._running.agents_of(task), *there):
            self._add(self.tasks, agent, (task,))

    def anywhere(self, agents: Iterable[Any]) -> Touched:
        """The same, where each of `agents` may have any of the tasks."""
        every = {task: None for tasks in self.tasks.values() for task in tasks}
        made = object.__new__(Touched)
        made.tasks, made.executors = dict.fromkeys((*self.tasks, *agents), every), self.executors
        return made

    @staticmethod
    def _add(where: dict[Any, dict[Any, None]], agent: Any, found: Iterable[Any]) -> None:
        several = where.get(agent)
        if several is None:
            where[agent] = dict.fromkeys(found)
        else:
            for one in found:
                several[one] = None


_OF_TASKS = (RunTask, Update)

_NOTES: dict[str, Callable[[Touched, Change], None]] = {
    "runs": Touched.of_agent,
    "updates": Touched.of_agent,
    "tasks": Touched.of_master,
    "unreachable": Touched.of_master,
    "runners": Touched.runners,
    "executors": Touched.reports,
    "up": Touched.mail,
    "down": Touched.mail,
    "home": Touched.home,
}


class _Pane(dict[Any, Any]):
    """The cells of one field, each cut down when it is first looked at."""

    __slots__ = ("_in_pairs", "behind", "few")

    def __init__(self, in_pairs: bool) -> None:
        super().__init__()
        self._in_pairs = in_pairs
        self.behind: Any = None
        self.few: dict[Any, dict[Any, None]] = {}

    def __missing__(self, key: Any) -> Any:
        few = self.few.get(key[1] if self._in_pairs else key)
        table = self.behind[key]
        if few is not None:
            table = self[key] = table.only(few)
        return table


class Few:
    """A window on a state, or on another window, where tables hold only what was touched.

    What is behind may `change` its fields, as windows do; then they are looked up each time.
    """

    def __init__(self, behind: State, changes: bool = False) -> None:
        self._behind = behind.__dict__
        self._changes = changes
        self._shown = object.__new__(State)
        self._panes = {name: _Pane(in_pairs) for name, in_pairs in CUT.items()}
        self._look_behind()

    def _look_behind(self) -> None:
        inside, behind = self._shown.__dict__, self._behind
        inside.update(behind)
        inside.update(self._panes)
        for name, pane in self._panes.items():
            pane.behind = behind[name]

    def showing(self, touched: Touched, tables: Iterable[str]) -> State:
        """What is behind, with `tables` cut down to what was touched; good for who reads those."""
        if self._changes:
            self._look_behind()
        for name in tables:
            pane = self._panes[name]
            if pane:
                pane.clear()
            pane.few = touched.executors if name == "runners" else touched.tasks
        return self._shown


class Glasses:
    """What can be seen of one step at a time."""

    def __init__(self, s: State) -> None:
        self.s = s
        self._running = Running()
        self._before = Window(s)
        self._few, self._homes = Few(s), Few(s)
        self._few_before = Few(self._before.showing(()), changes=True)

    def through(self, look: Look, changed: Sequence[Change]) -> list[State]:
        """The state after a step, and whatever else is looked through, in the order of `VIEWS`."""
        after = self.s
        views, tables = look
        if not views:
            return [after]
        before = after
        if "before" in views:
            before = self._before.showing([(one.cell, one.old) for one in changed])
            if len(views) == 1:
                return [after, before]
        touched = Touched(after, changed, self._running, "runners" in tables)
        few = self._few.showing(touched, tables) if "few" in views else after
        few_before = homes = after
        if "few_before" in views:
            few_before = self._few_before.showing(touched, tables)
        if "homes" in views:
            homes = self._at_home(touched, changed, tables)
        return [after, before, few, few_before, homes]

    def _at_home(self, touched: Touched, changed: Sequence[Change], tables: Iterable[str]) -> State:
        met = self._may_have(changed)
        agents = [agent for some in met.values() for agent in some]
        shown = self._homes.showing(touched.anywhere(agents), tables)
        shown.__dict__["met_agents"] = _Met(self.s, met)
        return shown

    def _may_have(self, changed: Sequence[Change]) -> dict[Any, dict[Any, None]]:
        """For each reign, the agents that have, had or are said to have a touched task."""
        found: dict[Any, dict[Any, None]] = {}
        s, home = self.s, self.s.home
        for (name, key), old, new, entries, _ in changed:
            if name == "home":
                found.setdefault(key[0], {}).update(dict.fromkeys((old, new)))
            elif name in ("tasks", "unreachable"):
                several = found.setdefault(key[0], {})
                several[key[1]] = None
                several.update(dict.fromkeys([home[key[0], task] for task, _, _ in entries]))
        return {
            epoch: {agent: None for agent in agents if agent in s.met_agents[epoch]}
            for epoch, agents in found.items()
        }


class _Met(dict[Any, Any]):
    """Of the agents that masters have met, some."""

    def __init__(self, s: State, some: dict[Any, Any]) -> None:
        super().__init__(some)
        self._s = s

    def __missing__(self, epoch: Any) -> Any:
        return self._s.met_agents[epoch]
