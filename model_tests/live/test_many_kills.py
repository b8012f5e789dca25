"""Real processes under many SIGKILLs and resets: the merged trace conforms, the work gets done.

And the judge can still tell: one message that is sent or heard twice, planted in a copy of such a
trace, is found, and laid at the right door.
"""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio

from mesos_chaos.live.faults import LiveFaults
from mesos_chaos.live.world import World, open_world
from mesos_chaos.plan import Cluster, Fault, FaultKind, Plan, Workload
from mesos_ref.cluster.leftovers import marked
from mesos_spec.bounds import Bounds
from mesos_spec.tools.judging.judge import judge
from mesos_spec.tools.judging.trace import read_traces
from mesos_spec.tools.judging.verdict import Outcome, Verdict
from mesos_spec.tools.judging.whole import WHOLE
from model_tests.live.commands import until

pytestmark = [pytest.mark.live, pytest.mark.slow, pytest.mark.needs("linux")]

PATIENCE_S = 280.0
MASTER_KILLS, AGENT_KILLS, RESETS = 20, 20, 160
TASKS, KILLS = 50, 20
#: What a kill may wait for, so that there is something to lose; but it does not wait for long.
SITES = (
    *("agent.be_registered", "agent.run", "agent.executor_updates", "agent.hear_ack"),
    *("master.admit", "master.offer", "master.accept", "master.forward"),
)
LONGEST_S = 2.0
QUICK = {"registration_backoff_max_s": 0.1}


def verdict_of(folder: Path) -> Verdict:
    """What the judge says of the traces there."""
    return judge(read_traces([folder]), WHOLE, Bounds())


def survive(plan: Plan, folder: Path, hurt: Callable[[World], Any]) -> Verdict:
    """Run `plan`'s work while `await hurt(world)` is done to it; all must be done, and conform."""

    async def main() -> str:
        with trio.fail_after(PATIENCE_S):
            async with open_world(plan, folder, print) as world:
                for framework in world.frameworks.values():
                    framework.start(world.nursery)
                await hurt(world)
                for name, framework in world.frameworks.items():
                    await framework.done.wait()
                    assert framework.finished, world.pending()
                    assert framework.items().progress().done == framework.workload.items, name
                return world.cluster.mark

    mark = trio.run(main)
    assert marked(mark) == []
    verdict = verdict_of(folder / "trace")
    assert verdict.outcome is Outcome.CONFORMS, verdict.text()
    return verdict


def a_fault(kind: FaultKind, target: str) -> Fault:
    """One that strikes now; whoever is killed stays dead until the test starts it again."""
    return Fault(kind=kind, target=target, at_s=0.0, restart=False)


async def kill_again_and_again(world: World, name: str, times: int, chance: random.Random) -> None:
    """SIGKILL one member at random moments of its lives, and start it again each time."""
    faults = LiveFaults(world)
    target = name.replace("-", ":")
    for _ in range(times):
        site = chance.choice(SITES)
        with trio.move_on_after(LONGEST_S):
            await world.sites.until(site, world.sites.seen[site] + chance.randint(1, 3))
        assert await faults.strike(a_fault(FaultKind.KILL, target)) == f"kill {name}"
        await world.cluster.restart(name)


async def reset_again_and_again(world: World, times: int, chance: random.Random) -> None:
    """Reset what runs between the two, at random moments, whenever there is something."""
    faults, [proxy] = LiveFaults(world), world.proxies.of("agent-1")
    for _ in range(times):
        await trio.sleep(chance.uniform(0, 0.25))
        await until(lambda: proxy.carries > 0 and world.cluster.member("agent-1").is_running)
        await faults.strike(a_fault(FaultKind.RESET, "agent:1"))


# ---- two processes, two hundred kills and resets ------------------------------------------------


@pytest.fixture(scope="module")
def battered(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Verdict]:
    """Traces of a master and an agent, killed and cut off two hundred times; and the verdict."""
    folder = tmp_path_factory.mktemp("battered")
    plan = Plan(
        cluster=Cluster(masters=1, agents=1, cpus=2.0, timers=QUICK),
        workload=[Workload(name="work", items=100, command="sleep 0.2", cpus=0.2, mem_mb=16)],
    )

    async def hurt(world: World) -> None:
        async with trio.open_nursery() as nursery:
            for name, times in (("master-1", MASTER_KILLS), ("agent-1", AGENT_KILLS)):
                chance = random.Random(name)
                nursery.start_soon(kill_again_and_again, world, name, times, chance)
            nursery.start_soon(reset_again_and_again, world, RESETS, random.Random(3))

    verdict = survive(plan, folder, hurt)
    return folder / "trace", verdict


