"""From configuration to objects: the one place, beside the Hydra commands, that sees Hydra.

What it returns takes ordinary Python values, so everything below it is a library. A mistake in the
configuration is a UsageError, raised before any model is loaded.
"""

import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from copy import deepcopy
from dataclasses import replace
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any, Self, cast

import hydra
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import CachingConfigRepository
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException, InstantiationException
from hydra.plugins.config_source import ConfigResult
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from experiments.errors import UsageError, command
from experiments.inputs.doors import located
from experiments.inputs.overrides import told
from experiments.inputs.settings import nearest, quoted, require

HERE = Path(str(resources.files("experiments")))
CONFIGS = next(path for path in (HERE / "configs", HERE.parent / "configs") if path.is_dir())
"""Part of the package where it is installed, beside it in a checkout."""
BUNDLED = HERE / "models" / "tiny"

FOREIGN = "experiments.galleries.Foreign"
MISTAKES = (HydraException, OmegaConfBaseException)

Config = DictConfig
Values = dict[str, Any]

OmegaConf.register_new_resolver("bundled", lambda name: str(BUNDLED / name), replace=True)
OmegaConf.register_new_resolver("divided", lambda whole, by: whole // by, replace=True)


def compose(overrides: Sequence[str], *, name: str = "config") -> Config:
    """The configuration that these overrides make of `configs/NAME.yaml`.

    Raises:
        UsageError: an option or a key that does not exist.
    """
    with _initialized(), mistakes(overrides, name=name):
        return hydra.compose(name, overrides=list(overrides))


def _initialized() -> AbstractContextManager:
    if GlobalHydra.instance().is_initialized():
        return nullcontext()
    return hydra.initialize_config_dir(str(CONFIGS), version_base="1.3")


class _ReadOnce(CachingConfigRepository):
    """Reads a file once for many configurations, each of which takes its nodes for its own."""

    def __deepcopy__(self, memo: dict) -> Self:  # a composition starts from a copy
        return self

    def load_config(self, config_path: str) -> ConfigResult | None:
        found = super().load_config(config_path)
        return found and replace(found, config=deepcopy(found.config))


@contextmanager
def read_once() -> Iterator[None]:
    """Within it, configurations are composed in half the time, of the files as they are now."""
    with _initialized():
        loader = cast(ConfigLoaderImpl, GlobalHydra.instance().config_loader())
        before = loader.repository
        loader.repository = cast(Any, _ReadOnce(before))  # alike, but no subclass
        try:
            yield
        finally:
            loader.repository = before


def start(main: Callable[[], None], *, name: str) -> None:
    """Runs a job that `hydra.main` has made of `configs/NAME.yaml`; a mistake is told in one line.

    Ends the program with status 1 where Hydra meets a mistake.
    """
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # Hydra is to raise, and to print nothing
    words = [word for word in sys.argv[1:] if not word.startswith("-")]
    with command(), mistakes(words, name=name):
        main()


@contextmanager
def mistakes(overrides: Sequence[str], *, name: str) -> Iterator[None]:
    """Within it, what Hydra and OmegaConf raise is a UsageError of one line."""
    try:
        yield
    except (*MISTAKES, ValueError) as error:
        if not isinstance(error, MISTAKES) and not str(error).startswith("Config group"):
            raise
        raise UsageError(told(error, keys=partial(_keys, overrides, name))) from error


def require_kinds(config: Config, overrides: Sequence[str], *, name: str = "config") -> None:
    """Raises UsageError where an override gives a setting a value of another kind than it has.

    `configs/NAME.yaml` and the groups that were chosen say what it has.
    """
    parser = OverridesParser.create()
    parsed = [
        (word, override.key_or_group)
        for word, override in zip(overrides, parser.parse_overrides([*overrides]), strict=True)
        if not (override.is_delete() or override.is_add() or override.is_sweep_override())
    ]
    values = [(word, key) for word, key in parsed if _is_leaf(config, key)]
    if not values:
        return
    set_here = {word for word, _ in values}
    stated = compose([word for word in overrides if word not in set_here], name=name)
    for _, key in values:
        require(key, _at(config, key), _at(stated, key))


def _is_leaf(config: Config, key: str) -> bool:
    """Whether a key is a setting, and no group of the configuration."""
    if "@" in key or (CONFIGS / key).is_dir():
        return False
    try:
        return not isinstance(OmegaConf.select(config, key), DictConfig)
    except OmegaConfBaseException:
        return False


def _at(config: Config, key: str) -> Any:
    """The plain value of a key; None where it is open."""
    try:
        found = OmegaConf.select(config, key)
        return OmegaConf.to_container(found) if OmegaConf.is_config(found) else found
    except OmegaConfBaseException:
        return None


def _keys(overrides: Sequence[str], name: str, wrong: str) -> list[str]:
    """The dotted keys of a configuration, and its groups, as far as `wrong` lets them be."""
    groups = [path.name for path in CONFIGS.iterdir() if path.is_dir()]
    others = [word for word in overrides if not word.lstrip("+~").startswith(wrong)]
    try:
        return [*groups, *_dotted(compose(others, name=name))]
    except UsageError:  # there is another mistake
        return groups


def _dotted(node: Config, prefix: str = "") -> Iterator[str]:
    for key in map(str, node):
        yield f"{prefix}{key}"
        if isinstance(inner := node._get_node(key), DictConfig) and not inner._is_none():
            yield from _dotted(inner, f"{prefix}{key}.")


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
        return {_label_of(config): config}
    foreign = {
        label: ["task=folder", f"task.path={quoted(str(path))}"]
        for label, path in config.table.get("foreign", {}).items()
    }
    with read_once():
        return {
            label: compose([*overrides, *changes])
            for label, changes in {**config.table.rows, **foreign}.items()
            if changes is not None  # a row that this model has not
        }


def _label_of(config: Config) -> str:
    """A cell of somebody else's is called as its folder, or listing, is."""
    if config.task._target_ != FOREIGN:
        return name_of(config.coupling)
    place = Path(str(config.task.path)).absolute()
    return place.name if place.is_dir() else place.stem


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
            raise UsageError(f"{node}: {_unexpected(cause, described)}") from error
        raise
    except OmegaConfBaseException as error:
        raise UsageError(f"{node}: {str(error).splitlines()[0]}") from error
    return None if built == {} else built


def _unexpected(cause: Exception, described: Config) -> str:
    """What a constructor says, in one line, with the nearest setting to one that it has not."""
    if found := re.search("unexpected keyword argument '(.+?)'", str(cause)):
        names = [str(name) for name in described if name != found[1]]
        return f"there is no setting {found[1]}{nearest(found[1], names)}"
    return " ".join(str(cause).split())


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
