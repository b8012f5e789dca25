"""What the processes of a simulated run have written, as bytes or as a judge reads it."""

from __future__ import annotations

from collections.abc import Mapping

from mesos_chaos.plan import Plan
from mesos_chaos.sim.run import simulate
from mesos_spec.tools.judging.trace import Trace, parse_header, parse_record


def written_by(plan: Plan) -> dict[str, bytes]:
    """The trace of each process of a run of `plan`, by the process' name, as a file has it."""
    _, cluster = simulate(plan, keep_lines=True)
    return {name: b"".join(lines) for name, lines in (cluster.judge.lines or {}).items()}


def read(written: Mapping[str, bytes]) -> list[Trace]:
    """These traces, in the order of their names.  Raises `TraceError` for what is none."""
    found = []
    for name, data in sorted(written.items()):
        header, *lines = data.splitlines()
        records = [parse_record(line, name, seq) for seq, line in enumerate(lines)]
        found.append(Trace(path=name, header=parse_header(header, name), records=records))
    return found
