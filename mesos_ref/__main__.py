"""The command `mesos-ref`: `mesos-ref --help` says what it can do."""

import sys
from collections.abc import Sequence

from mesos_ref import cli


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand; the exit code is the process'."""
    return cli.main(sys.argv[1:] if argv is None else argv)


if __name__ == "__main__":
    sys.exit(main())
