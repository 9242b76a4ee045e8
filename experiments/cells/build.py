"""From the configurations of a table's rows to its cells.

What a cell's images are made from is hashed into the name of its folder, so another configuration
never meets the galleries of this one. What says nothing about the images stays out: where weights
or cards lie, on what device and by whom galleries are made.
"""

from collections.abc import Mapping
from functools import partial
from operator import itemgetter
from pathlib import Path

from experiments.cells.cell import Cell
from experiments.cells.identity import identified
from experiments.cells.production import Production
from experiments.cells.score import Galleries
from experiments.cells.trial import tried
from experiments.cells.views import View, most_spread
from experiments.compose import Config, build, located, name_of, plain
from experiments.errors import UsageError
from experiments.galleries.folder import CellFolder, cell_key
from experiments.galleries.foreign import Foreign
from experiments.galleries.shard import Shard
from experiments.models.model import Model
from experiments.models.source import ModelSource
from experiments.tasks.making import Making
from experiments.workers.batch import Recipe
from experiments.workers.dispatch import Workers


def cells_of(rows: Mapping[str, Config]) -> list[Cell]:
    """A cell for each table row, with all that it needs but the model, which loads at first use.

    Cells that ask for the same workers share them.

    Raises:
        UsageError: a row's parts do not fit together.
    """
    workers: dict[str, Workers] = {}
    return [_cell(label, row, workers) for label, row in rows.items()]


def model_of(config: Config) -> ModelSource:
    """Where the model of a configuration comes from, and how it is run. Nothing is loaded.

    Raises:
        UsageError: no class of models, or a setting is missing, unknown or invalid.
    """
    settings = plain(config.model)
    family = located(target := settings.pop("_target_"))
    if not (isinstance(family, type) and issubclass(family, Model)):
        raise UsageError(f"model._target_ = {target} is no family of models: name its class")
    return ModelSource(family, settings, build("execution", config))


def _cell(label: str, config: Config, workers: dict[str, Workers]) -> Cell:
    task = build("task", config)
    return _foreign(label, config, task) if task.made_elsewhere else _ours(label, config, workers)


def _foreign(label: str, config: Config, task: Foreign) -> Cell:
    """The cell of galleries that something else has made."""
    place = Path(task.path)
    name = f"{place.stem}-{cell_key({'path': str(place.resolve())})}"
    file = Path(config.results_dir) / "scores" / f"{name}.jsonl"
    return Cell(label, task.jobs(), task, place, suite=build("metrics", config), score_file=file)


def _ours(label: str, config: Config, workers: dict[str, Workers]) -> Cell:
    """The cell of a task and a method of ours."""
    for part in ("coupling", "optimizer"):  # of the method, but a mistake is told by their names
        build(part, config)
    task, method, model = build("task", config), build("method", config), model_of(config)
    making: Making = task.making(method)
    named = {group: config[group] for group in making.groups}
    inputs = {
        "model": identified(model.inputs()),
        **{group: values and identified(plain(values)) for group, values in named.items()},
        **making.inputs,
        "seed": config.seed,
    }
    # a method around an object has its coupling inside
    inner = [group.get("coupling") for group in named.values() if group]
    names = [name_of(group) for group in (*named.values(), *inner) if group]
    name = "-".join([config.model.name, *names, cell_key(inputs)])
    crew = repr(plain(config.workers))
    if crew not in workers:
        workers[crew] = build("workers", config)
    jobs = task.jobs()
    folder = CellFolder(Path(config.output_dir) / name, inputs, gallery_size=making.gallery_size)
    production = Production(
        label=label,
        jobs=jobs,
        folder=folder,
        recipe=Recipe(method, config.seed, inputs, model),
        workers=workers[crew],
        shard=Shard.parse(shard) if (shard := config.get("shard")) else None,
    )
    return Cell(
        label=label,
        jobs=jobs,
        galleries=_shown(folder, making),
        place=folder.path,
        suite=tried(build("metrics", config), jobs[0], size=making.keep or task.gallery_size),
        score_file=Path(config.results_dir) / "scores" / f"{name}{making.selection}.jsonl",
        production=production,
        notes=task.notes,
    )


def _shown(folder: CellFolder, making: Making) -> Galleries:
    """What stands for the galleries of a folder where they are scored and looked at."""
    if making.part:
        return View(folder, itemgetter(making.part))
    if making.keep:
        return View(folder, partial(most_spread, keep=making.keep))
    return folder
