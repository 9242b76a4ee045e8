"""What a table shows: its rows, columns and tests, in plain values as its YAML states them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from experiments.cells.cell import Cell
from experiments.errors import UsageError
from experiments.tables import paper


@dataclass(frozen=True)
class Column:
    """How a metric is printed; `better` is higher, lower or neutral.

    What is `certain`, as a count that each method fixes, is not tested: a test of it would only
    widen the family that the others are corrected by.
    """

    label: str
    better: str
    digits: int
    certain: bool = False


@dataclass(frozen=True)
class TableSpec:
    """What a table shows, in plain values as its YAML states them.

    Attributes:
        name: short name, used in messages and as the LaTeX label.
        title: heading of the table.
        rows: method labels in the order of printing; of a mapping, its keys.
        columns: metric -> Column, or the mapping of a Column's fields.
        baselines: row -> the row, or rows, that it is tested against; stars speak of the first.
        paper: the paper's table that these rows mirror ("table1" .. "table9"), or None.
        jobs: how many jobs each cell must have at least, each with all seeds.
        seeds: how many.
        unit: what a job is made of, in the singular.
        notes: sentences that a reader needs, such as what made the masks.

    Raises:
        UsageError: the parts do not fit together.
    """

    name: str
    title: str
    rows: Sequence[str]
    columns: Mapping[str, Column]
    baselines: Mapping[str, str | Sequence[str]]
    paper: str | None
    jobs: int
    unit: str = "prompt"
    notes: Sequence[str] = ()
    seeds: int = 1
    interactions: Mapping[str, Sequence[str]] = field(default_factory=dict)
    front: Sequence[str] = ()

    def __post_init__(self) -> None:
        columns = {
            metric: column if isinstance(column, Column) else Column(**column)
            for metric, column in self.columns.items()
        }
        object.__setattr__(self, "rows", tuple(self.rows))
        object.__setattr__(self, "columns", columns)
        baselines = {
            row: (against,) if isinstance(against, str) else tuple(against)
            for row, against in self.baselines.items()
        }
        object.__setattr__(self, "baselines", baselines)
        if not self.rows or not columns or len(set(self.rows)) < len(self.rows):
            raise UsageError(f"{self.name}: rows and columns must be given, each row once")
        for row, baseline in self.pairs:
            if row == baseline or not {row, baseline} <= set(self.rows):
                raise UsageError(
                    f"{self.name}: baseline {row!r}: {baseline!r} must name two of its rows: "
                    f"{', '.join(self.rows)}"
                )
        for name, rows in self.interactions.items():
            if len(rows) != 4 or not {*rows} <= {*self.rows}:
                raise UsageError(f"{self.name}: interaction {name} = {rows} must name four rows")
        for metric, column in columns.items():
            if column.better not in ("higher", "lower", "neutral"):
                raise UsageError(
                    f"{self.name}: {metric} has better={column.better!r}; "
                    "write higher, lower or neutral"
                )
        if self.paper is not None:
            paper.table(self.paper)

    @property
    def directed(self) -> tuple[str, ...]:
        """The columns that are better somewhere."""
        return tuple(m for m, column in self.columns.items() if column.better != "neutral")

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Every (row, baseline) that is tested."""
        return tuple((row, one) for row, against in self.baselines.items() for one in against)


def spec_of(
    table: Mapping[str, Any], cells: Sequence[Cell], scores: pd.DataFrame, *, notes: Sequence[str]
) -> TableSpec:
    """The table that a configuration's `table` describes, of the cells that were measured.

    Its columns are those of them that were measured, and a plain one for each score beside them.
    """
    beside = {name: Column(name, "neutral", 3) for name in cells[0].suite.scores}
    columns = {**beside, **table["columns"]}
    measured = set(scores["metric"])
    gone = {row for row, changes in table["rows"].items() if changes is None}  # with this model
    return TableSpec(
        name=table["name"],
        title=table["title"],
        rows=list(dict.fromkeys(cell.label for cell in cells)),
        columns={
            name: columns[name]
            for name in dict.fromkeys([*table["columns"], *beside])
            if name in measured
        },
        baselines={
            row: [
                one
                for one in ([against] if isinstance(against, str) else against)
                if one not in gone
            ]
            for row, against in table["baselines"].items()
            if row not in gone
        },
        paper=table["paper"],
        jobs=len(cells[0].jobs),
        unit=table.get("unit", "prompt"),
        notes=[*table.get("notes", ()), *notes],
        seeds=max(Counter(cell.label for cell in cells).values()),
        interactions={
            name: rows
            for name, rows in table.get("interactions", {}).items()
            if not gone.intersection(rows)
        },
        front=[metric for metric in table.get("front", ()) if metric in measured],
    )


def spec_of_cell(cell: Cell, *, seeds: int) -> TableSpec:
    """The table of a single cell, or of one for each seed: its scores, compared with nothing."""
    return TableSpec(
        name=cell.label,
        title=f"Galleries of {cell.label}{' noises' if cell.production else ''}",
        rows=[cell.label],
        columns={name: Column(name, "neutral", 4) for name in cell.suite.scores},
        baselines={},
        paper=None,
        jobs=len(cell.jobs),
        seeds=seeds,
    )
