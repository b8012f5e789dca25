"""The executable specification of Mesos, and the tools that check it."""
