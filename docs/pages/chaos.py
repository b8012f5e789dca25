"""The pages about experiments: scenarios, faults and mutants."""

from __future__ import annotations

from docs.pages.text import code, codes, page, requirements, table
from mesos_chaos.cli.faults import KINDS, TARGETS, sites
from mesos_chaos.mutants import shipped_mutants
from mesos_chaos.plan import (
    Cluster,
    Expect,
    Fault,
    Scenario,
    Strict,
    Workload,
    load_scenario,
    shipped,
)


# ---- scenarios -----------------------------------------------------------------------------
def scenarios() -> str:
    """docs/reference/scenarios.md."""
    loaded = {name: load_scenario(name)[1] for name in shipped()}
    return page(
        "Scenarios",
        "A scenario is a plan with a title and a reason. `mesos-chaos run NAME` runs it on "
        "real processes, `--tier 2` with their shells in virtual time, `--tier 1` with their "
        "cores in simulation; each time there are two phases: faults, "
        "then heal and demand progress. Their files are in "
        "[`chaos/mesos_chaos/scenarios`](../../chaos/mesos_chaos/scenarios); yours can be "
        "anywhere.",
        *(_scenario(name, one) for name, one in loaded.items()),
        "## The keys of a plan",
        "An unknown key, a wrong value or a fault without a time is refused, with the path to "
        "it. Names of roles and sites are in [faults](faults.md).",
        *(_keys(title, kind) for title, kind in TABLES),
    )


def _scenario(name: str, one: Scenario) -> str:
    made = one.cluster
    work = ", ".join(f"{w.items} of `{w.command}`" for w in one.workload)
    faults = [(code(f.kind.value), code(f.target), _when(f), _details(f)) for f in one.fault]
    facts = [
        f"{made.masters} masters, {made.agents} agents; {work}",
        f"must see {codes(one.expect.must_see)}" if one.expect.must_see else "",
        f"settles within {one.expect.settles_within_s:g} s after the heal",
        "" if 3 in one.tiers else "only in simulation, with `--tier 1`",
    ]
    blocks = [
        f"## {name}",
        f"**{one.title}.** {' '.join(one.why.split())}",
        "; ".join(fact for fact in facts if fact) + ".",
        table(("fault", "to", "when", "how"), faults) if faults else "No faults but its workload.",
    ]
    return "\n\n".join(blocks)


def _when(fault: Fault) -> str:
    return f"at {fault.at_s:g} s" if fault.at_s is not None else f"after `{fault.after}`"


def _details(fault: Fault) -> str:
    given = fault.model_dump(exclude_unset=True, exclude={"kind", "target", "at_s", "after"})
    return ", ".join(f"{key} = {value}" for key, value in given.items())


TABLES: tuple[tuple[str, type[Strict]], ...] = (
    ("The scenario itself", Scenario),
    ("[cluster]", Cluster),
    ("[[workload]]", Workload),
    ("[[fault]]", Fault),
    ("[expect]", Expect),
)


#: What each key is for.
MEANING = {
    "title": "what happens, in a line",
    "why": "what there is to learn from it",
    "tiers": "where it means something: 1 in simulation, 2 in virtual time, 3 on real processes",
    "seed": "of everything that is drawn",
    "masters": "how many compete to lead",
    "agents": "how many there are",
    "cpus": "processors: of each agent, or of each item",
    "mem_mb": "memory: of each agent, or of each item",
    "lease_s": "a leader that hangs is replaced after this",
    "timers": "options of `mesos-ref up` that differ, as `agent_ping_timeout_s = 1.0`",
    "foreign": "frameworks that make any well-formed call (simulation only)",
    "foreign_calls": "how many calls each of those makes",
    "misfits": "agents too old to join (simulation only)",
    "uneven": "whether the n-th agent has n times the processors (simulation only)",
    "held_back": "so many messages, drawn from the seed, arrive up to 2 s late (simulation only)",
    "slow_ends_s": "executors that end, or are killed, are gone up to so much later "
    "(simulation only)",
    "unordered_calls": "calls of executors of a framework's own overtake each other, up to 200 ms "
    "(simulation only)",
    "clock_skew_s": "wall clocks of processes, drawn from the seed, differ by up to so much; "
    "timers run as ever (simulation only)",
    "name": "of the framework; faults and reports speak of it so",
    "items": "pieces of work it wants done",
    "command": "what an item runs",
    "role": "it asks for offers in",
    "parallel": "at most so many items at once",
    "unruly": "now and then it kills, asks, suppresses, revives (simulation only)",
    "leaves": "it has itself removed when its items are done (simulation only)",
    "patient": "it refuses for long what it has no use for, and revives (simulation only)",
    "executor": "one of its own for each task, or one of the framework's (simulation only)",
    "same_ids": "it tries an item again at once, under the id of before (simulation only)",
    "stillborn": "so many of its executors start and never subscribe (simulation only)",
    "rivals": "how often another scheduler takes its framework over (simulation only)",
    "kind": "what is done",
    "target": "to whom",
    "at_s": "when: after so many seconds",
    "after": "or when: after `party.action#N`",
    "for_s": "undone after this; else at the heal",
    "restart": "whether what is killed comes back before the heal",
    "restart_after_s": "and after how long",
    "direction": "of a cut or a delay: up, down or both",
    "delay_s": "how late what is delayed is delivered",
    "moment": "of a kill at a site: before what was done is kept (unkept), before it is sent "
    "(unsent), or after; drawn, if it is not given (simulation only)",
    "must_see": "actions without which the run proves nothing: the verdict is *unknown*",
    "settles_within_s": "how soon after the heal all work must be done",
    "goal": "a command that must end with status 0 after that",
}


