"""Timers and limits as command-line options, made from one table a daemon.

A row says what an option is called, which field of the core's config it sets, its unit, and what it
is for. The default is the config's own, so it is written down once. Apache Mesos calls most of them
the same, with underscores.
"""

import argparse
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

from mesos_ref.cli import options

ConfigT = TypeVar("ConfigT")

#: How many of the field's unit make one of the option's.
UNITS = {"s": 1_000_000, "cpus": 1000, "mb": 1000, "times": 1}


class Row(NamedTuple):
    """One option: the field it sets, its unit, the least that is taken, and what it is for."""

    field: str
    unit: str
    least: float
    help: str

    @property
    def option(self) -> str:
        """``offer_timeout_us`` in seconds is ``--offer-timeout-s``."""
        stem = self.field.removesuffix("_us").removesuffix("_milli").replace("_", "-")
        return f"--{stem}-{self.unit}" if self.unit in ("s", "mb") else f"--{stem}"


#: Apache Mesos' flags (behaviour, section 17), as far as a master has them.
MASTER = (
    Row("allocation_interval_us", "s", 0.001, "a refusal lasts this long at least"),
    Row("allocation_delay_us", "s", 0, "free resources wait this long for company"),
    Row("offer_timeout_us", "s", 0.001, "an unanswered offer is rescinded; none: never"),
    Row("agent_ping_timeout_us", "s", 0.001, "an agent is pinged this often"),
    Row("max_agent_ping_timeouts", "times", 1, "it is given up after so many lost pings"),
    Row("agent_reregister_timeout_us", "s", 0, "how long an agent may be away"),
    Row("min_offer_cpus_milli", "cpus", 0, "less is not offered, unless memory suffices"),
    Row("min_offer_mem_milli", "mb", 0, "less is not offered, unless cpus suffice"),
    Row("heartbeat_interval_us", "s", 0.001, "a HEARTBEAT this often on each event stream"),
    Row("max_frameworks", "times", 1, "frameworks known at once; a new one more is refused"),
    Row("max_removed_frameworks", "times", 1, "removed frameworks that are remembered"),
    Row("max_unreachable_agents", "times", 1, "unreachable agents that are remembered"),
)

#: Apache Mesos' flags, as far as an agent has them.
AGENT = (
    Row("registration_backoff_us", "s", 0, "the first wait before a master is dialled, at most"),
    Row("registration_backoff_max_us", "s", 0, "it doubles up to this"),
    Row("ping_timeout_us", "s", 0.001, "a master that is silent for so long is gone"),
    Row("status_update_retry_us", "s", 0.001, "an update is sent again after this"),
    Row("status_update_retry_max_us", "s", 0.001, "it doubles up to this"),
    Row("executor_registration_timeout_us", "s", 0, "how long an executor may take to subscribe"),
    Row("executor_reregistration_timeout_us", "s", 0, "and after a restart of the agent"),
    Row("executor_shutdown_grace_us", "s", 0, "between SHUTDOWN and the end of an executor"),
    Row("recovery_timeout_us", "s", 0, "how long an executor waits for a restarted agent"),
)


def add(
    parser: argparse.ArgumentParser,
    rows: Sequence[Row],
    defaults: object,
    title: str = "timers and limits",
) -> None:
    """Add an option for each row; `defaults` is a config with nothing chosen."""
    group = parser.add_argument_group(title)
    for row in rows:
        usual = getattr(defaults, row.field)
        shown = "none" if usual is None else f"{usual / UNITS[row.unit]:g}"
        group.add_argument(
            row.option,
            dest=row.field,
            metavar="N" if row.unit == "times" else row.unit.upper(),
            type=_reader(row, usual is None),
            default=usual,
            help=f"{row.help} (default {shown})",
        )


def chosen(args: argparse.Namespace, rows: Sequence[Row]) -> dict[str, Any]:
    """The config's fields as they were chosen, in its own units."""
    return {row.field: getattr(args, row.field) for row in rows}


def words(args: argparse.Namespace, rows: Sequence[Row], defaults: object) -> dict[str, str]:
    """What was chosen otherwise than `defaults`, to be said on another command line: name without
    dashes, and value.
    """
    said = {}
    for row in rows:
        value = getattr(args, row.field)
        if value != getattr(defaults, row.field):
            text = "none" if value is None else f"{value / UNITS[row.unit]:.15g}"
            said[row.option.removeprefix("--")] = text
    return said


def _reader(row: Row, may_be_none: bool) -> Any:
    read = options.number(row.least, row.unit)

    def convert(text: str) -> int | None:
        if may_be_none and text == "none":
            return None
        value = read(text) * UNITS[row.unit]
        if row.unit == "times" and value != int(value):
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number")
        return round(value)

    return convert
