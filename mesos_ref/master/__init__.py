"""The master: it admits agents, offers what they have, and passes on what was decided.

`core` is the whole of it without I/O: events in, effects out. The other modules are its subjects:
`agents`, `frameworks`, `offers`, `launch`, `tasks`, `reconcile` hold one handful of actions each,
`state` the tables they all work on, `validation` the sentences by which something is refused.
"""