def _keys(title: str, kind: type[Strict]) -> str:
    nested = {"cluster", "workload", "fault", "expect"} if kind is Scenario else set()
    rows = []
    for name, field in kind.model_fields.items():
        if name not in nested:
            default = field.get_default(call_default_factory=True)
            shown = "needed" if field.is_required() else code(_toml(default))
            rows.append((code(name), MEANING.get(name, ""), shown))
    return f"### {title}\n\n" + table(("key", "meaning", "default"), rows)


def _toml(value: object) -> str:
    if value is None:
        return "(none)"
    return str(value).lower() if isinstance(value, bool) else repr(value).replace("'", '"')


# ---- faults --------------------------------------------------------------------------------
def faults() -> str:
    """docs/reference/faults.md."""
    parties: dict[str, list[str]] = {}
    for site in sites():
        party, _, action = site.partition(".")
        parties.setdefault(party, []).append(action)
    return page(
        "Faults",
        "A fault is what, to whom, when and for how long. Faults name roles, never process "
        "ids, and every one has its undo, which is done after `for_s`, or at the heal.",
        "## Kinds",
        table(("kind", "what is done"), [(code(k), says) for k, says in KINDS.items()]),
        "## Targets",
        table(("target", "who that is"), [(code(t), says) for t, says in TARGETS.items()]),
        "## When",
        '`at_s = 2.5` is a time since the work began. `after = "SITE#N"` is the moment when '
        "SITE has been seen N times; a site is an [action](actions.md) of a party, as traces "
        "show it:",
        *(f"* **{party}.** {codes(actions)}" for party, actions in parties.items()),
    )


# ---- mutants -------------------------------------------------------------------------------
#: Bugs that Apache Mesos had, and that cannot be had here before their feature is.
WAITING = {
    "quota": "MESOS-4527, 7099, 8293, 8339, 8604, 9692, 9786",
    "reservations and volumes": "MESOS-5448, 5698, 6142, 7366, 9555",
    "operations": "MESOS-8422, 9480, 9557, 10011",
    "hierarchical roles and weights": "MESOS-5601, 9930",
    "maintenance": "MESOS-4831, 10018",
    "a registry": "MESOS-6445, and registering while a write is under way",
    "attributes and capabilities that change": "MESOS-9124, 9554",
    "versions of an agent's resources": "MESOS-7187",
    "authorisation and principals": "MESOS-2842, 8624",
    "watches in ZooKeeper": "MESOS-9426",
}


def mutants() -> str:
    """docs/reference/mutants.md."""
    shipped = shipped_mutants()
    rows = [
        (
            f'<a id="{name}"></a>{code(name)}',
            " ".join(one.story.split()),
            requirements([one.breaks]),
            code(one.module),
            ", ".join(map(str, one.tiers)),
        )
        for name, one in shipped.items()
    ]
    simulated = sum(1 in one.tiers for one in shipped.values())
    real = sum("MESOS-" in one.story for one in shipped.values())
    return page(
        "Mutants",
        "A mutant is a small source edit with a story: a bug that somebody once had, or could "
        "have. `mesos-chaos mutants` plants each in a process of its own and runs plans until "
        "something sees it; a mutant that nobody sees is a hole in the checking. The product "
        "holds no trace of them. [How they are hunted, and how to add "
        "one](../explanation/chaos.md#mutants).",
        f"{len(shipped)} mutants: {real} are bugs that Apache Mesos had; {simulated} are hunted "
        f"in simulation (tier 1), {len(shipped) - simulated} are bugs of shells, hunted on real "
        "processes (tier 3). Their files are in "
        "[`chaos/mesos_chaos/mutants`](../../chaos/mesos_chaos/mutants).",
        table(("mutant", "story", "breaks", "module", "tier"), rows),
        "## Waiting for their feature",
        table(("feature", "bugs of Apache Mesos"), WAITING.items()),
    )
