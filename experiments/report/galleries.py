"""The galleries of the first prompts, the methods side by side: none is chosen."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isnan

import pandas as pd

from experiments.report.pictures import Picture, photo
from experiments.tables.results import Results
from experiments.tables.scorerows import pivot
from experiments.tables.spec import Column, TableSpec
from experiments.tasks.job import Job

Values = Mapping[str, pd.Series]
"""Of a job: metric -> its value by row, NaN where there is none."""


@dataclass(frozen=True)
class Strip:
    """One gallery; scores are (column, value, difference to the row's first baseline or None)."""

    row: str
    images: list[Picture]
    scores: list[tuple[Column, float, float | None]]


@dataclass(frozen=True)
class Exhibit:
    """A job under every method. `keys` are what it can be sorted by, in the wall's order."""

    title: str
    strips: list[Strip]
    keys: list[float | None]


@dataclass(frozen=True)
class Wall:
    """The exhibits of the first of `total` jobs.

    `groups` are what they are sorted by, in each the columns of the table one after another.
    """

    exhibits: list[Exhibit]
    total: int
    groups: list[str]


def wall(results: Results, *, galleries: int | None, pixels: int) -> Wall | None:
    """The galleries of the first prompts that any method has images of; None where there are none.

    Args:
        galleries: how many prompts are shown; None for all.
        pixels: larger images are reduced to as many on their longer side.
    """
    committed = {row: there.committed() for row, there in results.galleries.items()}
    shown = [job for job in results.jobs if any(job.id in there for there in committed.values())]
    shown = shown[:galleries]
    if not shown:
        return None

    def strip(row: str, job: Job) -> Strip:
        images = results.galleries[row].read(committed[row][job.id])
        pictures = [
            photo(image, f"image {k} of {len(images)}, {row}: {job.title}", pixels=pixels)
            for k, image in enumerate(images, start=1)
        ]
        return Strip(row, pictures, _scores(spec, values[job.id], row))

    spec = results.table.spec
    of_metric = {
        metric: pivot(results.scores, metric, rows=spec.rows).reindex([job.id for job in shown])
        for metric in spec.columns
    }
    values = {job.id: {m: found.loc[job.id] for m, found in of_metric.items()} for job in shown}
    exhibits = [
        Exhibit(
            title=job.title,
            strips=[strip(row, job) for row, there in committed.items() if job.id in there],
            keys=_keys(spec, values[job.id]),
        )
        for job in shown
    ]
    groups = [f"{row} – {baseline}" for row, baseline in spec.pairs]
    return Wall(exhibits, len(results.jobs), groups or list(spec.rows))


def _scores(spec: TableSpec, values: Values, row: str) -> list[tuple[Column, float, float | None]]:
    found = []
    for metric, column in spec.columns.items():
        value = values[metric][row]
        changes = [value - values[metric][baseline] for baseline in spec.baselines.get(row, ())[:1]]
        if not isnan(value):
            found.append((column, value, next((c for c in changes if not isnan(c)), None)))
    return found


def _keys(spec: TableSpec, values: Values) -> list[float | None]:
    """The effects of the tested pairs, or without any the values: six digits of each."""
    effects = [of[row] - of[base] for row, base in spec.pairs for of in values.values()]
    found = effects or [of[row] for row in spec.rows for of in values.values()]
    return [None if isnan(key) else float(f"{key:.6g}") for key in found]