def test_two_processes_under_two_hundred_kills_and_resets_conform(
    battered: tuple[Path, Verdict],
) -> None:
    traces, verdict = battered
    assert MASTER_KILLS + AGENT_KILLS + RESETS == 200
    [harness] = traces.glob("harness-*.ndjson")
    done = [json.loads(line)["fault"] for line in harness.read_bytes().splitlines()[1:]]
    kinds = [fault["kind"] for fault in done]
    assert (kinds.count("kill"), kinds.count("reset")) == (MASTER_KILLS + AGENT_KILLS, RESETS)
    for role, kills in (("master", MASTER_KILLS), ("agent", AGENT_KILLS)):
        assert len(list(traces.glob(f"{role}-*.ndjson"))) == kills + 1
    taken = verdict.taken
    assert taken["drop_link"] + taken["lose_agent"] > 0, "no reset was noticed"
    assert taken["resend"] + taken["admit"] > MASTER_KILLS, taken


def test_one_message_sent_twice_is_found(battered: tuple[Path, Verdict], tmp_path: Path) -> None:
    folder = shutil.copytree(battered[0], tmp_path / "copy")
    path, records, at = _last(
        folder, "master", lambda r: any(s.get("to") == "agent" for s in r["sent"])
    )
    sent = next(s for s in records[at]["sent"] if s.get("to") == "agent")
    again = {**sent, "id": [sent["id"][0], sent["id"][1] + 1]}
    _write(path, [*records[:at], {**records[at], "sent": [*records[at]["sent"], again]}])
    _is_found(folder, "master")


def test_one_message_heard_twice_is_found(battered: tuple[Path, Verdict], tmp_path: Path) -> None:
    folder = shutil.copytree(battered[0], tmp_path / "copy")
    path, records, at = _last(folder, "agent", lambda r: (r["heard"] or {}).get("from") == "master")
    again = {**records[at], "did": [], "sent": [], "view": {}}
    again.pop("whole", None)
    _write(path, [*records[: at + 1], again, *records[at + 1 :]])
    _is_found(folder, "agent")


def _last(
    folder: Path, role: str, fits: Callable[[dict[str, Any]], bool]
) -> tuple[Path, list[dict[str, Any]], int]:
    """The longest trace of a role, its lines, and where the last record is that fits."""
    path = max(folder.glob(f"{role}-*.ndjson"), key=lambda path: path.stat().st_size)
    whole = path.read_bytes().rpartition(b"\n")[0]
    lines = [json.loads(line) for line in whole.splitlines()]
    return path, lines, max(n for n, record in enumerate(lines) if n and fits(record))


def _write(path: Path, lines: list[dict[str, Any]]) -> None:
    numbered = [{**line, **({"seq": n - 1} if n else {})} for n, line in enumerate(lines)]
    path.write_text("".join(json.dumps(line) + "\n" for line in numbered))


def _is_found(folder: Path, party: str) -> None:
    verdict = verdict_of(folder)
    assert verdict.outcome is Outcome.VIOLATES
    assert verdict.violations[0].party == party, verdict.text()


# ---- one agent, fifty tasks, twenty kills -------------------------------------------------------


def test_an_agent_killed_twenty_times_under_fifty_tasks_finishes_them_all(tmp_path: Path) -> None:
    plan = Plan(
        cluster=Cluster(masters=1, agents=1, cpus=8.0, timers=QUICK),
        workload=[Workload(name="sleepers", items=TASKS, command="sleep 20", cpus=0.1, mem_mb=16)],
    )

    async def hurt(world: World) -> None:
        await world.sites.until("agent.run", TASKS)
        await kill_again_and_again(world, "agent-1", KILLS, random.Random(1))
        [framework] = world.frameworks.values()
        progress = framework.items().progress()
        assert progress.attempts - progress.lost <= TASKS, "some item ran twice at once"

    survive(plan, tmp_path, hurt)
