"""The main job: compose a configuration, generate what is missing, score it, write its table.

    python -m experiments.run model=tiny coupling=repulsive
    python -m experiments.run experiment=table1 model=tiny

This file and `experiments.learn` alone see Hydra; what they build takes ordinary Python values, so
everything below them is a library. A mistake in the configuration ends the run before any model is
loaded.
"""

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import InstantiationException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from experiments.errors import UsageError

if TYPE_CHECKING:  # torch and diffusers load when a run begins, not for --help
    from experiments.cell import Cell

CONFIGS = Path(__file__).parents[1] / "configs"
BUNDLED = Path(__file__).parent / "models" / "tiny"

OmegaConf.register_new_resolver("bundled", lambda name: str(BUNDLED / name), replace=True)


@hydra.main(version_base="1.3", config_path=str(CONFIGS), config_name="config")
def main(config: DictConfig) -> None:
    try:
        run(config, overrides=HydraConfig.get().overrides.task)
    except UsageError as error:
        sys.exit(f"error: {error}")


def run(config: DictConfig, *, overrides: Sequence[str]) -> None:
    """Generates and scores the cells of a configuration; writes their table, if it is one.

    Args:
        overrides: what composed `config`; every row of a table adds overrides of its own.

    Raises:
        UsageError: something that the user can mend.
    """
    rows = _rows(config, overrides)
    models: dict[str, Any] = {}
    cells = [_cell(label, row, models) for label, row in rows.items()]
    for cell in cells:
        missing = len(cell.missing())
        todo = f"{missing} to generate" if missing else "nothing to generate"
        print(f"{cell.label}: {len(cell.jobs)} galleries, {todo}")
    for cell in cells:
        cell.prepare()
    for cell in cells:
        cell.generate()
    _finish(config, rows, cells)


def _rows(config: DictConfig, overrides: Sequence[str]) -> dict[str, DictConfig]:
    """The configuration of every cell by its label: of each row of a table, or of one cell."""
    if config.table is None:
        return {_name(config.coupling): config}
    foreign = {
        label: ["task=folder", f"task.path='{path}'"]
        for label, path in config.table.foreign.items()
    }
    return {
        label: hydra.compose("config", overrides=[*overrides, *changes])
        for label, changes in {**config.table.rows, **foreign}.items()
    }


def _cell(label: str, config: DictConfig, models: dict[str, Any]) -> "Cell":
    """A cell with all that it needs but the model, which loads at its first use."""
    task = build("task", config)
    suite = build("metrics", config)
    scores = Path(config.results_dir) / "scores"

    from experiments.cell import Cell, Recipe
    from experiments.folder import Folder
    from experiments.store import GalleryStore, cell_key

    if isinstance(task, Folder):
        name = f"{Path(task.path).stem}-{cell_key({'path': str(Path(task.path).resolve())})}"
        return Cell(label, task.jobs(), task, None, suite, scores / f"{name}.jsonl")
    coupling = build("coupling", config)
    if coupling.size != task.gallery_size:
        raise UsageError(
            f"coupling: it couples {coupling.size} noises, but task.gallery_size is "
            f"{task.gallery_size}; make them equal"
        )
    inputs = _inputs(config)
    name = f"{config.model.name}-{_name(config.coupling)}-{cell_key(inputs)}"
    return Cell(
        label=label,
        jobs=task.jobs(),
        galleries=GalleryStore(Path(config.output_dir) / name, inputs),
        recipe=Recipe(
            coupling=coupling,
            seed=config.seed,
            galleries_per_batch=config.workers.galleries_per_batch,
            load_model=partial(load_model, config, models),
        ),
        suite=suite,
        score_file=scores / f"{name}.jsonl",
    )


def load_model(config: DictConfig, models: dict[str, Any]) -> Any:
    """The model of `config`; cells with the same one share it."""
    key = OmegaConf.to_yaml(config.model, resolve=True)
    if key not in models:
        models.clear()  # two at once might not fit the device
        models[key] = build("model", config)
    return models[key]


def _inputs(config: DictConfig) -> dict[str, Any]:
    """What the images of a cell are made from. Where a card lies is no input; its matrix is."""
    from experiments.learning.card import read

    values = OmegaConf.to_container(config, resolve=True)
    coupling = values["coupling"]
    if "card" in coupling:
        coupling["matrix"] = read(Path(coupling.pop("card"))).matrix.tolist()
    return {
        "model": model_inputs(values["model"]),
        "coupling": coupling,
        "optimizer": values["optimizer"],
        "gallery_size": values["task"]["gallery_size"],
        "seed": values["seed"],
    }


def model_inputs(model: dict[str, Any]) -> dict[str, Any]:
    """What a model is. Where its weights lie or run is no input."""
    from experiments.models.device import select_device, select_dtype
    from experiments.models.fingerprint import fingerprint

    rest = {
        key: value for key, value in model.items() if key not in ("source", "revision", "device")
    }
    dtype = str(select_dtype(model["dtype"], select_device(model["device"])))
    return {**rest, "weights": fingerprint(model["source"], model["revision"]), "dtype": dtype}


def _finish(config: DictConfig, rows: dict[str, DictConfig], cells: Sequence["Cell"]) -> None:
    """Scores every cell; prints the scores of one, writes the table of several."""
    import pandas as pd

    from experiments.publish import publish, summarise
    from experiments.tables import TableSpec

    scores = [cell.score() for cell in cells]
    if config.table is None:
        summarise(cells[0], scores[0])
        return
    table = OmegaConf.to_container(config.table, resolve=True)
    shown = config.metrics.scores
    publish(
        TableSpec(
            name=table["name"],
            title=table["title"],
            rows=list(rows),
            columns={name: column for name, column in table["columns"].items() if name in shown},
            baselines=table["baselines"],
            paper=table["paper"],
            jobs=len(cells[0].jobs),
        ),
        cells,
        pd.concat(scores),
        model=config.model.name,
        folder=Path(config.results_dir) / config.table.name,
        configs={label: OmegaConf.to_container(row) for label, row in rows.items()},
        arrange=build("arrange", config.table) if "arrange" in config.table else lambda x: x,
    )


def build(group: str, config: DictConfig) -> Any:
    """The object that a group of the configuration describes; UsageError naming the group."""
    try:
        # "all": plain dicts and lists; the default would take dataclasses for configurations
        return hydra.utils.instantiate(config[group], _convert_="all")
    except InstantiationException as error:
        cause = error.__cause__
        if isinstance(cause, UsageError):
            raise cause from None
        if isinstance(cause, ValueError | TypeError):
            raise UsageError(f"{group}: {cause}") from error
        raise
    except OmegaConfBaseException as error:
        raise UsageError(f"{group}: {str(error).splitlines()[0]}") from error


def _name(group: DictConfig) -> str:
    """`repulsive` of `coupling.repulsive`."""
    return group._target_.rsplit(".", 1)[1]


if __name__ == "__main__":
    main()
