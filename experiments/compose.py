"""From configuration to objects: only this file and the main job see Hydra.

What it returns takes ordinary Python values, so everything below it is a library. A mistake in the
configuration is a UsageError, raised before any model is loaded.
"""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from importlib import resources
from pathlib import Path
from typing import Any

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

Config = DictConfig

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


def plain(config: Config) -> dict[str, Any]:
    """A configuration as plain dicts, lists and values.

    Raises:
        UsageError: a value was left open.
    """
    try:
        return OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        raise UsageError(f"{str(error).splitlines()[0]}; --help lists the settings") from error


def restored(values: Mapping[str, Any]) -> Config:
    """A configuration as it was before somebody made plain values of it, and published them."""
    return OmegaConf.create(dict(values))


def with_groups(config: Config, groups: Mapping[str, Mapping]) -> Config:
    """The configuration with whole groups in place of its own."""
    config = config.copy()
    for name, values in groups.items():
        OmegaConf.update(config, name, dict(values), merge=False)
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
        # "all": plain dicts and lists; the default would take dataclasses for configurations
        built = hydra.utils.instantiate(OmegaConf.select(config, node), _convert_="all")
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


def name_of(group: Config) -> str:
    """`repulsive` of `coupling.repulsive`."""
    return group._target_.rsplit(".", 1)[1].lower()
