"""A finished table with what stands behind it: what every figure is drawn from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from experiments.cells.cell import Cell
from experiments.tables.table import Table


@dataclass(frozen=True)
class Results:
    """A table, the score rows that it was built from, and the cells that they are scores of."""

    table: Table
    scores: pd.DataFrame
    cells: Sequence[Cell]


Figure = Callable[[Results, Path], tuple[Path, ...]]
"""Draws results to a path, whose suffix gives way to those of the formats; returns the paths."""
