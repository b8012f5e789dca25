"""Why a record of a trace is a step of the specification or is none; why another would be or not.

All traces in the record's folder are followed up to it.  Then each action it claims is asked guard
by guard, with the values that were read.  With an ACTION, that one is asked instead, with the names
that bring it closest; names may be given.

Of a counterexample (`mesos-spec check --save DIR`) a step is named: FILE:3 is the third, asked in
the state before it, and one more than there are steps means the end.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mesos_spec.tools.cli.common import ExitCode, Misused, unknown, words

EXAMPLE = """\
for example:
  mesos-spec why runs/today/master-m1-ab12.ndjson:41
  mesos-spec why runs/today/master-m1-ab12.ndjson:41 offer
  mesos-spec why runs/today/master-m1-ab12.ndjson:41 offer agent=a1 framework=f1
  mesos-spec why found/die_hard.the_goal_is_not_reached.ndjson:3
  mesos-spec why found/die_hard.the_goal_is_not_reached.ndjson:3 fill_big

41 is a line of the trace: line 1 is the header, line 2 the first record.  3 is a step.
exit codes: 0 it is a step (or: an answer was given); 4 it is none; 5 there is no such record.
"""


def add(parser: argparse.ArgumentParser) -> None:
    """The arguments of `mesos-spec why`."""
    parser.add_argument("record", metavar="FILE:LINE", help="a record, or FILE:STEP")
    parser.add_argument("action", metavar="ACTION", nargs="?", help="ask of this one instead")
    parser.add_argument("names", metavar="name=value", nargs="*", help="names of the action")


def run(args: argparse.Namespace) -> int:
    """Follow the run up to the record, and explain."""
    from mesos_spec.mesos import ACTIONS
    from mesos_spec.tools.cli.trace import read
    from mesos_spec.tools.judging import moments
    from mesos_spec.tools.report.behaviours import is_behaviour

    path, line = moments.split(args.record)
    if not path.is_file():
        raise Misused(f"{path}: there is no such file")
    if is_behaviour(path):
        return _of_behaviour(path, line, args)
    if args.action is not None and args.action not in ACTIONS:
        raise unknown("action", args.action, ACTIONS)
    given = words(args.names)
    moment = moments.before(read([path.parent]), path, line)
    print("\n".join(moments.what_it_is(moment)))
    if args.action is not None:
        print("\n".join(moments.another(moment, args.action, given)))
        return ExitCode.OK
    if moment.earlier is None:
        print("\n".join(moments.its_claims(moment)))
    text, is_step = moments.its_verdict(moment)
    print(text)
    return ExitCode.OK if is_step else ExitCode.NONCONFORMANCE


def _of_behaviour(path: Path, step: int, args: argparse.Namespace) -> int:
    """A step of a counterexample, guard by guard; or another action in the state before it."""
    from mesos_spec.tools.cli.saved import done
    from mesos_spec.tools.report import asking

    written, model, replayed = done(path)
    last = len(replayed.steps)
    if not 1 <= step <= last + 1:
        raise Misused(f"{path} has the steps 1 to {last}, and {last + 1} for its end")
    print(asking.where(written, model, step))
    s = replayed.states[step - 1]
    if args.action is not None:
        names = [action.name for action in model.spec.actions]
        if args.action not in names:
            raise unknown("action", args.action, names)
        print(asking.another(s, model.spec.action(args.action), words(args.names)))
    elif step <= last:
        print(asking.a_step(s, model, replayed.steps[step - 1]))
    else:
        print(asking.what_can_happen(s, model))
    return ExitCode.OK
