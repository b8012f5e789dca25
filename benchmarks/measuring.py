"""What all figures have in common: runs, their median, the machine, and how busy it was."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

_PROC: Final = Path("/proc")


@dataclass(frozen=True)
class Figure:
    """One measured figure: what README says, and what it rests on."""

    name: str
    unit: str
    #: What was measured, in a sentence.
    how: str
    #: One value a run; the figure is their median.
    runs: Sequence[float]
    #: What belongs to it: percentiles, CPU time, sizes.
    facts: Mapping[str, float | int | str] = field(default_factory=dict)

    @property
    def value(self) -> float:
        """The median of the runs."""
        return statistics.median(self.runs)

    def plain(self) -> dict[str, Any]:
        """As `results.json` holds it."""
        return {
            "value": rounded(self.value),
            "unit": self.unit,
            "how": self.how,
            "runs": [rounded(run) for run in self.runs],
            "facts": {
                name: rounded(fact) if isinstance(fact, float) else fact
                for name, fact in self.facts.items()
            },
        }


def rounded(value: float) -> float:
    """Three significant digits, and all of those before the decimal point."""
    return float(f"{value:.3g}") if abs(value) < 1000 else float(round(value))


def percentile(values: Sequence[float], percent: float) -> float:
    """The least value that at least `percent` of the values do not exceed."""
    ordered = sorted(values)
    at = max(0, -(-len(ordered) * percent // 100) - 1)
    return ordered[int(at)]


def machine() -> dict[str, Any]:
    """Where it was measured."""
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
    }


def _cpu_model() -> str:
    try:
        lines = (_PROC / "cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())


def load() -> float:
    """How many tasks wanted a core over the last minute, ours included."""
    return os.getloadavg()[0]


def cpu_s(pid: int) -> float:
    """CPU time a process has taken so far, without its children's."""
    fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_mb(pid: int) -> float:
    """Memory a process holds now."""
    pages = int((_PROC / str(pid) / "statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
