"""A search on disk, so that one that was stopped can be resumed.

What is kept: the states found so far, packed, with the layout and the values they stand for; where
levels begin; the counts as they were when the level that was being expanded began (it is expanded
anew); what was seen.  Answers are not kept: the specification is asked again.  A file is taken up
only by the model and the specification it was made with.  Values are pickled, and only classes of
the specification are let in again.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import sys
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mesos_spec.kernel import Model, Table
from mesos_spec.tools.search.fast.layout import Layout

if TYPE_CHECKING:
    from mesos_spec.tools.search.fast.driver import FastSearch

FORM = 3  #: of the file; grows when what is in it changes
COUNTS = ("steps", "cut", "deadlocks", "deadlock")


class Unfit(Exception):
    """The file is no search that can be resumed here.  The text says why."""


def save(search: FastSearch[Any], path: Path) -> None:
    """Write a search to a file, at once or not at all."""
    machine = search.machine
    packing, layout = machine.asker.packing, machine.layout
    cells = [place for place in range(len(packing.cells)) if packing.is_cell(place)]
    placed = [place for place in cells if place < len(layout.bits)]
    about = {
        "form": FORM,
        "model": search.model.name,
        "specification": fingerprint(search.model),
        "levels": search.levels,
        "level_end": search.level_end,
        "counts": search.level_counts,
        "witnesses": search.witnesses,
        "taken": search.taken,
        "guards": [[*asked, times] for asked, times in search.guards.items()],
        "bits": [layout.bits[place] for place in placed],
        "word": [layout.word[place] for place in placed],
        "shift": [layout.shift[place] for place in placed],
    }
    known = [packing.values(place)[1:] for place in cells]
    values = pickle.dumps(([packing.cells[place] for place in cells], known))
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        np.savez(
            file,
            about=np.frombuffer(json.dumps(about).encode(), np.uint8),
            values=np.frombuffer(values, np.uint8),
            states=machine.store.states[: machine.store.n],
        )
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def load(search: FastSearch[Any], path: Path) -> None:
    """Put a new search where the one in a file was.  Raises `Unfit` if that cannot be."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as held:
            about = json.loads(held["about"].tobytes())
            states, values = held["states"], held["values"].tobytes()
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise Unfit(f"{path} cannot be read as a search: {error}") from error
    if about.get("form") != FORM:
        raise Unfit(f"{path} is of form {about.get('form')}, and this is {FORM}: search anew")
    if about["model"] != search.model.name:
        raise Unfit(f"{path} is a search of {about['model']}, not of {search.model.name}")
    if about["specification"] != fingerprint(search.model):
        raise Unfit(f"{path} was made with another text of the specification: search anew")
    machine = search.machine
    old = _layout(about, machine.layout)
    cells, known = _Known(io.BytesIO(values), _modules(search.model)).load()
    machine.take_up(states, old, cells, known)
    search.levels, search.level_end = about["levels"], about["level_end"]
    search.at = search.levels[-1]
    for name, value in about["counts"].items():
        setattr(search, name, value)
    search.witnesses = about["witnesses"]
    search.taken.update(about["taken"])
    for action, guard, held_, times in about["guards"]:
        search.guards[action, guard, held_] = times
    search.begin_again()


def _layout(about: dict[str, Any], like: Layout) -> Layout:
    """The layout that a file's states have."""
    old = Layout([], like.marked)
    old.bits, old.word, old.shift = about["bits"], about["word"], about["shift"]
    old.mask = [(1 << n) - 1 for n in old.bits]
    return old


# ---- whose text --------------------------------------------------------------------------------
def fingerprint(model: Model[Any]) -> str:
    """A digest of the source of a model's specification, and of the model's sizes."""
    digest = hashlib.sha256(f"{model.name} {_text(model.bounds)}".encode())
    for path in _sources(model):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _text(value: Any) -> str:
    """A value as a text that is the same in every process: sets have no order of their own."""
    if isinstance(value, frozenset | set):
        return f"{{{', '.join(sorted(map(_text, value)))}}}"
    if isinstance(value, Table | dict):
        return f"{{{', '.join(sorted(_text(item) for item in value.items()))}}}"
    if isinstance(value, tuple | list):
        return f"({', '.join(map(_text, value))})"
    return repr(value)


def _sources(model: Model[Any]) -> list[Path]:
    """The files that a specification is written in: its whole package, but for tools."""
    files: set[Path] = set()
    for name in _modules(model):
        top = sys.modules.get(name.partition(".")[0])
        path = getattr(top if "." in name else sys.modules.get(name), "__file__", None)
        if path is None:
            continue
        if Path(path).name != "__init__.py":
            files.add(Path(path))
            continue
        folder = Path(path).parent
        files |= {p for p in folder.rglob("*.py") if "tools" not in p.relative_to(folder).parts}
    return sorted(files)


def _modules(model: Model[Any]) -> set[str]:
    """The modules whose classes a specification's values may be of."""
    spec = model.spec
    functions: Iterable[Any] = [action.body for action in spec.actions]
    own = {f.__module__ for f in functions} | {type(spec.start(model.bounds)).__module__}
    tops = {name.partition(".")[0] for name in own} | {"mesos_spec"}
    loaded = {n for n in [*sys.modules] if n.partition(".")[0] in tops and ".tools" not in n}
    return own | loaded


class _Known(pickle.Unpickler):
    """Lets in values of the specification's own classes, and nothing that could be called."""

    def __init__(self, file: io.BytesIO, modules: set[str]) -> None:
        super().__init__(file)
        self.modules = modules

    def find_class(self, module: str, name: str) -> Any:
        """A class of the specification, or one of Python's own that values are made of."""
        found: Any = super().find_class(module, name) if self._is_ours(module, name) else None
        if not isinstance(found, type):
            raise Unfit(f"the file names {module}.{name}, which is no class of the specification")
        return found

    def _is_ours(self, module: str, name: str) -> bool:
        plain = module == "builtins" and name in ("frozenset", "complex", "bytearray", "range")
        return plain or module in self.modules or (module, name) == ("fractions", "Fraction")
