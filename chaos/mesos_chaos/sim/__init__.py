"""Simulation (tier T1): the real cores under a discrete-event loop, with the judge beside them."""
