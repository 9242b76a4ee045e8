"""From the configurations of a table's rows to its cells.

What a cell's images are made from is hashed into the name of its folder, so another configuration
never meets the galleries of this one. What says nothing about the images stays out: where weights
or cards lie, on what device and by whom galleries are made.
"""

from collections.abc import Mapping
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from experiments.cells.cell import Cell
from experiments.cells.identity import identified
from experiments.cells.production import Production
from experiments.cells.score import Galleries
from experiments.cells.trial import tried
from experiments.cells.trust import GROUPS
from experiments.cells.views import View, most_spread
from experiments.compose import FOREIGN, Config, build, name_of, plain, with_groups
from experiments.errors import UsageError
from experiments.galleries.folder import CellFolder, cell_key
from experiments.galleries.foreign import Foreign
from experiments.galleries.shard import Shard
from experiments.inputs.doors import located
from experiments.models.model import Model
from experiments.models.source import ModelSource
from experiments.tasks.diversity import Diversity
from experiments.tasks.job import Job
from experiments.tasks.making import Making
from experiments.tasks.objects import Objects
from experiments.workers.batch import Recipe
from experiments.workers.dispatch import Workers
from metrics import MetricSuite

Built = dict[tuple[str, str], Any]  # what groups of configurations describe, by name and values


def cells_of(rows: Mapping[str, Config]) -> list[Cell]:
    """A cell for each table row and seed, with all that it needs but the model.

    That loads at first use. Cells that ask for the same workers or scores share them, and networks.

    Raises:
        UsageError: a row's parts do not fit together, or its seeds are no list of several integers.
    """
    built: Built = {}
    return [
        _cell(label, with_groups(row, {"seed": seed}), built)
        for label, row in rows.items()
        for seed in _seeds(row)
    ]


def _seeds(config: Config) -> list[int]:
    if (seeds := config.get("seeds")) is None:
        return [config.seed]
    found = list(seeds) if OmegaConf.is_list(seeds) else []
    if not found or len(set(found)) < len(found) or not all(type(seed) is int for seed in found):
        raise UsageError(f"seeds = {seeds} must be different integers in a list, as seeds=[0,1,2]")
    return found


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


def _shared(group: str, config: Config, built: Built) -> Any:
    """What a group describes; one for all that describe the same."""
    key = group, repr(plain(config[group]))
    if key not in built:
        built[key] = build(group, config)
    return built[key]


def _cell(label: str, config: Config, built: Built) -> Cell:
    if config.task._target_ != FOREIGN:
        _require_suited(config)
    task = build("task", config)
    return (_foreign if task.made_elsewhere else _ours)(label, config, task, built)


def _require_suited(config: Config) -> None:
    """Raises UsageError where only one of method and model is for black boxes."""
    try:
        method, family = located(config.method._target_), located(config.model._target_)
    except UsageError:
        return  # told with its name where it is built
    if hasattr(method, "suits") and hasattr(family, "opaque"):
        method.suits(family)


def _foreign(label: str, config: Config, task: Foreign, built: Built) -> Cell:
    """The cell of galleries that something else has made."""
    place = Path(task.path)
    name = f"{place.stem}-{cell_key({'path': str(place.resolve())})}"
    file = Path(config.results_dir) / "scores" / f"{name}.jsonl"
    suite, notes = fitting(_shared("metrics", config, built), task.gallery_size)
    return Cell(
        label,
        config.seed,
        task.jobs(),
        task,
        place,
        suite=suite,
        score_file=file,
        notes=(*task.notes, *notes),
    )


def fitting(suite: MetricSuite, size: int) -> tuple[MetricSuite, tuple[str, ...]]:
    """The scores of galleries of `size` images, and a note of those that would need more."""
    both = (suite.scores, suite.sets)
    others = [name for scorers in both for name in scorers if scorers[name].least > size]
    suite = suite.without(others)
    if not suite.scores:
        raise UsageError(f"metrics: all of them compare images, and galleries have {size}")
    note = f"Galleries of {size} are scored without {', '.join(others)}: they compare images."
    return suite, (note,) if others else ()


def _ours(label: str, config: Config, task: Diversity | Objects, built: Built) -> Cell:
    """The cell of a task and a method of ours."""
    for part in GROUPS:  # of the method, but a mistake is told by their names
        build(part, config)
    method, model = build("method", config), model_of(config)
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
    return made_here(
        label,
        task,
        making,
        Recipe(method, config.seed, inputs, model),
        place=Path(config.output_dir) / name,
        scores=Path(config.results_dir) / "scores",
        suite=_shared("metrics", config, built),
        workers=_shared("workers", config, built),
        title=f"{label}, seed {config.seed}" if config.get("seeds") else label,
        shard=Shard.parse(shard) if (shard := config.get("shard")) else None,
    )


def made_here(
    label: str,
    task: Diversity | Objects,
    making: Making,
    recipe: Recipe,
    *,
    place: Path,
    scores: Path,
    suite: MetricSuite,
    workers: Workers,
    title: str,
    shard: Shard | None = None,
) -> Cell:
    """The cell whose galleries a recipe makes.

    Args:
        place: the folder of its galleries; scores: that of the files of score rows.
        title: what its progress is called.

    Raises:
        UsageError: the task has no jobs, or a score does not take its galleries.
    """
    jobs: list[Job] = [*task.jobs()]
    folder = CellFolder(place, recipe.inputs, gallery_size=making.gallery_size)
    size = making.keep or task.gallery_size
    suite, notes = fitting(suite, size)
    return Cell(
        label=label,
        seed=recipe.seed,
        jobs=jobs,
        galleries=_shown(folder, making),
        place=place,
        suite=tried(suite, jobs[0], size=size),
        score_file=scores / f"{place.name}{making.selection}.jsonl",
        production=Production(title, jobs, folder, recipe, workers, shard),
        notes=(*task.notes, *notes),
    )


def _shown(folder: CellFolder, making: Making) -> Galleries:
    """What stands for the galleries of a folder where they are scored and looked at."""
    if making.part:
        return View(folder, itemgetter(making.part))
    if making.keep:
        return View(folder, partial(most_spread, keep=making.keep))
    return folder
