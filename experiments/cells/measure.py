"""How the cells of a table become score rows: their galleries are made and scored."""

from collections.abc import Sequence

import pandas as pd

from experiments.cells.cell import Cell
from experiments.errors import resumable


def score_galleries(cells: Sequence[Cell]) -> pd.DataFrame:
    """Generates what is missing of every cell and scores it: one row per gallery and metric.

    A gallery that was given up has no row; see `Cell.given_up`.

    Raises:
        UsageError: something that the user can mend.
    """
    with resumable(lambda: _so_far(cells)):
        generate_galleries(cells)
        return pd.concat([cell.score() for cell in cells])


def generate_galleries(cells: Sequence[Cell]) -> None:
    """Generates what is missing of every cell.

    Everything that can fail early does: the model and the metrics' weights are had first.

    Raises:
        UsageError: something that the user can mend.
    """
    for cell in cells:
        missing = len(cell.missing())
        todo = f"{missing} to generate" if missing else "nothing to generate"
        print(f"{cell.label}: {len(cell.jobs)} galleries, {todo}")
    for cell in cells:
        cell.prepare()
    try:
        with resumable(lambda: _so_far(cells)):
            for cell in cells:
                cell.generate()
    finally:
        for workers in {id(cell.workers): cell.workers for cell in cells if cell.workers}.values():
            workers.close()


def _so_far(cells: Sequence[Cell]) -> str:
    total = sum(len(cell.jobs) for cell in cells)
    committed = total - sum(len(cell.missing()) for cell in cells)
    return f"{committed} of {total} galleries are committed"


def unfinished(cells: Sequence[Cell]) -> str | None:
    """Which galleries were given up, and why, in one line; None if none was."""
    failures = [(cell, failure) for cell in cells for failure in cell.given_up()]
    if not failures:
        return None
    cell, first = failures[0]
    jobs = ", ".join(f"{cell.label}/{failure.job}" for cell, failure in failures)
    return (
        f"{len(failures)} given up ({jobs}), the first ({first.prompt!r}) for {first.error}; "
        f"{cell.galleries.folder}/failures.jsonl has every try, and a new run tries again"
    )
