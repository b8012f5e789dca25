"""One run of `mesos-chaos run`, in any tier: carried out, judged, kept if it is worth it, told."""

from __future__ import annotations

import argparse
import time
import traceback
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mesos_chaos.cli import EXIT_USAGE
from mesos_chaos.junit import Case
from mesos_chaos.plan import Scenario, shipped

if TYPE_CHECKING:
    from pathlib import Path

    from mesos_chaos.live.run import LiveResult
    from mesos_chaos.sim.run import SimResult
    from mesos_spec.tools.report.findings import Finding


@dataclass(slots=True, kw_only=True)
class Done:
    """What one run came to, for people and machines."""

    name: str
    seed: int
    code: int
    headline: str
    text: str
    facts: dict[str, Any]
    findings: list[Finding] = field(default_factory=list)
    took_s: float = 0.0

    @property
    def case(self) -> Case:
        """The run as JUnit has it."""
        failure = self.text if self.code else None
        unknown = self.code in (2, EXIT_USAGE)
        return Case(self.name, self.seed, self.took_s, failure, unknown=unknown)


def one(args: argparse.Namespace, name: str, scenario: Scenario) -> Done:
    """Carry out one run as the command line asks for it; whatever it comes to is told."""
    began = time.monotonic()
    try:
        done = _live(args, name, scenario) if args.tier == 3 else _simulated(args, name, scenario)
    except Exception as error:
        done = _raised(args, name, scenario, error)
    done.took_s = time.monotonic() - began
    return done


def _raised(args: argparse.Namespace, name: str, scenario: Scenario, error: Exception) -> Done:
    """A run that came to no verdict: a core of ours has raised, or the harness has failed."""
    from mesos_chaos.findings import CARRIED_OUT, RAISES_NOTHING, failed
    from mesos_chaos.folder import fresh_folder
    from mesos_chaos.search.breaking import raised_in_product
    from mesos_chaos.writing import scenario_text

    where = raised_in_product(error)
    run = run_name(name, scenario.seed)
    folder = fresh_folder(args.dir, name, scenario.seed, args.tier)
    plan = folder / "plan.toml"
    plan.write_text(scenario_text(scenario))
    why = f"{type(error).__name__}: {error}"
    if where is not None:
        why = f"{where} raised {why}"
    headline = f"{'HARNESS FAILED' if where is None else 'RAISED'}  {run}: {why}"
    story = "".join(traceback.format_exception(error)).rstrip()
    text = f"{headline}\n{story}\nrun directory {folder}"
    (folder / "report.txt").write_text(text + "\n")
    return Done(
        name=name,
        seed=scenario.seed,
        code=EXIT_USAGE if where is None else 1,
        headline=headline,
        text=text,
        facts={"scenario": name, "seed": scenario.seed, "error": why, "folder": str(folder)},
        findings=failed(run, CARRIED_OUT if where is None else RAISES_NOTHING, why, plan),
    )


def run_name(name: str, seed: int) -> str:
    """A run's name in reports."""
    return f"{name} seed={seed}"


# ---- in simulation -------------------------------------------------------------------------------
def _simulated(args: argparse.Namespace, name: str, scenario: Scenario) -> Done:
    from mesos_chaos.sim.run import simulate
    from mesos_chaos.virtual.run import run_virtually

    result, _ = simulate(scenario) if args.tier == 1 else run_virtually(scenario)
    if not (result.exit_code or args.keep):
        return _told(args, name, scenario, result, None)
    from mesos_chaos.folder import fresh_folder, write_reports
    from mesos_chaos.kept import keep

    folder = fresh_folder(args.dir, name, scenario.seed, args.tier)
    result = keep(folder, scenario, args.tier)
    done = _told(args, name, scenario, result, folder)
    again = [_again(args, name, scenario, folder)]
    write_reports(folder, scenario, done.text, done.facts, result.verdict, again)
    return done


def findable(name: str, folder: Path | None) -> str:
    """What `run` finds a scenario by: its name, or the plan that its run has kept."""
    return name if name in shipped() or folder is None else str(folder / "plan.toml")


def _again(args: argparse.Namespace, name: str, scenario: Scenario, folder: Path | None) -> str:
    plan = findable(name, folder)
    return f"mesos-chaos run {plan} --tier {args.tier} --seed {scenario.seed}"


