"""The subcommands of `mesos-spec`, a module each."""
