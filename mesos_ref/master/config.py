"""The master's timers and limits. All times are integer microseconds.

Names and defaults are Apache Mesos' flags (behaviour reference, section 17) unless said otherwise.
"""

from typing import Final

import msgspec

SECOND_US: Final = 1_000_000


class MasterConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator can choose about a master."""

    #: A filter lives at least this long (FLT-4).
    allocation_interval_us: int = 1 * SECOND_US
    #: Free resources wait this long for company before they are offered.
    allocation_delay_us: int = 0
    #: How long an offer may stay unanswered; None: for ever (OFR-4).
    offer_timeout_us: int | None = None
    #: An agent is pinged this often, and given up after so many pings in a row (AGT-8).
    agent_ping_timeout_us: int = 15 * SECOND_US
    max_agent_ping_timeouts: int = 5
    #: How long a disconnected agent, or one an earlier leader knew, may take to come back.
    agent_reregister_timeout_us: int = 600 * SECOND_US
    #: An agent's free resources are offered from this on: one of the two is enough (ALC-13).
    min_offer_cpus_milli: int = 10
    min_offer_mem_milli: int = 32_000
    #: What SUBSCRIBED announces; sending heartbeats is the shell's.
    heartbeat_interval_us: int = 15 * SECOND_US
    #: Wall clock (microseconds since 1970) at the moment the core's clock showed 0.
    epoch_wall_us: int = 0

    #: Frameworks known at once, connected or not; one more that is new is refused.
    max_frameworks: int = 10_000

    # Bounds of memory. What is beyond is forgotten, oldest first.
    max_removed_frameworks: int = 100_000
    max_unreachable_agents: int = 100_000
    #: Longest TaskInfo (with its executor, which travels twice) and FrameworkInfo taken, as JSON:
    #: a RunTask, which has all of them, must fit a frame of the agent link.
    max_task_bytes: int = 512 * 1024
    max_framework_bytes: int = 128 * 1024
