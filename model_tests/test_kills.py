"""The kill matrix is of the mutants as they are, and says why generic ones survive."""

from __future__ import annotations

import pytest

from docs.pages import kills


@pytest.mark.parametrize("name", ["without-hints", "with-hints", "virtual"])
def test_the_kill_matrix_is_of_the_mutants_as_they_are(name: str) -> None:
    if kills.rows(name):
        assert kills.stale(name) == [], "stale: run `make kills`"


def test_the_kill_matrix_is_of_generic_mutants_as_they_are_drawn() -> None:
    """Mostly: a change of a core changes those at its lines."""
    assert len(kills.rows("generic")) >= kills.GENERIC
    assert len(kills.stale("generic")) < 0.2 * kills.GENERIC, "stale: run `make kills`"


def test_thirty_generic_survivors_are_explained() -> None:
    left = [row["id"] for row in kills.rows("generic").values() if not row["caught"]]
    said = kills.explained()
    assert {one["is"] for one in said.values()} <= kills.WHY.keys()
    assert len(said.keys() & left) >= min(30, len(left))
