"""From configuration to objects: only this file and the main job see Hydra.

What it returns takes ordinary Python values, so everything below it is a library. A mistake in the
configuration is a UsageError, raised before any model is loaded.
"""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException, InstantiationException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from experiments.errors import UsageError

if TYPE_CHECKING:  # torch and diffusers load when a run begins, not for --help
    import torch

    from experiments.cell import Cell

CONFIGS = Path(__file__).parents[1] / "configs"
BUNDLED = Path(__file__).parent / "models" / "tiny"

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
        return {_name(config.coupling): config}
    foreign = {
        label: ["task=folder", f"task.path='{path}'"]
        for label, path in config.table.get("foreign", {}).items()
    }
    return {
        label: compose([*overrides, *changes])
        for label, changes in {**config.table.rows, **foreign}.items()
        if changes is not None  # a row that this model has not
    }


def cells_of(rows: dict[str, Config]) -> list["Cell"]:
    """A cell for each row, with all that it needs but the model, which loads at its first use."""
    workers: dict[str, Any] = {}
    return [_cell(label, row, workers) for label, row in rows.items()]


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


@dataclass(frozen=True)
class GroupModel:
    """The model that plain values of the group `model` describe; see `recipe.ModelSource`.

    Attributes:
        execution: of the group `execution`; says how it is run.
    """

    values: Mapping[str, Any]
    execution: Mapping[str, Any]

    def load(self) -> Any:
        groups = {"model": self.values, "execution": self.execution}
        return load_model(OmegaConf.create(groups), _loaded)

    def fetch(self) -> None:
        family, _, _ = self.values["_target_"].rpartition(".")  # of family.load
        fetch = {**self.values, "_target_": f"{family}.fetch"}
        build("model", OmegaConf.create({"model": fetch}))

    @property
    def device(self) -> "torch.device":
        from experiments.models.device import select_device

        return select_device(self.values["device"])

    def inputs(self) -> dict[str, Any]:
        return model_inputs(dict(self.values))


_loaded: dict[str, Any] = {}  # the model that the cells of this process share


def _cell(label: str, config: Config, workers: dict[str, Any]) -> "Cell":
    task = build("task", config)
    suite = build("metrics", config)
    scores = Path(config.results_dir) / "scores"

    from experiments.cell import Cell
    from experiments.folder import Folder
    from experiments.methods.coupled import Coupled
    from experiments.objects.task import Objects
    from experiments.recipe import Recipe
    from experiments.shard import Shard
    from experiments.store import GalleryStore, cell_key

    if isinstance(task, Folder):
        name = f"{Path(task.path).stem}-{cell_key({'path': str(Path(task.path).resolve())})}"
        file = scores / f"{name}.jsonl"
        return Cell(label, task.jobs(), None, task, recipe=None, suite=suite, score_file=file)
    if isinstance(task, Objects):
        return _object_cell(label, config, task, workers)
    if config.get("method"):
        raise UsageError("method: it keeps the object of a picture, so it needs task=objects")
    coupling, optimizer = build("coupling", config), build("optimizer", config)
    if coupling.size < task.gallery_size:
        raise UsageError(
            f"coupling: it couples {coupling.size} noises, but task.gallery_size is "
            f"{task.gallery_size}; make them equal, or plan for more noises than are made now"
        )
    if optimizer is not None:
        if coupling.size > task.gallery_size:
            raise UsageError(
                f"optimizer: {task.gallery_size} of {coupling.size} noises cannot be optimised now "
                "and grow later; make task.gallery_size and the coupling's size equal"
            )
        try:
            optimizer.base_size(coupling)
        except ValueError as error:
            raise UsageError(f"optimizer: {error}") from error
    inputs = _inputs(config, coupling.size)
    shard = Shard.parse(config.shard) if config.shard else None
    methods = [_name(group) for group in (config.coupling, config.optimizer) if group]
    name = "-".join([config.model.name, *methods, cell_key(inputs)])
    kept = f"-best{task.keep}" if task.keep else ""
    return Cell(
        label=label,
        jobs=task.jobs(),
        keep=task.keep,
        galleries=GalleryStore(
            Path(config.output_dir) / name, inputs, gallery_size=task.gallery_size, shard=shard
        ),
        recipe=Recipe(
            method=Coupled(coupling, optimizer),
            seed=config.seed,
            inputs=inputs,
            model=GroupModel(plain(config.model), plain(config.execution)),
        ),
        workers=_workers(config, workers),
        suite=suite,
        score_file=scores / f"{name}{kept}.jsonl",
        shard=shard,
    )


