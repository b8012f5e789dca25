"""Do again what files say that models did, and see whether it still shows what it showed.

`mesos-spec check --save DIR` writes such files.  Every step is tried again: are its guards still
true, does it change the same?  In the end the property is asked: is it still broken, or still seen?
Who has mended a specification finds out here which counterexamples are gone.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mesos_spec.tools.cli.common import ExitCode

EXAMPLE = """\
for example:
  mesos-spec check --all --save found
  mesos-spec replay found/*.ndjson
  mesos-spec replay jugs.the_goal_is_not_reached.ndjson --model riddles/jugs.py:MODEL

exit codes: 0 all is as the files say; 4 something is not (it says which step, and why);
5 a file cannot be read, or its model not be found.
"""


def add(parser: argparse.ArgumentParser) -> None:
    """The arguments of `mesos-spec replay`."""
    parser.add_argument("files", metavar="FILE", nargs="+", type=Path, help="behaviours of models")
    parser.add_argument("--model", metavar="MODEL", help="of this model, whatever the files say")


def run(args: argparse.Namespace) -> int:
    """Replay each file, and say how it went."""
    from mesos_spec.tools.cli.saved import read
    from mesos_spec.tools.report.replay import Differs, judged, replay

    code = ExitCode.OK
    for path in args.files:
        written, model = read(path, args.model)
        try:
            done = replay(model, written)
            says = judged(model, written, done)
        except Differs as error:
            print(f"{path}: NOT AS IT WAS: {error}")
            code = ExitCode.NONCONFORMANCE
        else:
            steps = len(done.steps)
            print(f"{path}: {model.name}, {steps} step{'s' * (steps != 1)}, done again: {says}")
    return code
