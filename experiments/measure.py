"""How the cells of a table become score rows: their galleries are made and scored."""

from collections.abc import Sequence

import pandas as pd

from experiments.cell import Cell


def score_galleries(cells: Sequence[Cell]) -> pd.DataFrame:
    """Generates what is missing of every cell and scores it: one row per gallery and metric.

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
    for cell in cells:
        cell.generate()
    return pd.concat([cell.score() for cell in cells])
