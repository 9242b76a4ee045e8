"""The code that a configuration names: found by its door, or the nearest one is told."""

import importlib
import pkgutil
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

from experiments.errors import UsageError

ROOMS = (
    "coupling",
    "metrics",
    "metrics.features",
    *(
        f"experiments.{room}"
        for room in ("tasks", "models", "galleries", "methods", "workers", "learning", "figures")
    ),
    "experiments.tracking",
)
"""The packages whose exports configurations name."""


def located(target: str) -> Any:
    """The class or function that a `_target_` names.

    Raises:
        UsageError: there is none of that name, or its module does not import; says the nearest.
    """
    try:
        return pkgutil.resolve_name(target)
    except Exception as error:  # whatever a module of the user's own raises as it is imported
        package, _, name = target.rpartition(".")
        raise UsageError(f"_target_ {target} {_lack(package, name)}") from error


def _lack(package: str, name: str) -> str:
    """Why a package has nothing of that name, and the nearest name that there is."""
    try:
        names = _doors(package) if package else []
    except ModuleNotFoundError as error:
        if f"{package}.".startswith(f"{error.name}."):
            everywhere = [f"{room}.{door}" for room in ROOMS for door in _doors(room)]
            return f"does not exist{_nearest(f'{package}.{name}', everywhere)}"
        return f"cannot be imported: {error}"
    except Exception as error:
        return " ".join(f"cannot be imported: {type(error).__name__}: {error}".split())
    return f"does not exist{_nearest(name, names, prefix=f'{package}.')}"


def _doors(package: str) -> list[str]:
    """The names that a package exports."""
    module = importlib.import_module(package)
    return list(getattr(module, "__all__", vars(module)))


def _nearest(name: str, names: Sequence[str], *, prefix: str = "") -> str:
    found = get_close_matches(name, names, n=1, cutoff=0.4)
    return f"; the nearest is {prefix}{found[0]}" if found else ""