def _object_cell(label: str, config: Config, task: Any, workers: dict[str, Any]) -> "Cell":
    """A cell of galleries around the objects of pictures."""
    method, suite = build("method", config), build("metrics", config)

    from experiments.cell import Cell
    from experiments.recipe import Recipe
    from experiments.shard import Shard
    from experiments.store import GalleryStore, cell_key

    if method is None:
        raise UsageError("task=objects needs a method, such as method=refined; --help lists them")
    if method.coupling.size != task.gallery_size:
        raise UsageError(
            f"coupling: it couples {method.coupling.size} noises, but task.gallery_size is "
            f"{task.gallery_size}; make them equal"
        )
    shown = method.part(task.checkpoint)
    shard = Shard.parse(config.shard) if config.shard else None
    inputs = {
        "model": model_inputs(plain(config.model)),
        "method": _without_cards(OmegaConf.to_container(config.method, resolve=True)),
        "seed": config.seed,
    }
    coupling = config.method.get("coupling")
    names = [_name(group) for group in (config.method, coupling) if group]
    name = "-".join([config.model.name, *names, cell_key(inputs)])
    part = f"-from{shown.start}" if shown else ""
    return Cell(
        label=label,
        jobs=task.jobs(),
        keep=None,
        galleries=GalleryStore(
            Path(config.output_dir) / name, inputs, gallery_size=method.size, shard=shard
        ),
        recipe=Recipe(
            method=method,
            seed=config.seed,
            inputs=inputs,
            model=GroupModel(plain(config.model), plain(config.execution)),
        ),
        workers=_workers(config, workers),
        suite=suite,
        score_file=Path(config.results_dir) / "scores" / f"{name}{part}.jsonl",
        shard=shard,
        part=shown,
        notes=task.notes,
    )


def _workers(config: Config, built: dict[str, Any]) -> Any:
    """The workers of `config`; cells that ask for the same ones share them."""
    key = OmegaConf.to_yaml(config.workers, resolve=True)
    if key not in built:
        built[key] = build("workers", config)
    return built[key]


def load_model(config: Config, models: dict[str, Any]) -> Any:
    """The model of `config`; cells with the same one share it."""
    key = OmegaConf.to_yaml({"model": config.model, "execution": config.execution}, resolve=True)
    if key not in models:
        models.clear()  # two at once might not fit the device
        models[key] = build("execution", config)(build("model", config))
    return models[key]


def _inputs(config: Config, planned_size: int) -> dict[str, Any]:
    """What the images of a cell are made from. Where a card lies is no input, its matrix is; nor is
    how many of the planned images are made.
    """
    values = OmegaConf.to_container(config, resolve=True)
    return {
        "model": model_inputs(values["model"]),
        "coupling": _without_cards(values["coupling"]),
        "optimizer": values["optimizer"],
        "gallery_size": planned_size,
        "seed": values["seed"],
    }


def _without_cards(values: dict[str, Any]) -> dict[str, Any]:
    """A group's values with the matrix of every learned coupling in place of where its card is."""
    from experiments.learning.card import read

    values = {
        key: _without_cards(value) if isinstance(value, dict) else value
        for key, value in values.items()
    }
    if "card" in values:
        values["matrix"] = read(Path(values.pop("card"))).matrix.tolist()
    return values


def model_inputs(model: dict[str, Any]) -> dict[str, Any]:
    """What a model is. Where its weights lie or run is no input."""
    from experiments.models.device import select_device, select_dtype
    from experiments.models.fingerprint import fingerprint

    rest = {
        key: value for key, value in model.items() if key not in ("source", "revision", "device")
    }
    dtype = str(select_dtype(model["dtype"], select_device(model["device"])))
    return {**rest, "weights": fingerprint(model["source"], model["revision"]), "dtype": dtype}


def _name(group: Config) -> str:
    """`repulsive` of `coupling.repulsive`."""
    return group._target_.rsplit(".", 1)[1].lower()
