"""What a hunt tries, in which order: hints, tiny plans, plans that get to the mutant's lines, more.

Plans of the corpus that have caught the mutant before, and scenarios that its file names, are its
*hints*.  Two tiny plans come next, since most bugs show at once.  If there is a survey, the plans
that reach the edited lines follow; then plans are drawn, of those with strangers, with losses, and
brief ones in turn, between the shipped scenarios, seed after seed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from mesos_chaos.mutants import Mutant
from mesos_chaos.plan import Plan, load_scenario, shipped
from mesos_chaos.search.dice import Seeded
from mesos_chaos.search.drawing import BRIEF, LOSSES, STRANGERS, draw_plan
from mesos_chaos.search.exhaustive import SMALL, SMALL_CUSTOM, singles
from mesos_chaos.search.keeping import shipped_corpus
from mesos_chaos.search.portfolio import Strategy, draw

SEEDS_WHERE = 5  #: seeds of the scenarios a mutant names, before all others are tried
#: Scenarios that are tried before the others: much happens in little time.
RICH = ("strangers_on_lost_agents", "everything_dies", "unruly_framework", "deposed_leader")
DRAWN_EACH = 3  #: drawn plans before each scenario
TINY = {"command": SMALL, "custom": SMALL_CUSTOM}
EVERY = 4  #: of all single faults of the tiny plans, every so manieth is surveyed
#: How drawn plans of a survey are drawn, in turns.
TASTES = {"brief": BRIEF, "strangers": STRANGERS, "losses": LOSSES}
WAYS = (
    "brief",
    "strangers",
    "losses",
    "brief",
    "strangers",
    "drawn",
    "losses",
    "swarm",
    "hold-back",
)
AFTERWARDS = ("strangers", "losses", "brief")


@dataclass(frozen=True, slots=True)
class Try:
    """One plan to try, and where it comes from."""

    strategy: str
    name: str
    seed: int

    @property
    def key(self) -> tuple[str, str, int]:
        """All of it."""
        return self.strategy, self.name, self.seed

    @property
    def text(self) -> str:
        """For people."""
        return f"{self.strategy} {self.name} #{self.seed}"

    @property
    def plan(self) -> Plan:
        """The plan itself."""
        match self.strategy:
            case "small":
                return TINY[self.name]
            case "single":
                single = single_faults(self.name)[self.seed]
                return single.model_copy(update={"seed": self.seed})
            case "corpus":
                return shipped_corpus()[self.name].plan
            case "drawn":
                return draw_plan(Seeded(f"hunt/{self.seed}"))
            case "brief" | "strangers" | "losses":
                return draw_plan(Seeded(f"{self.strategy}/{self.seed}"), TASTES[self.strategy])
            case "swarm" | "hold-back":
                return draw(Strategy(self.strategy), f"hunt/{self.seed}")
            case _:
                return load_scenario(self.name)[1].bare().model_copy(update={"seed": self.seed})


@cache
def single_faults(name: str) -> list[Plan]:
    """All single faults of a tiny plan.  Asked first where there is no mutant."""
    return singles(TINY[name])


@cache
def simulated() -> tuple[str, ...]:
    """The shipped scenarios that can be simulated, the rich ones first."""
    names = [n for n in shipped() if 1 in load_scenario(n)[1].tiers]
    return tuple(sorted(names, key=lambda name: (name not in RICH, name)))


def surveyed(many: int) -> list[Try]:
    """The plans of a survey: the corpus, each scenario twice, drawn ones; and single faults.

    Single faults cost least by far, and come besides those `many`, which are the others.
    """
    found = [Try("small", name, 0) for name in TINY]
    found += [Try("corpus", e.id, e.plan.seed) for e in shipped_corpus().values() if e.tier == 1]
    found += [Try("scenario", name, seed) for seed in range(2) for name in simulated()]
    ways = [WAYS[n % len(WAYS)] for n in range(max(0, many - len(found)))]
    found = found[:many] + [Try(way, way, 10_000 + n) for n, way in enumerate(ways)]
    tiny = [
        Try("single", name, n) for name in TINY for n in range(0, len(single_faults(name)), EVERY)
    ]
    return found + tiny[: 2 * many]


def tries(
    mutant: Mutant, hints: bool = True, seeds: int = 40, first: Sequence[Try] = ()
) -> Iterator[Try]:
    """All plans to try, in order; each once.  `first`: those that reach the mutant's lines."""
    done: set[Try] = set()
    for one in _all(mutant, hints, seeds, first):
        if one not in done:
            done.add(one)
            yield one


def _all(mutant: Mutant, hints: bool, seeds: int, first: Sequence[Try]) -> Iterator[Try]:
    hinted = mutant.where if hints else ()
    for one in shipped_corpus().values() if hints else ():
        if one.mutant == mutant.id:
            yield Try("corpus", one.id, one.plan.seed)
    for seed in range(SEEDS_WHERE):
        for name in hinted:
            yield Try("hint", name, seed)
    if seeds:
        yield Try("small", "command", 0)
        yield Try("small", "custom", 0)
    yield from (one for one in first if hints or one.strategy != "corpus")
    drawn = 0
    for seed in range(seeds):
        for name in simulated():
            for _ in range(DRAWN_EACH):
                way = AFTERWARDS[drawn % len(AFTERWARDS)]
                yield Try(way, way, drawn)
                drawn += 1
            if name not in hinted or seed >= SEEDS_WHERE:
                yield Try("scenario", name, seed)
