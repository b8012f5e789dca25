"""What a property looks through: the state before a step, or the state with the touched tasks only.

A property that says something of each task by itself is true after a step if it was true before and
is true of the tasks that the step touched.  So it is asked of a state whose tables hold only those:
the same function, on less.  The same goes for the way to each task, which leads to one agent: then
only agents that may have the task are left among those that the master has met.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from mesos_spec.ids import ExecutorKey
from mesos_spec.kernel.live import Window
from mesos_spec.messages import RunTask, Update
from mesos_spec.state import State
from mesos_spec.tools.judging.changes import Change
from mesos_spec.tools.judging.subjects import OF_AGENTS, Running

#: The tables that are cut down, each with how its key names the agent; `True`: to executors.
_CUT: dict[str, tuple[Callable[[Any], Any], bool]] = {
    "runs": (lambda key: key, False),
    "updates": (lambda key: key, False),
    "tasks": (lambda key: key[1], False),
    "unreachable": (lambda key: key[1], False),
    "runners": (lambda key: key, True),
}


#: What a property may be asked of: the state after the step, the one before it, both cut down to
#: what was touched, and the state where masters have met only agents that may have a touched task.
VIEWS = ("after", "before", "few", "few_before", "homes")


class Touched:
    """The tasks and executors that a step, just taken on `s`, touched: by agent."""

    __slots__ = ("executors", "tasks")

    def __init__(self, s: State, changed: Sequence[Change], running: Running) -> None:
        self.tasks: dict[Any, dict[Any, None]] = {}
        self.executors: dict[Any, dict[Any, None]] = {}
        by_executor = False
        for one in changed:
            name, key = one.cell
            if name in OF_AGENTS:
                by_executor = True
                running.look(key, s.runs[key])
        for one in changed:
            if one.cell[0] in _NOTED:
                self._note(one, running)
        if by_executor or self.executors:
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

    def _note(self, one: Change, running: Running) -> None:
        name, key = one.cell
        touched = [entry[0] for entry in one.entries]
        if name in ("runs", "updates"):
            self._add(self.tasks, key, touched)
        elif name in ("tasks", "unreachable"):
            self._add(self.tasks, key[1], touched)
        elif name == "runners":
            self._add(self.executors, key, touched)
            for executor in touched:
                self._add(self.tasks, key, running.tasks_of(key, executor))
        elif name == "executors":
            self._add(self.executors, key[1], touched)
        elif one.mail is not None:
            self._add(self.tasks, key.agent, _tasks(one.mail.taken))
        elif name == "home":
            there = (agent for agent in (one.old, one.new) if agent is not None)
            for agent in (*running.agents_of(key[1]), *there):
                self._add(self.tasks, agent, (key[1],))

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


def _tasks(mail: tuple[Any, ...]) -> Iterable[Any]:
    """The tasks of orders and updates among messages."""
    return [frame.task for frame in mail if isinstance(frame, RunTask | Update)]


_NOTED = frozenset((*_CUT, "executors", "up", "down", "home"))


class _Pane(dict[Any, Any]):
    """The cells of one field, each cut down when it is first looked at."""

    __slots__ = ("_agent", "behind", "few")

    def __init__(self, agent: Callable[[Any], Any]) -> None:
        super().__init__()
        self._agent = agent
        self.behind: Any = None
        self.few: dict[Any, dict[Any, None]] = {}

    def __missing__(self, key: Any) -> Any:
        few = self.few.get(self._agent(key))
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
        self._panes = {name: _Pane(agent) for name, (agent, _) in _CUT.items()}
        self._of_tasks = [pane for name, pane in self._panes.items() if not _CUT[name][1]]
        self._of_executors = [pane for name, pane in self._panes.items() if _CUT[name][1]]
        self._look_behind()

    def _look_behind(self) -> None:
        inside, behind = self._shown.__dict__, self._behind
        inside.update(behind)
        inside.update(self._panes)
        for name, pane in self._panes.items():
            pane.behind = behind[name]

    def showing(self, touched: Touched) -> State:
        """What is behind, cut down to what was touched."""
        if self._changes:
            self._look_behind()
        for pane in self._of_tasks:
            if pane:
                pane.clear()
            pane.few = touched.tasks
        for pane in self._of_executors:
            if pane:
                pane.clear()
            pane.few = touched.executors
        return self._shown


class Glasses:
    """What can be seen of one step at a time."""

    def __init__(self, s: State) -> None:
        self.s = s
        self._running = Running()
        self._changed: Sequence[Change] = ()
        self._before = Window(s)
        self._few, self._homes = Few(s), Few(s)
        self._few_before = Few(self._before.showing(()), changes=True)

    def through(self, wanted: tuple[str, ...], changed: Sequence[Change]) -> list[State]:
        """The state after a step, and whatever else is `wanted` of it, in the order of `VIEWS`."""
        self._changed = changed
        views = [self.s] * len(VIEWS)
        touched = None
        if wanted[0] != "before" or len(wanted) > 1:
            touched = Touched(self.s, changed, self._running)
        for name in wanted:
            if name == "before":
                views[1] = self._before.showing([(one.cell, one.old) for one in changed])
            elif touched is not None:
                views[VIEWS.index(name)] = self._cut(name, touched)
        return views

    def _cut(self, name: str, touched: Touched) -> State:
        if name == "few":
            return self._few.showing(touched)
        if name == "few_before":
            return self._few_before.showing(touched)
        met = self._may_have()
        shown = self._homes.showing(touched.anywhere(one for some in met.values() for one in some))
        shown.__dict__["met_agents"] = _Met(self.s, met)
        return shown

    def _may_have(self) -> dict[Any, dict[Any, None]]:
        """For each reign, the agents that have, had or are said to have a touched task."""
        found: dict[Any, dict[Any, None]] = {}
        s, home = self.s, self.s.home
        for (name, key), old, new, entries, _ in self._changed:
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
