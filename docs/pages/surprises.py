"""The page of surprises: false beliefs about Mesos, each with the shortest proof."""

from __future__ import annotations

from docs.pages.text import code, page, requirements, table
from mesos_spec.kernel import Surprise
from mesos_spec.models import named
from mesos_spec.state import State
from mesos_spec.surprises import SURPRISES
from mesos_spec.tools.report import stories


def surprises_page() -> str:
    """docs/reference/surprises.md."""
    rows = [
        (f"[{one.name.replace('_', ' ')}](#{one.name})", stories.belief_of(one))
        for one in SURPRISES
    ]
    return page(
        "Surprises",
        "What people believe about Mesos that is not so. Each belief is a property that a "
        "[model](models.md) breaks; below it stands the shortest behaviour that does, found by the "
        "checker and played again by a test, from where the model starts. "
        "`mesos-spec surprises NAME` tells it in a terminal.",
        table(("surprise", "what is believed"), rows),
        *map(_told, SURPRISES),
    )


def _told(one: Surprise[State]) -> str:
    """A surprise with its story."""
    rows = [
        (
            str(at),
            line.who,
            f"[{line.action}](actions.md#{line.action})",
            "<br>".join(f"{what} → {whom}" for what, whom in line.told),
        )
        for at, line in enumerate(stories.story(one), 1)
    ]
    return "\n\n".join(
        [
            f'<a id="{one.name}"></a>\n\n## {one.name.replace("_", " ").capitalize()}?',
            f"*{stories.belief_of(one)}*",
            f"**But** {one.because}",
            f"**So:** {one.instead}",
            f"*cites* {requirements(one.believed.cites)} · *seen in* {code(one.model)}: "
            f"{named(one.model).title}",
            table(("", "who", "does", "tells"), rows),
        ]
    )
