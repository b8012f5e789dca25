"""Whether a mutant can be hunted at all: asked before anything runs, and answered in a sentence.

A file may be well-formed and yet fit nothing: its module is not there, its old text is, but not
once, what it puts there is no Python, or a scenario it names is none.  That is a mistake of whoever
wrote it, and neither a catch nor a survivor.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from mesos_chaos.mutants import Mutant, MutantError
from mesos_chaos.plan import PlanError, load_scenario


def why_unusable(mutant: Mutant) -> str | None:
    """What is wrong with it, and what would be right; None if nothing is."""
    try:
        spec = find_spec(mutant.module)
    except ModuleNotFoundError:
        spec = None
    if spec is None or spec.origin is None:
        return f"there is no module {mutant.module}"
    source = Path(spec.origin).read_text()
    try:
        edited = mutant.edited(source)
        compile(edited, mutant.module, "exec", dont_inherit=True)
    except MutantError as error:
        return str(error)
    except SyntaxError as error:
        return f"with its new text {mutant.module} is no Python: line {error.lineno}: {error.msg}"
    if edited == source:
        return "its new text is its old one"
    for name in mutant.where:
        try:
            load_scenario(name)
        except PlanError as error:
            return f"where: {error}"
    return None
