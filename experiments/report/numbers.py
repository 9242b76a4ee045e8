"""The numbers of a table as a page shows them: means, paired effects, the paper beside them."""

from dataclasses import dataclass

from experiments.tables import paper
from experiments.tables import table as tables
from experiments.tables.spec import Column
from experiments.tables.table import Table
from experiments.tables.typeset import (
    ARROWS,
    DASH,
    best_mean,
    count_range,
    marks,
    p_value,
    ratio,
    verdict,
)

HALF = 47.0
"""How far, in per cent of a bar's width, the furthest end of an interval is from its middle."""


@dataclass(frozen=True)
class Head:
    """A column; `hint` says which way is better."""

    label: str
    arrow: str
    hint: str


@dataclass(frozen=True)
class Number:
    """A mean; `sort` is its value."""

    mean: str
    spread: str
    sort: float | None
    best: bool
    stars: str


@dataclass(frozen=True)
class Method:
    """A row of the means, with the paper's under it where it has them."""

    label: str
    numbers: tuple[Number, ...]
    n: str
    paper: tuple[Number, ...]
    paper_n: str


@dataclass(frozen=True)
class Effect:
    """A row against a baseline in one column.

    `low`, `centre` and `high` place the interval on a bar from 0 to 100 with no effect at 50; bars
    of one column have one scale.
    """

    head: Head
    difference: str
    interval: str
    percent: str
    verdict: str
    dz: str
    t_p: str
    wilcoxon_p: str
    pairs: int
    low: float
    centre: float
    high: float
    ratios: tuple[str, ...]  # ours, then the paper's models; () where the paper has none


@dataclass(frozen=True)
class Comparison:
    """All effects of a row against a baseline."""

    row: str
    baseline: str
    effects: tuple[Effect, ...]


def head(column: Column) -> Head:
    hint = {"higher": "higher is better", "lower": "lower is better", "neutral": ""}
    return Head(column.label, ARROWS[column.better], hint[column.better])


def methods(table: Table) -> tuple[Method, ...]:
    """The rows of the table, in its order."""
    best = {metric: best_mean(table, metric) for metric in table.spec.columns}
    found = []
    for row in table.spec.rows:
        cells = [table.cell(row, metric) for metric in table.spec.columns]
        reported = any(cell.paper for cell in cells)
        found.append(
            Method(
                label=row,
                numbers=tuple(
                    _number(
                        cell.mean,
                        cell.std,
                        table.spec.columns[cell.metric],
                        best=cell.mean is not None and cell.mean == best[cell.metric],
                        stars=marks(cell),
                    )
                    for cell in cells
                ),
                n=count_range(cell.n for cell in cells),
                paper=tuple(
                    _number(mean, std, table.spec.columns[cell.metric])
                    for cell in cells
                    for mean, std in [cell.paper or (None, None)]
                    if reported
                ),
                paper_n=str(table.paper.n or DASH) if reported and table.paper else "",
            )
        )
    return tuple(found)


def comparisons(table: Table) -> tuple[Comparison, ...]:
    """The tested pairs of rows, in the order of the table."""
    scale = {metric: _furthest(table, metric) for metric in table.spec.columns}
    found = (
        (
            pair,
            tuple(
                _effect(table, metric, comparison, scale=scale[metric])
                for metric in table.spec.columns
                for comparison in table.cell(pair[0], metric).comparisons
                if comparison.baseline == pair[1]
            ),
        )
        for pair in table.spec.pairs
    )
    return tuple(Comparison(*pair, effects) for pair, effects in found if effects)


def paper_models(table: Table) -> tuple[str, ...]:
    """The models of the paper's table, as it prints them; () where no effect can be compared."""
    compared = any(each.paper_percent for cell in table.cells for each in cell.comparisons)
    if table.paper is None or not compared:
        return ()
    return tuple(paper.label(model) for model in table.paper.values)


def _furthest(table: Table, metric: str) -> float:
    """The furthest end of all intervals of a column from zero."""
    tests = (
        each.test for cell in table.cells if cell.metric == metric for each in cell.comparisons
    )
    return max((max(abs(test.ci_low), abs(test.ci_high)) for test in tests), default=0.0)


def _effect(table: Table, metric: str, comparison: tables.Comparison, *, scale: float) -> Effect:
    column, test = table.spec.columns[metric], comparison.test
    digits = column.digits + 1

    def place(value: float) -> float:
        return round(50 + (HALF * value / scale if scale else 0.0), 2)

    percent = comparison.percent
    models = table.paper.values if table.paper else {}
    theirs = tuple(ratio(comparison.paper_percent.get(model)) for model in models)
    return Effect(
        head=head(column),
        difference=f"{test.difference:+z.{digits}f}",
        interval=f"{test.ci_low:+z.{digits}f} to {test.ci_high:+z.{digits}f}",
        percent="" if percent is None else f"{percent:+z.1f} %",
        verdict=verdict(comparison, column),
        dz=DASH if test.dz is None else f"{test.dz:+z.2f}",
        t_p=p_value(comparison.t_p_holm),
        wilcoxon_p=p_value(comparison.wilcoxon_p_holm),
        pairs=test.n,
        low=place(test.ci_low),
        centre=place(test.difference),
        high=place(test.ci_high),
        ratios=(ratio(percent), *theirs) if comparison.paper_percent else (),
    )


def _number(
    mean: float | None, std: float | None, column: Column, *, best: bool = False, stars: str = ""
) -> Number:
    return Number(
        mean=DASH if mean is None else f"{mean:.{column.digits}f}",
        spread="" if std is None else f"{std:.{column.digits}f}",
        sort=mean,
        best=best,
        stars=stars,
    )
