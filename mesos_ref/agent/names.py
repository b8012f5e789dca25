"""Which ids this agent takes: each names a directory, and a key of what is kept."""

from __future__ import annotations

from mesos_ref.wire.validate import MAX_ID_CHARACTERS, id_fault


def are_usable(*names: str) -> bool:
    """Whether each can be part of a path. Masters see to it; a wrong one is not let in."""
    return all(_is_plain(name) or id_fault(name) is None for name in names)


def _is_plain(name: str) -> bool:
    """What nearly all ids are: `id_fault` without its walk through the characters."""
    return (
        0 < len(name) <= MAX_ID_CHARACTERS
        and name[0] != "."
        and "/" not in name
        and "\\" not in name
        and name.isprintable()
    )
