"""Models by name: one of ours, or one of a specification of your own.

    offers                       a model of Mesos (`mesos-spec list models`)
    riddles/jugs.py:MODEL        the model of that name in a file; without a name, all it has
    mesos_spec.examples.die_hard:MODEL        the same, in a module that can be imported

A file that cannot be run, or whose specification is wrong where it is put together, is told with
the line that is at fault.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from mesos_spec.kernel.model import Model
from mesos_spec.tools.cli.common import Misused, unknown
from mesos_spec.tools.search.blame import blame


def is_own(name: str) -> bool:
    """Whether a name asks for a model of somebody's own file or module."""
    return ":" in name or "." in name


def find(name: str) -> Model[Any]:
    """The one model that `name` names.  Raises `Misused` if there is none, or several."""
    found = find_all(name)
    if len(found) > 1:
        raise Misused(f"{name} has several models; name one: {', '.join(found)}")
    return next(iter(found.values()))


def find_all(name: str) -> dict[str, Model[Any]]:
    """The models that `name` names, each under a name of its own.

    Raises `Misused` if there is none.
    """
    if not is_own(name):
        from mesos_spec import models

        try:
            return {name: models.named(name)}
        except KeyError:
            raise unknown(
                "model", name, [m.name for m in (*models.MODELS, *models.BESIDE)]
            ) from None
    where, _, variable = name.partition(":")
    module = _module(where)
    known = models_in(module)
    if not variable:
        if not known:
            raise Misused(f"{where} has no model: put one in it, MODEL = Model(name=…, spec=…, …)")
        return {f"{where}:{variable}": model for variable, model in known.items()}
    if variable in known:
        return {name: known[variable]}
    what = getattr(module, variable, None)
    if what is not None:
        raise Misused(f"{name} is a {type(what).__name__}, and no Model: MODEL = Model(name=…, …)")
    raise unknown("model", variable, known)


def models_in(module: ModuleType) -> dict[str, Model[Any]]:
    """The models of a module, under the names they have there."""
    return {name: one for name, one in vars(module).items() if isinstance(one, Model)}


def _module(where: str) -> ModuleType:
    """The module in a file, or of a dotted name."""
    where = where.partition(":")[0]
    try:
        return _from_file(Path(where)) if where.endswith(".py") else importlib.import_module(where)
    except Misused:
        raise
    except ModuleNotFoundError as error:
        raise Misused(f"{where}: {error}: give path/to/file.py:MODEL or module:MODEL") from None
    except Exception as error:
        wrong = blame(error)
        if wrong is None:
            raise
        raise Misused(str(wrong)) from error


def _from_file(path: Path) -> ModuleType:
    """The module that a file makes.  What lies beside it, it can import."""
    if not path.is_file():
        raise Misused(f"{path}: there is no such file")
    name = str(path.resolve())  # no other module can have that name
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, name)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.parent.resolve()))
    sys.modules[name] = module  # dataclasses look their module up
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    finally:
        sys.path.pop(0)
    return module
