"""The galleries of the first prompts, the methods side by side: none is chosen."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from experiments.report.pictures import Picture, photo
from experiments.tables.results import Results
from experiments.tables.scorerows import pivot
from experiments.tables.spec import Column, TableSpec


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
    known = [
        job for job in results.jobs if any(job.id in entries for entries in committed.values())
    ]
    if not known[:galleries]:
        return None
    spec = results.table.spec
    values = {metric: pivot(results.scores, metric, rows=spec.rows) for metric in spec.columns}
    exhibits = []
    for job in known[:galleries]:
        of_job = {m: wide.reindex([job.id]).iloc[0].astype(object) for m, wide in values.items()}
        strips = []
        for row, there in results.galleries.items():
            if job.id in committed[row]:
                images = there.read(committed[row][job.id])
                alts = (
                    f"image {k} of {len(images)}, {row}: {job.title}"
                    for k in range(1, 1 + len(images))
                )
                pictures = [
                    photo(image, alt, pixels=pixels)
                    for image, alt in zip(images, alts, strict=True)
                ]
                strips.append(Strip(row, pictures, _scores(spec, of_job, row)))
        exhibits.append(Exhibit(job.title, strips, _keys(spec, of_job)))
    groups = [f"{row} – {baseline}" for row, baseline in spec.pairs]
    return Wall(exhibits, len(results.jobs), groups or list(spec.rows))


def _scores(
    spec: TableSpec, values: Mapping[str, pd.Series], row: str
) -> list[tuple[Column, float, float | None]]:
    """The scores of a gallery, of a job's values by metric and row."""
    found = []
    for metric, column in spec.columns.items():
        value = values[metric][row]
        changes = [value - values[metric][baseline] for baseline in spec.baselines.get(row, ())[:1]]
        if value == value:
            found.append((column, value, next((c for c in changes if c == c), None)))
    return found


def _keys(spec: TableSpec, values: Mapping[str, pd.Series]) -> list[float | None]:
    """The effects of the tested pairs, or without any the values: six digits of each."""
    found = [
        values[metric][row] - values[metric][baseline]
        for row, baseline in spec.pairs
        for metric in spec.columns
    ] or [values[metric][row] for row in spec.rows for metric in spec.columns]
    return [None if key != key else float(f"{key:.6g}") for key in found]
