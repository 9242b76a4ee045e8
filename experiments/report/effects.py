"""Paired effects as a page shows them: by the two rows compared, each with its place on a bar."""

from dataclasses import dataclass

from experiments.tables.spec import Column
from experiments.tables.table import Comparison, Table

HALF = 47.0
"""How far, in per cent of a bar's width, the furthest end of an interval is from its middle."""


@dataclass(frozen=True)
class Effect:
    """A comparison in one column; `scale` is the furthest from zero that a bar of it reaches, its
    interval as wide as the correction makes it."""

    column: Column
    comparison: Comparison
    scale: float

    def place(self, difference: float) -> float:
        """Where a difference stands on a bar from 0 to 100, with no effect at 50."""
        return round(50 + (HALF * difference / self.scale if self.scale else 0.0), 2)


def effects(table: Table) -> dict[tuple[str, str], list[Effect]]:
    """(row, baseline) -> its effects by column, of every pair that has any.

    Bars of one column have one scale.
    """
    found: dict[tuple[str, str], list[Effect]] = {pair: [] for pair in table.spec.pairs}
    for metric, column in table.spec.columns.items():
        tested = [
            ((cell.row, comparison.baseline), comparison)
            for cell in table.cells
            if cell.metric == metric
            for comparison in cell.comparisons
        ]
        ends = (end for _, each in tested for end in each.corrected)
        scale = max(map(abs, ends), default=0.0)
        for pair, comparison in tested:
            found[pair].append(Effect(column, comparison, scale))
    return {pair: of_pair for pair, of_pair in found.items() if of_pair}
