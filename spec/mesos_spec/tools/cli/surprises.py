"""Surprises: what people believe about Mesos that is not so.

Without a name, all of them, a line each.  With one, why it is not so, what to do about it, and the
shortest behaviour that shows it: who did what, and told whom.
"""

from __future__ import annotations

import argparse

from mesos_spec.tools.cli.common import ExitCode, say_json, unknown

EXAMPLE = """\
for example:
  mesos-spec surprises
  mesos-spec surprises an_unreachable_task_has_stopped
  mesos-spec surprises a_task_id_is_one_run --mermaid > story.mmd
  mesos-spec surprises --json
"""


def add(parser: argparse.ArgumentParser) -> None:
    """The arguments of `mesos-spec surprises`."""
    parser.add_argument("name", metavar="NAME", nargs="?", help="the story of this one")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--json", action="store_true", help="one JSON document, with all stories")
    how.add_argument("--mermaid", action="store_true", help="a story as a sequence diagram")


def run(args: argparse.Namespace) -> int:
    """Print the list, or a story."""
    from mesos_spec import surprises
    from mesos_spec.tools.report import stories

    every = {one.name: one for one in surprises.SURPRISES}
    if args.name is not None and args.name not in every:
        raise unknown("surprise", args.name, every)
    chosen = list(every.values()) if args.name is None else [every[args.name]]
    if args.json:
        say_json([stories.as_plain(one) for one in chosen])
    elif args.mermaid:
        for one in chosen:
            print(stories.as_mermaid(one))
    elif args.name is not None:
        print(stories.as_text(chosen[0]))
    else:
        for one in chosen:
            print(f"{one.name:<40} {stories.belief_of(one)}")
    return ExitCode.OK
