"""A hunter: a warm process that hunts one mutant after another, as it is told line by line.

Each line of standard input is a mutant and how to hunt it, in JSON; each is answered by a line.  Or
it is a survey to make.
`Hunter` is the end that tells it: hunts from any process, however many threads and modules that
has.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import IO

from mesos_chaos.mutants import Mutant
from mesos_chaos.mutants.hunt import FAILED, Hunt, Rules, hunt
from mesos_chaos.mutants.scratch import warm_up
from mesos_chaos.mutants.survey import read_survey, survey


class Hunter:
    """A hunting process, for as long as it is held (`with`)."""

    def __enter__(self) -> Hunter:
        command = [sys.executable, "-m", "mesos_chaos.mutants.hunter"]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            self._process.kill()
        self._pipe(self._process.stdin).close()
        self._process.wait()
        self._pipe(self._process.stdout).close()

    def hunt(self, mutant: Mutant, rules: Rules | None = None) -> Hunt:
        """Hunt one mutant."""
        asked = {"mutant": mutant.model_dump(), "rules": asdict(rules or Rules())}
        pipe = self._pipe(self._process.stdin)
        pipe.write(json.dumps(asked) + "\n")
        pipe.flush()
        line = self._pipe(self._process.stdout).readline()
        if not line:
            return Hunt(id=mutant.id, caught=False, property=f"{FAILED}the hunter has ended")
        return Hunt(**json.loads(line))

    def survey(self, path: Path, plans: int) -> list[str]:
        """Have the survey in that file, made anew if it must be: what breaks without a mutant."""
        pipe = self._pipe(self._process.stdin)
        pipe.write(json.dumps({"survey": str(path), "plans": plans}) + "\n")
        pipe.flush()
        line = self._pipe(self._process.stdout).readline()
        broken: list[str] = json.loads(line) if line else [f"{FAILED}no survey"]
        return broken

    @staticmethod
    def _pipe(pipe: IO[str] | None) -> IO[str]:
        assert pipe is not None
        return pipe


def main() -> None:
    """Hunt what is asked for, until there is no more."""
    warm_up()
    read = cache(lambda path: read_survey(Path(path)) if path else None)
    for line in sys.stdin:
        asked = json.loads(line)
        if "survey" in asked:
            made = survey(Path(asked["survey"]), asked["plans"])
            print(json.dumps([f"{name}: {says}" for name, says in made.broken.items()]), flush=True)
            continue
        rules = Rules(**asked["rules"])
        found = hunt(Mutant.model_validate(asked["mutant"]), rules, read(rules.survey))
        print(json.dumps(asdict(found)), flush=True)


if __name__ == "__main__":
    main()
