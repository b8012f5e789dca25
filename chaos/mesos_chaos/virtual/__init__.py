"""The second tier: the real shells and their HTTP, on virtual time and a simulated outside.

What runs in production runs here unchanged, down to the bytes on its connections; only the ports
are ours: network, disk, clock, isolation and election.  A run is a function of its plan and seed.
"""
