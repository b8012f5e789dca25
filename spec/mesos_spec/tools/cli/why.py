"""Why a record of a trace is a step of the specification or is none; why another would be or not.

All traces in the record's folder are followed up to it.  Then each action it claims is asked guard
by guard, with the values that were read.  With an ACTION, that one is asked instead, with the names
that bring it closest; names may be given.
"""

from __future__ import annotations

import argparse

from mesos_spec.tools.cli.common import ExitCode, Misused, unknown

EXAMPLE = """\
for example:
  mesos-spec why runs/today/master-m1-ab12.ndjson:41
  mesos-spec why runs/today/master-m1-ab12.ndjson:41 offer
  mesos-spec why runs/today/master-m1-ab12.ndjson:41 offer agent=a1 framework=f1

41 is a line of the file: line 1 is the header, line 2 the first record.
exit codes: 0 it is a step (or: an answer was given); 4 it is none; 5 there is no such record.
"""


def add(parser: argparse.ArgumentParser) -> None:
    """The arguments of `mesos-spec why`."""
    parser.add_argument("record", metavar="FILE:LINE", help="a record, as reports name it")
    parser.add_argument("action", metavar="ACTION", nargs="?", help="ask of this one instead")
    parser.add_argument("names", metavar="name=value", nargs="*", help="names of the action")


def run(args: argparse.Namespace) -> int:
    """Follow the run up to the record, and explain."""
    from mesos_spec.mesos import ACTIONS
    from mesos_spec.tools.cli.trace import read
    from mesos_spec.tools.judging import moments

    path, line = moments.split(args.record)
    if not path.is_file():
        raise Misused(f"{path}: there is no such file")
    if args.action is not None and args.action not in ACTIONS:
        raise unknown("action", args.action, ACTIONS)
    words = _words(args.names)
    moment = moments.before(read([path.parent]), path, line)
    print("\n".join(moments.what_it_is(moment)))
    if args.action is not None:
        print("\n".join(moments.another(moment, args.action, words)))
        return ExitCode.OK
    if moment.earlier is None:
        print("\n".join(moments.its_claims(moment)))
    text, is_step = moments.its_verdict(moment)
    print(text)
    return ExitCode.OK if is_step else ExitCode.NONCONFORMANCE


def _words(given: list[str]) -> dict[str, str]:
    words = {}
    for word in given:
        name, equals, value = word.partition("=")
        if not equals:
            raise Misused(f"{word!r} names nothing: give name=value")
        words[name] = value
    return words
