"""The scheduler library: how a framework talks to Mesos, and what it needs not care about.

`core` decides (subscribe, back off, de-duplicate, acknowledge, reconcile), `shell` speaks HTTP, and
`library` is what a framework's author sees. What to launch is the author's own async code.
"""
