"""Isolation: how an agent starts executors, watches them, and leaves nothing of them behind.

Importing this package costs nothing: the template process imports only what it forks.
"""
