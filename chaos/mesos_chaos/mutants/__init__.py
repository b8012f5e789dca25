"""Mutants: small, named source edits that put a bug into the implementation (D12).

The quality of all checking is one number: the share of seeded bugs that is caught.  A mutant names
a module, an exact piece of its text that occurs once, what to put there instead, the story of the
bug, and the property it must break.  It is applied when the module is imported, in a process of
its own; the product holds no trace of it.  `mutants/*.toml` are the mutants, one file each.
"""

from __future__ import annotations

import tomllib
from importlib import resources
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError


class MutantError(Exception):
    """A mutant file that cannot be used: which, and why."""


class Mutant(BaseModel):
    """One planted bug."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    module: str = Field(pattern=r"^mesos_ref(\.[a-z_]+)+$")
    old: str = Field(min_length=1)
    new: str
    story: str = Field(min_length=20)
    breaks: str = Field(min_length=2)  #: requirement or property id
    tiers: tuple[int, ...] = (1,)
    where: tuple[str, ...] = ()  #: scenarios that should catch it; they are tried first

    def edited(self, source: str) -> str:
        """`source` with the bug in it.  Raises `MutantError` unless `old` occurs exactly once."""
        times = source.count(self.old)
        if times != 1:
            raise MutantError(
                f"mutant {self.id}: its old text occurs {times} times in {self.module}, not once"
            )
        return source.replace(self.old, self.new)


def parse_mutant(text: str, name: str) -> Mutant:
    """The mutant in the TOML `text`.  Raises `MutantError` with the key at fault."""
    try:
        mutant = Mutant.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise MutantError(f"{name}: not TOML: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        path = ".".join(map(str, first["loc"]))
        raise MutantError(f"{name}: {path}: {first['msg']}") from None
    return mutant


def mutants_in(folder: Path) -> dict[str, Mutant]:
    """All mutants of a folder, by id.  Raises `MutantError`, also if there are none."""
    found: dict[str, Mutant] = {}
    if not folder.is_dir():
        raise MutantError(f"{folder} is no folder")
    for path in sorted(folder.glob("*.toml")):
        mutant = parse_mutant(path.read_text(), str(path))
        if mutant.id in found:
            raise MutantError(f"{path}: id: another file of {folder} is called {mutant.id}, too")
        found[mutant.id] = mutant
    if not found:
        raise MutantError(f"there are no mutants in {folder}: none of its files ends in .toml")
    return found


def shipped_mutants() -> dict[str, Mutant]:
    """The mutants that come with the package, by id."""
    folder = resources.files(__name__)
    texts = [f for f in folder.iterdir() if f.name.endswith(".toml")]
    parsed = [parse_mutant(f.read_text(), f.name) for f in sorted(texts, key=lambda f: f.name)]
    return {mutant.id: mutant for mutant in parsed}


def find_mutant(name: str) -> Mutant:
    """The shipped mutant of that name, or the one in the file `name`.  Raises `MutantError`."""
    path = Path(name)
    if path.suffix == ".toml" and path.is_file():
        return parse_mutant(path.read_text(), name)
    known = shipped_mutants()
    if name not in known:
        raise MutantError(f"no mutant {name!r}: a TOML file, or one that `mutants` lists")
    return known[name]
