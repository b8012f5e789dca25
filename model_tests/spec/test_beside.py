"""Models searched side by side: the same results, in the same order, as one after the other."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from mesos_spec.kernel.model import Model
from mesos_spec.models import named
from mesos_spec.tools.cli import beside
from mesos_spec.tools.search.checker import Limits, Result, search
from mesos_spec.tools.search.memo import Memoised
from model_tests.spec.test_outputs import COMMIT, DIE_HARD, FAILS


def checked(*arguments: str) -> tuple[int, list[dict[str, Any]]]:
    """The exit code of `mesos-spec check`, and what it says of each model but how long it took."""
    command = [sys.executable, "-m", "mesos_spec", "check", "--json", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert not done.stderr
    models = json.loads(done.stdout)["models"]
    return done.returncode, [{**model, "seconds": 0} for model in models]


def test_the_same_is_found_side_by_side(tmp_path: Path) -> None:
    """Also where a claim is broken, one is live, and one specification is wrong."""
    wrong = tmp_path / "fails.py"
    wrong.write_text(FAILS)
    models = "kills", DIE_HARD, "calls-to-nobody", f"{wrong}:MODEL", "offered-in-the-end", COMMIT
    alone, together = checked(*models, "--at-once", "1"), checked(*models, "--at-once", "2")
    assert alone == together
    assert [one["model"] for one in together[1]][:3] == ["kills", "die_hard", "calls-to-nobody"]
    assert together[0] == 5
    assert "list index out of range" in together[1][3]["counterexample"]["why"]


def test_what_was_interrupted_is_not_begun() -> None:
    models = [named(name) for name in ("figure-3", "lost-and-found", "calls-to-nobody")]
    stopped: list[str] = []

    def looked(model: Model[Any]) -> Result[Any]:
        return search(model, Memoised(model), Limits())

    one_by_one = beside.searched(models, looked, 1, stopped)
    assert next(one_by_one).model.name == "figure-3"
    stopped.append("interrupted")
    assert not list(one_by_one)
    assert not list(beside.searched(models, looked, 2, stopped))
