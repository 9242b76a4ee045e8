"""From the configurations of a table's rows to its cells.

What a cell's images are made from (`Making.inputs`, the model, the seed) is hashed into the name of
its folder, so another configuration never meets the galleries of this one. What says nothing about
the images stays out: where weights or cards lie, on what device and by whom galleries are made.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.cells.cell import Cell
from experiments.cells.source import ConfiguredModel
from experiments.compose import Config, build, name_of, plain
from experiments.errors import UsageError
from experiments.galleries.archive import cell_key
from experiments.galleries.folder import CellFolder
from experiments.galleries.foreign import Foreign
from experiments.galleries.shard import Shard
from experiments.learning.card import read
from experiments.methods.coupled import Coupled
from experiments.methods.method import Method
from experiments.tasks.diversity import Diversity
from experiments.tasks.objects import Objects
from experiments.workers.dispatch import Workers
from experiments.workers.recipe import Recipe


@dataclass(frozen=True)
class Making:
    """What a task and its method add to a cell.

    Attributes:
        names: of the groups that matter to a reader; the folder has them.
        inputs: groups of the configuration that decide about the images.
        gallery_size: how many images of a gallery are made now.
        selection: what tells the scores of these images from those of others of the same galleries.
        keep, part, notes: of the `Cell`.
    """

    method: Method
    names: Sequence[str]
    inputs: Mapping[str, Any]
    gallery_size: int
    keep: int | None = None
    selection: str = ""
    part: slice | None = None
    notes: tuple[str, ...] = ()


def cells_of(rows: Mapping[str, Config]) -> list[Cell]:
    """A cell for each row, with all that it needs but the model, which loads at its first use.

    Cells that ask for the same workers share them.

    Raises:
        UsageError: a row's parts do not fit together.
    """
    workers: dict[str, Workers] = {}
    return [_cell(label, row, workers) for label, row in rows.items()]


def _cell(label: str, config: Config, workers: dict[str, Workers]) -> Cell:
    task, suite = build("task", config), build("metrics", config)
    scores = Path(config.results_dir) / "scores"
    if isinstance(task, Foreign):
        name = f"{Path(task.path).stem}-{cell_key({'path': str(Path(task.path).resolve())})}"
        file = scores / f"{name}.jsonl"
        return Cell(label, task.jobs(), None, task, recipe=None, suite=suite, score_file=file)
    making = _around_objects(config, task) if isinstance(task, Objects) else _coupled(config, task)
    model = ConfiguredModel(plain(config.model), plain(config.execution))
    inputs = {"model": model.inputs(), **making.inputs, "seed": config.seed}
    name = "-".join([config.model.name, *making.names, cell_key(inputs)])
    shard = Shard.parse(config.shard) if config.shard else None
    crew = repr(plain(config.workers))
    if crew not in workers:
        workers[crew] = build("workers", config)
    return Cell(
        label=label,
        jobs=task.jobs(),
        keep=making.keep,
        galleries=CellFolder(
            Path(config.output_dir) / name, inputs, gallery_size=making.gallery_size
        ),
        recipe=Recipe(making.method, config.seed, inputs, model),
        suite=suite,
        score_file=scores / f"{name}{making.selection}.jsonl",
        workers=workers[crew],
        shard=shard,
        part=making.part,
        notes=making.notes,
    )


def _coupled(config: Config, task: Diversity) -> Making:
    """Galleries of prompts, from coupled noises."""
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
    return Making(
        method=Coupled(coupling, optimizer),
        names=[name_of(group) for group in (config.coupling, config.optimizer) if group],
        inputs={
            "coupling": without_cards(plain(config.coupling)),
            "optimizer": plain(config.optimizer),
            "gallery_size": coupling.size,  # how many of them are made now is no input
        },
        gallery_size=task.gallery_size,
        keep=task.keep,
        selection=f"-best{task.keep}" if task.keep else "",
    )


def _around_objects(config: Config, task: Objects) -> Making:
    """Galleries around the objects of pictures."""
    method = build("method", config)
    if method is None:
        raise UsageError("task=objects needs a method, such as method=refined; --help lists them")
    if method.coupling.size != task.gallery_size:
        raise UsageError(
            f"coupling: it couples {method.coupling.size} noises, but task.gallery_size is "
            f"{task.gallery_size}; make them equal"
        )
    shown = method.part(task.checkpoint)
    coupling = config.method.get("coupling")
    return Making(
        method=method,
        names=[name_of(group) for group in (config.method, coupling) if group],
        inputs={"method": without_cards(plain(config.method))},
        gallery_size=method.size,
        selection=f"-from{shown.start}" if shown else "",
        part=shown,
        notes=task.notes,
    )


def without_cards(values: Mapping[str, Any]) -> dict[str, Any]:
    """A group's values with the matrix of every learned coupling in place of where its card is."""
    values = {
        key: without_cards(value) if isinstance(value, Mapping) else value
        for key, value in values.items()
    }
    if "card" in values:
        values["matrix"] = read(Path(values.pop("card"))).matrix.tolist()
    return values
