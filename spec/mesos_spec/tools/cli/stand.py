"""Standing in a run, before one record of a trace: what the state is there, and why things happen.

next                    judge the record, and go on to the next of the merged traces
why ACTION name=value … which guards of an action hold here, with what they read
state FIELD             the cells of a field
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from mesos_spec.mesos import ACTIONS
from mesos_spec.tools.cli.common import ExitCode, Misused, words
from mesos_spec.tools.cli.step import show_state
from mesos_spec.tools.cli.trace import read
from mesos_spec.tools.judging import moments
from mesos_spec.tools.judging.trace import Trace


def _last(traces: list[Trace], path: Path) -> int:
    """The line of a trace's last record."""
    return next(len(t.records) + 1 for t in traces if Path(t.path).resolve() == path.resolve())


def stand(target: str, commands: Iterable[str]) -> int:
    """Stand before the record that `target` (FILE:LINE) names, and obey commands."""
    path, line = moments.split(target)
    if not path.is_file():
        raise Misused(f"{path}: there is no such file")
    traces = read([path.parent])
    moment = moments.before(traces, path, line)
    print("\n".join(moments.what_it_is(moment)))
    for command in commands:
        match command.split():
            case []:
                continue
            case ["quit" | "q" | "exit"]:
                break
            case ["state", *fields]:
                show_state(moment.s, fields)
            case ["why", action, *names] if action in ACTIONS:
                try:
                    print("\n".join(moments.another(moment, action, words(names))))
                except Misused as error:
                    print(f"  {error}")
            case ["why", action, *_]:
                print(f"  the specification has no action {action}")
            case ["next"]:
                print("\n".join(moments.its_claims(moment)))
                text, is_step = moments.its_verdict(moment)
                print(text)
                if not is_step:
                    return ExitCode.NONCONFORMANCE
                line += 1
                if line > _last(traces, path):
                    print("that was the last record of the file")
                    return ExitCode.OK
                moment = moments.before(traces, path, line)
                print("\n".join(moments.what_it_is(moment)))
            case _:
                print("  next, why ACTION name=value …, state FIELD or quit")
    return ExitCode.OK