def _told(
    args: argparse.Namespace,
    name: str,
    scenario: Scenario,
    result: SimResult,
    folder: Path | None,
) -> Done:
    from mesos_chaos.findings import findings

    verdict = result.verdict
    word = {0: "CONFORMS", 2: "UNKNOWN", 3: "DOES NOT SETTLE"}.get(result.exit_code, "VIOLATES")
    if result.late and result.exit_code == 3:
        word = "IS LATE"
    headline = (
        f"{word}  {run_name(name, scenario.seed)}: {verdict.records} records judged, "
        f"{result.simulated_s:.1f} simulated s, {result.events} "
        f"{'events' if args.tier == 1 else 'pieces sent'}"
    )
    lines = [headline, *(f"  fault {line}" for line in result.faults_done)]
    lines += [f"  pending: {why}" for why in result.pending]
    lines += [f"  leak: {what}" for what in result.leaks]
    lines += [f"  late: {what}" for what in result.late]
    lines.append(verdict.text())
    lines += [] if folder is None else [f"run directory {folder}"]
    lines.append(f"again: {_again(args, name, scenario, folder)}")
    facts = {
        "scenario": name,
        "seed": scenario.seed,
        "tier": args.tier,
        "exit_code": result.exit_code,
        "folder": None if folder is None else str(folder),
        "faults": result.faults_done,
        "pending": result.pending,
        "missed": result.missed,
        "leaks": result.leaks,
        "late": result.late,
        "verdict": verdict.json(),
    }
    unsettled = result.pending or ["it does not settle"]
    return Done(
        name=name,
        seed=scenario.seed,
        code=result.exit_code,
        headline=headline,
        text="\n".join(lines),
        facts=facts,
        findings=findings(
            run_name(name, scenario.seed),
            verdict,
            unsettled=[] if result.settled or verdict.violations or result.late else unsettled,
            leaks=result.leaks,
            late=result.late,
            plan=None if folder is None else folder / "plan.toml",
        ),
    )


# ---- on real processes ---------------------------------------------------------------------------
def _live(args: argparse.Namespace, name: str, scenario: Scenario) -> Done:
    import trio

    from mesos_chaos.findings import CARRIED_OUT, failed
    from mesos_chaos.folder import fresh_folder
    from mesos_chaos.live.control import holding
    from mesos_chaos.live.run import run_live
    from mesos_ref.cluster.cluster import ClusterError

    folder = fresh_folder(args.dir, name, scenario.seed)
    say = (lambda sentence: None) if args.quiet or args.json else _say

    def announce(world: Any) -> None:
        print(f"held; masters at {world.cluster.master_option}", flush=True)
        print(f"try: mesos-chaos inject {folder} kill leader; end with release", flush=True)

    async def live() -> LiveResult:
        return await run_live(
            name,
            scenario,
            folder,
            tell=say,
            framework=args.framework,
            goal=args.goal,
            hold=holding(announce) if args.hold else None,
        )

    run = run_name(name, scenario.seed)
    try:
        if not args.quiet and not args.json:
            print(f"{run}: {scenario.title}", flush=True)
        result = trio.run(live)
    except (ClusterError, OSError) as error:
        text = f"HARNESS FAILED  {run}: {error}"
        facts = {"scenario": name, "exit_code": 5, "error": str(error)}
        plan = folder / "plan.toml"
        return Done(
            name=name,
            seed=scenario.seed,
            code=EXIT_USAGE,
            headline=text,
            text=text,
            facts=facts,
            findings=failed(run, CARRIED_OUT, str(error), plan),
        )
    lifted = _lifted(args, scenario, result)
    return Done(
        name=name,
        seed=scenario.seed,
        code=result.exit_code,
        headline=result.headline,
        text="\n".join([result.text(), *lifted]),
        facts=result.json() | {"in_simulation": lifted},
        findings=_findings(run, result),
    )


def _lifted(args: argparse.Namespace, scenario: Scenario, result: LiveResult) -> list[str]:
    """Where the same goes wrong in simulation, if our own framework ran and something is wrong."""
    from mesos_chaos.search.breaking import what_is_wrong
    from mesos_chaos.search.lifting import lift, told

    wrong = what_is_wrong(result.verdict, result.pending, result.settled)
    tiers = [tier for tier in (1, 2) if tier in scenario.tiers]
    if wrong is None or not tiers or args.framework is not None or args.hold:
        return []
    try:
        lines = told(*lift(scenario.bare(), wrong, tiers=tiers), str(result.folder))
    except Exception as error:  # the real run's result counts, whatever becomes of this
        lines = [f"not looked for in simulation: {type(error).__name__}: {error}"]
    with (result.folder / "report.txt").open("a") as report:
        report.write("\n".join(lines) + "\n")
    return lines


def _findings(run: str, result: LiveResult) -> list[Finding]:
    from mesos_chaos.findings import findings

    return findings(
        run,
        result.verdict,
        unsettled=[] if result.settled else result.pending or ["it does not settle"],
        goal=result.goal,
        missed=result.missed,
        plan=result.folder / "plan.toml",
    )


def _say(sentence: str) -> None:
    print(f"  {time.strftime('%H:%M:%S')}  {sentence}", flush=True)
