"""The cells of a model in memory: rows that are couplings, or methods, over prompts in a list."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from coupling import Coupling
from experiments.cells.build import made_here
from experiments.cells.cell import Cell
from experiments.cells.identity import described
from experiments.compose import build, compose, plain
from experiments.errors import UsageError
from experiments.galleries.folder import cell_key
from experiments.inputs.prompts import from_list
from experiments.methods.coupled import Coupled
from experiments.methods.piped import Piped
from experiments.models.held import Held
from experiments.tasks.diversity import Diversity
from experiments.workers.batch import Recipe
from metrics import MetricSuite


def cells_of_rows(
    model: Held,
    prompts: Sequence[str],
    rows: Mapping[str, Coupling | Coupled],
    *,
    metrics: str | MetricSuite,
    folder: Path,
    seed: int,
) -> list[Cell]:
    """A cell for each row, its galleries in folder/outputs, its scores in folder/results/scores.

    Args:
        rows: what each row is called: its coupling, or that with an optimiser.

    Raises:
        UsageError: they do not fit together, or no name tells one of them from others.
    """
    if not rows:
        raise UsageError('rows are empty; name a coupling, as in rows={"iid": coupling.iid(4)}')
    workers = build("workers", compose(["workers.galleries_per_batch=auto"]))
    return [
        _cell(label, row, model, prompts, suite_of(metrics), folder, seed, workers)
        for label, row in rows.items()
    ]


def _cell(
    label: str,
    row: Coupling | Coupled,
    model: Held,
    prompts: Sequence[str],
    suite: MetricSuite,
    folder: Path,
    seed: int,
    workers: Any,
) -> Cell:
    method = row if isinstance(row, Coupled) else Coupled(row, None)
    if model.model.opaque:
        method = Piped(method.coupling, method.optimizer, method.steering)
    law = method.coupling
    task = Diversity(None, law.size, None, partial(from_list, prompts=list(prompts)))
    making = task.making(method)
    made_of = {group: described(getattr(method, group)) for group in making.groups}
    inputs = {"model": model.inputs(), **made_of, **making.inputs, "seed": seed}
    names = [getattr(law, "name", type(law).__name__.lower())]
    names += [type(method.optimizer).__name__.lower()] if method.optimizer else []
    return made_here(
        label,
        task,
        making,
        Recipe(method, seed, inputs, model),
        place=folder / "outputs" / "-".join([model.settings["name"], *names, cell_key(inputs)]),
        scores=folder / "results" / "scores",
        suite=suite,
        workers=workers,
        title=label,
    )


def suite_of(metrics: str | MetricSuite) -> MetricSuite:
    """A suite, or that of `configs/metrics/METRICS.yaml`. Raises UsageError if there is none."""
    if isinstance(metrics, MetricSuite):
        return metrics
    return build("metrics", compose([f"metrics={metrics}"]))


def table_of(rows: Sequence[str], *, name: str, title: str, baseline: str) -> tuple[dict, dict]:
    """The table of diverse galleries with these rows, and what `publish` shows beside it.

    Raises:
        UsageError: the baseline is none of them.
    """
    if baseline not in rows:
        raise UsageError(f"baseline {baseline!r} is no row; there are {', '.join(rows)}")
    config = compose(["experiment=diversity"])
    own = {"name": name, "title": title, "paper": None, "rows": {row: () for row in rows}}
    baselines = {row: baseline for row in rows if row != baseline}
    drawn = ["galleries", *(["effects"] if baselines else [])]
    figures = {figure: build(f"table.figures.{figure}", config) for figure in drawn}
    table = {**plain(config.table), **own, "baselines": baselines}
    return table, {"figures": figures, "report": plain(config.report)}
