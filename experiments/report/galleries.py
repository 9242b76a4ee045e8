"""The galleries of the first prompts, the methods side by side: none is chosen."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isnan
from typing import Any

import pandas as pd

from experiments.cells.score import Galleries
from experiments.galleries.folder import Archive
from experiments.report.pictures import Picture, photo
from experiments.tables.results import Results
from experiments.tables.scorerows import pivot
from experiments.tables.spec import Column, TableSpec
from experiments.tasks.job import Job

Values = Mapping[str, pd.Series]
"""Of a job: metric -> its value by row, NaN where there is none."""

Score = tuple[Column, float, float | None]
"""A value in a column, and its difference to the row's first baseline, if there is one."""

WEIGHT = 550_000
"""Bytes of pictures, as text, that a page takes: it is to be sent, and opened on a phone."""


@dataclass(frozen=True)
class Strip:
    """One gallery.

    `folder` is where its images are made again from, with the seed; "" where they cannot be.
    """

    row: str
    images: list[Picture]
    scores: list[Score]
    folder: str
    seed: int | None


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
        galleries: how many prompts are shown at most; None for as many as `WEIGHT` allows.
        pixels: larger images are reduced to as many on their longer side.
    """
    committed = {row: there.committed() for row, there in results.galleries.items()}
    shown = [job for job in results.jobs if any(job.id in there for there in committed.values())]
    shown = shown[:galleries]
    if not shown:
        return None
    spec = results.table.spec
    of_metric = {
        metric: pivot(results.scores, metric, rows=spec.rows).reindex([job.id for job in shown])
        for metric in spec.columns
    }
    exhibits: list[Exhibit] = []
    weight = 0
    for job in shown:
        values = {metric: found.loc[job.id] for metric, found in of_metric.items()}
        strips = [
            _strip(
                row, results.galleries[row], there[job.id], job, pixels, _scores(spec, values, row)
            )
            for row, there in committed.items()
            if job.id in there
        ]
        weight += sum(len(image.uri) for strip in strips for image in strip.images)
        if exhibits and weight > WEIGHT:
            break
        exhibits.append(Exhibit(job.title, strips, _keys(spec, values)))
    groups = [f"{row} against {baseline}" for row, baseline in spec.pairs]
    return Wall(exhibits, len(results.jobs), groups or list(spec.rows))


def _strip(
    row: str, galleries: Galleries, entry: Any, job: Job, pixels: int, scores: list[Score]
) -> Strip:
    images = galleries.read(entry)
    pictures = [
        photo(image, f"image {k} of {len(images)}, {row}: {job.title}", pixels=pixels)
        for k, image in enumerate(images, start=1)
    ]
    # what replay can make again: our own images, all of a gallery, and not around an object
    ours = isinstance(galleries, Archive) and "method" not in galleries.inputs
    seed = galleries.inputs.get("seed") if isinstance(galleries, Archive) else None
    return Strip(row, pictures, scores, galleries.where(entry) if ours else "", seed)


def _scores(spec: TableSpec, values: Values, row: str) -> list[Score]:
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
