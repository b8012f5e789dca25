"""Planting a mutant: the module is edited on its way in, and nowhere else.

`plant` must be called before the module is imported; it puts a finder in front of the import
system that serves the edited source under the same name.  Call it only in a process that is thrown
away afterwards.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType
from typing import Any

from mesos_chaos.mutants import Mutant, MutantError

#: What becomes of a source: another one, or its syntax tree.
Edit = Callable[[str], str | ast.Module]


class _Edited(SourceFileLoader):
    """Loads a module from its edited source."""

    edit: Edit

    def get_code(self, fullname: str) -> Any:
        """The edited source, compiled; never taken from, or put into, a cache."""
        path = self.get_filename(fullname)
        edited = self.edit(self.get_data(path).decode())
        return compile(edited, path, "exec", dont_inherit=True)


class _Finder(MetaPathFinder):
    """Finds the one module that is edited."""

    def __init__(self, module: str, edit: Edit) -> None:
        self._module, self._edit = module, edit

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The edited module's spec, or None for any other module."""
        if fullname != self._module:
            return None
        spec = PathFinder.find_spec(fullname, path)
        if spec is None or spec.origin is None:
            raise MutantError(f"there is no module {fullname}")
        loader = _Edited(fullname, spec.origin)
        loader.edit = self._edit
        spec.loader = loader
        return spec


def plant(mutant: Mutant) -> None:
    """Put `mutant` into this process.  Raises `MutantError` if its module is loaded already."""
    plant_source(mutant.module, mutant.edited)


def plant_source(module: str, edit: Edit) -> None:
    """Have `module` loaded as `edit` makes it.  Raises `MutantError` if it is loaded already."""
    if module in sys.modules:
        raise MutantError(f"{module} is imported already")
    sys.meta_path.insert(0, _Finder(module, edit))


def is_planted(mutant: Mutant) -> bool:
    """Whether what runs in this process is the edited module."""
    module = sys.modules.get(mutant.module)
    return isinstance(getattr(module, "__loader__", None), _Edited)
