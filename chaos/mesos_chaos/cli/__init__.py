"""The commands of `mesos-chaos`, a module each: `add(subparsers, help)` and `run(args) -> code`."""

EXIT_USAGE = 5
