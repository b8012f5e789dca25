"""The page of dangerous pairs, from the models that let them meet."""

from __future__ import annotations

from docs.pages.text import code, page, requirements, sentence, table
from mesos_spec.models import named
from mesos_spec.models.interactions import PAIRS


def interactions() -> str:
    """spec/interactions.md."""
    rows = [
        (
            f"{pair.one} × {pair.other}",
            pair.danger,
            f"{code(pair.model)}, {_states(pair.model)}",
            f"{code(pair.witness.name)}: {sentence(pair.witness.doc)}",
            requirements(pair.witness.cites, "../docs/reference/requirements.md"),
        )
        for pair in PAIRS
    ]
    return page(
        "Interactions",
        "What is easy by itself goes wrong where it meets something else. These pairs have gone "
        "wrong in real clusters, or nearly did in ours. Each meets in a finished model: the "
        "SOMETIMES named here is true in some state of it, and every property holds in all of "
        "them (`mesos-spec check`). A model in which its pair never meets fails.",
        f"{len(rows)} pairs, in {len({pair.model for pair in PAIRS})} models.",
        table(("the two", "what could go wrong", "where they meet", "met when", "cites"), rows),
    )


def _states(model: str) -> str:
    expect = named(model).expect
    return "not finished" if expect is None else f"{expect.states:,} states"
