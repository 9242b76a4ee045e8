"""Boards of galleries around an object: a picture a block of columns, a method a row."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from experiments.figures.board import comparison_board
from experiments.tables.results import Results
from experiments.tasks.objects import ObjectJob
from experiments.tasks.scenes import ObjectImage

GIVEN = "picture, mask and object"
MAGNIFIED = 4  # of a difference, so that the eye sees it


def object_board(
    results: Results, path: Path, *, num_pictures: int, rows: Sequence[str] | None
) -> tuple[Path, Path]:
    """The galleries of a table's first pictures, none chosen, under what was given.

    rows: the methods shown; None for all.
    """
    labels = [label for label in results.table.spec.rows if rows is None or label in rows]
    jobs = [job for job in results.jobs[:num_pictures] if isinstance(job, ObjectJob)]
    names = [job.picture.id for job in jobs]
    galleries = {
        label: dict(zip(names, results.images(label, jobs), strict=True)) for label in labels
    }
    size = len(next(iter(galleries[labels[0]].values())))
    given = {job.picture.id: _given(job.picture, size) for job in jobs}
    return comparison_board([(GIVEN, given), *galleries.items()], path)


def _given(picture: ObjectImage, size: int) -> np.ndarray:
    """The picture, its mask and what the mask keeps, as far as `size` images go; white after."""
    mask, white = picture.mask[..., None], np.full_like(picture.image, 255)
    shown = [picture.image, mask * white, np.where(mask, picture.image, white)]
    return np.stack([*shown, *[white] * size][:size])


def reconstructions(
    results: Results, path: Path, *, row: str, num_pictures: int
) -> tuple[Path, Path]:
    """What inversion and sampling make of a table's first pictures, with the error of each.

    Each picture, the first image of its gallery in `row`, and their absolute difference, magnified;
    the number is the root mean square of the difference, over the whole image in [0, 1].
    """
    jobs = [job for job in results.jobs[:num_pictures] if isinstance(job, ObjectJob)]
    difference = f"difference, × {MAGNIFIED}; at the top its root mean square"
    rows: dict[str, dict[str, np.ndarray]] = {
        "picture": {},
        "inverted and sampled again": {},
        difference: {},
    }
    for number, (job, gallery) in enumerate(zip(jobs, results.images(row, jobs), strict=True), 1):
        image, again = job.picture.image, gallery[0]
        apart = np.abs(again.astype(float) - image) / 255
        magnified = (255 * (MAGNIFIED * apart).clip(0, 1)).astype(np.uint8)
        label = f"{number}: {np.sqrt((apart**2).mean()):.3f}"
        for shown, of_row in zip((image, again, magnified), rows.values(), strict=True):
            of_row[label] = shown[None]
    return comparison_board(list(rows.items()), path)
