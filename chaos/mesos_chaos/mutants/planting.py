"""Planting a mutant: the module is edited on its way in, and nowhere else.

`plant` must be called before the module is imported; it puts a finder in front of the import
system that serves the edited source under the same name.  Call it only in a process that is thrown
away afterwards.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType
from typing import Any

from mesos_chaos.mutants import Mutant, MutantError


class _Edited(SourceFileLoader):
    """Loads a module from its edited source."""

    mutant: Mutant

    def get_code(self, fullname: str) -> Any:
        """The edited source, compiled; never taken from, or put into, a cache."""
        path = self.get_filename(fullname)
        source = self.mutant.edited(self.get_data(path).decode())
        return compile(source, path, "exec", dont_inherit=True)


class _Finder(MetaPathFinder):
    """Finds the one module that is edited."""

    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The edited module's spec, or None for any other module."""
        if fullname != self._mutant.module:
            return None
        spec = PathFinder.find_spec(fullname, path)
        if spec is None or spec.origin is None:
            raise MutantError(f"mutant {self._mutant.id}: there is no module {fullname}")
        loader = _Edited(fullname, spec.origin)
        loader.mutant = self._mutant
        spec.loader = loader
        return spec


def plant(mutant: Mutant) -> None:
    """Put `mutant` into this process.  Raises `MutantError` if its module is loaded already."""
    if mutant.module in sys.modules:
        raise MutantError(f"mutant {mutant.id}: {mutant.module} is imported already")
    sys.meta_path.insert(0, _Finder(mutant))


def is_planted(mutant: Mutant) -> bool:
    """Whether what runs in this process is the edited module."""
    module = sys.modules.get(mutant.module)
    return isinstance(getattr(module, "__loader__", None), _Edited)
