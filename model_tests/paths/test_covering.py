"""The table of handlers is of the code as it is, and its measure can tell."""

from __future__ import annotations

import re

import pytest

from model_tests.paths import covering
from model_tests.paths.covering import (
    PACKAGES,
    Handlers,
    Measuring,
    functions_of,
    handlers,
    imported_by_cores,
    path_of,
    words,
)


def test_each_module_that_a_core_imports_holds_handlers_or_a_reason_why_not() -> None:
    sorted_in = {*handlers().modules, *handlers().no_modules}
    assert sorted_in == imported_by_cores()
    assert not {*handlers().modules} & {*handlers().no_modules}
    assert {name.rpartition(".")[0] for name in handlers().modules} == {*PACKAGES}


def test_each_function_that_is_no_handler_exists_and_has_a_reason() -> None:
    there = {name for module in handlers().modules for name in functions_of(module)}
    assert handlers().no_functions.keys() <= there
    named = [*handlers().no_modules.values(), *handlers().no_functions.values()]
    assert all(len(why) > 20 for why in [*named, *handlers().uncovered.values()])


def test_each_branch_that_is_listed_is_in_the_code() -> None:
    """Both its lines are; that nothing takes it is measured where the paths are walked."""
    for (function, branch), _ in handlers().uncovered.items():
        module = function.partition(":")[0]
        lines = {line.strip() for line in path_of(module).read_text().splitlines()} | {"end"}
        assert function in functions_of(module)
        assert any(
            (branch[: at.start()], branch[at.end() :]) in {(a, b) for a in lines for b in lines}
            for at in re.finditer(" → ", branch)
        ), f"{function}: {branch}"


def test_what_is_called_is_taken_and_the_rest_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    from mesos_ref.master import reconcile
    from mesos_ref.master.config import MasterConfig
    from mesos_ref.master.state import State
    from model_tests.paths.players import Counting

    of_one = Handlers(("mesos_ref.master.state",), {}, {}, {}, 0.9, 0, 0)
    monkeypatch.setattr(covering, "handlers", lambda: of_one)
    measuring = Measuring()
    m = State(MasterConfig(), Counting("m"), "m", None)  # type: ignore[arg-type]
    m.mark("epoch")
    with measuring.on():
        assert reconcile.is_settled(m) is False
        m.send(None, None)  # type: ignore[arg-type]
    m.watched = True
    m.mark("epoch")
    taken, missed = measuring.branches()
    send = "mesos_ref.master.state:State.send"
    assert {branch for name, branch in taken} == {"if link is not None: → end"}
    assert [b for f, b in missed if f == send] == [
        "if link is not None: → self.effects.append(SendFrame(link, frame))"
    ]
    assert any("watched" in branch for _, branch in missed)


def test_a_branch_is_told_by_its_two_lines() -> None:
    assert words(["if a:", "    b()"], 1, 2) == "if a: → b()"
    assert words(["if a:", "    b()"], 1, -1) == "if a: → end"
