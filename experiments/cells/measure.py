"""From the cells of a table to score rows: what is missing is made, and all of it is scored."""

from collections.abc import Sequence

import pandas as pd

from experiments.cells.cell import Cell
from experiments.errors import UsageError, resumable
from metrics.weights import WeightsError


def make(cells: Sequence[Cell], *, scored: bool = True) -> None:
    """Makes the missing galleries of every cell. Whatever can fail early does.

    Args:
        scored: whether scores follow, so that the metrics' weights are downloaded first, too.

    Raises:
        UsageError: something that the user can mend.
    """
    missing = {cell.name: len(cell.missing()) for cell in cells}
    for cell in cells:
        lack = missing[cell.name]
        todo = f"{lack} to generate" if lack else "nothing to generate"
        print(f"{cell.name}: {len(cell.jobs)} galleries, {todo}")
    productions = [cell.production for cell in cells if cell.production]
    for production in productions:
        production.check()
    lacking = [cell.production for cell in cells if cell.production and missing[cell.name]]
    for name in dict.fromkeys(each.recipe.inputs["model"]["name"] for each in lacking):
        print(f"loading {name}", flush=True)
    for production in productions:
        production.prepare()
    try:
        for cell in cells if scored else ():
            if missing[cell.name]:
                cell.suite.prepare()
    except WeightsError as error:
        raise UsageError(str(error)) from error
    try:
        with resumable(lambda: _so_far(cells)):
            for production in productions:
                production.make()
    finally:
        for workers in {id(p.workers): p.workers for p in productions}.values():
            workers.close()


def score(cells: Sequence[Cell]) -> pd.DataFrame:
    """One score row per gallery and metric of every cell; a gallery that was given up has none.

    Raises:
        UsageError: something that the user can mend.
    """
    with resumable(lambda: _so_far(cells)):
        return pd.concat([cell.score() for cell in cells])


def _so_far(cells: Sequence[Cell]) -> str:
    total = sum(len(cell.jobs) for cell in cells)
    committed = total - sum(len(cell.missing()) for cell in cells)
    return f"{committed} of {total} galleries are committed"


def unfinished(cells: Sequence[Cell]) -> str | None:
    """Which galleries were given up, and why, in one line; None if none was."""
    productions = [cell.production for cell in cells if cell.production]
    failures = [(each, failure) for each in productions for failure in each.given_up()]
    if not failures:
        return None
    production, first = failures[0]
    jobs = ", ".join(f"{production.label}/{failure.job}" for production, failure in failures)
    return (
        f"{len(failures)} given up ({jobs}), the first ({first.prompt!r}) for {first.error}; "
        f"{production.folder.path}/failures.jsonl has every try, and a new run tries again"
    )
