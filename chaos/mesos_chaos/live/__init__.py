"""Chaos for real: processes, sockets, signals (tier T3)."""
