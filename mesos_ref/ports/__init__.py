"""The four doors to the outside: network, clock, disk, processes.

A shell is handed its ports and knows nothing else of the world, so that the same shell runs on real
sockets and files and in a simulation.  Each module holds the contract (a `Protocol`) and, except
for processes, the real implementation on trio.
"""
