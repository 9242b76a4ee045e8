"""From configuration to objects: the one place, beside the Hydra commands, that sees Hydra.

What it returns takes ordinary Python values, so everything below it is a library. A mistake in the
configuration is a UsageError, raised before any model is loaded.
"""

import importlib
import pkgutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from difflib import get_close_matches
from importlib import resources
from pathlib import Path
from typing import Any, cast

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException, InstantiationException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from experiments.errors import UsageError

HERE = Path(str(resources.files("experiments")))
CONFIGS = next(path for path in (HERE / "configs", HERE.parent / "configs") if path.is_dir())
"""Part of the package where it is installed, beside it in a checkout."""
BUNDLED = HERE / "models" / "tiny"

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

Config = DictConfig
Values = dict[str, Any]

OmegaConf.register_new_resolver("bundled", lambda name: str(BUNDLED / name), replace=True)


def compose(overrides: Sequence[str], *, name: str = "config") -> Config:
    """The configuration that these overrides make of `configs/NAME.yaml`.

    Raises:
        UsageError: an option or a key that does not exist.
    """
    initialized = GlobalHydra.instance().is_initialized()
    with (
        nullcontext()
        if initialized
        else hydra.initialize_config_dir(str(CONFIGS), version_base="1.3")
    ):
        try:
            return hydra.compose(name, overrides=list(overrides))
        except (HydraException, OmegaConfBaseException) as error:
            reason = str(error).splitlines()[0].rstrip(".")
            raise UsageError(f"{reason}; --help lists the settings") from error


def plain(config: Config) -> Values:
    """A configuration as plain dicts, lists and values.

    Raises:
        UsageError: a value was left open.
    """
    try:
        return cast(Values, OmegaConf.to_container(config, resolve=True, throw_on_missing=True))
    except OmegaConfBaseException as error:
        raise UsageError(f"{str(error).splitlines()[0]}; --help lists the settings") from error


def published(config: Config) -> Values:
    """A configuration as plain values, its interpolations as they are written: to be published."""
    return cast(Values, OmegaConf.to_container(config))


def restored(values: Mapping[str, Any]) -> Config:
    """A configuration as it was before somebody made plain values of it, and published them."""
    return OmegaConf.create(dict(values))


def with_groups(config: Config, groups: Mapping[str, Any]) -> Config:
    """The configuration with whole groups, or values, in place of its own; None: an empty one."""
    config = config.copy()
    for name, values in groups.items():
        OmegaConf.update(config, name, values, merge=False)
    return config


def rows_of(config: Config, overrides: Sequence[str]) -> dict[str, Config]:
    """The configuration of every cell by its label: of each row of a table, or of one cell."""
    if config.table is None:
        return {name_of(config.coupling): config}
    foreign = {
        label: ["task=folder", f"task.path='{path}'"]
        for label, path in config.table.get("foreign", {}).items()
    }
    return {
        label: compose([*overrides, *changes])
        for label, changes in {**config.table.rows, **foreign}.items()
        if changes is not None  # a row that this model has not
    }


def build(node: str, config: Config) -> Any:
    """The object that a node of the configuration describes; None for an empty node.

    Raises:
        UsageError: naming the node.
    """
    try:
        described = OmegaConf.select(config, node)
        for key, target in _targets(described, node):
            try:
                located(target)
            except UsageError as error:
                raise UsageError(f"{key}: {error}") from error
        # "all": plain dicts and lists; the default would take dataclasses for configurations
        built = hydra.utils.instantiate(described, _convert_="all")
    except InstantiationException as error:
        cause = error.__cause__
        if isinstance(cause, UsageError):
            raise cause from None
        if isinstance(cause, ValueError | TypeError):
            raise UsageError(f"{node}: {cause}") from error
        raise
    except OmegaConfBaseException as error:
        raise UsageError(f"{node}: {str(error).splitlines()[0]}") from error
    return None if built == {} else built


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


def _targets(node: Any, key: str) -> Iterator[tuple[str, str]]:
    """The key and value of every `_target_` under a node of the configuration."""
    for name in map(str, node) if isinstance(node, DictConfig) else ():
        if name == "_target_":
            yield key, str(node[name])
        elif not OmegaConf.is_missing(node, name):
            yield from _targets(node[name], f"{key}.{name}")


def name_of(group: Config) -> str:
    """`repulsive` of `coupling.repulsive`."""
    return group._target_.rpartition(".")[2].lower()
