"""Executors: the command executor's core, and the small process around it."""
