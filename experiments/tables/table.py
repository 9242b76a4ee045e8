"""A paper table from score rows alone: means, paired tests against a baseline row, provenance.

Every row of a table holds the same jobs (prompts), and the same base noises served all of them, so
rows are compared in pairs: d_j = score_row(j) - score_baseline(j). Two families of p-values are
corrected by Holm's method, each over the whole table: all paired t-tests, and all Wilcoxon tests.
Columns that are certain, see `spec`, have none.
With several seeds a job's score is its mean over them, see `statistics`.

A cell that lacks jobs is refused; or the table is of those jobs that all rows have, as the paper
leaves out pictures that failed, and is printed with its n. The paper's numbers (`paper`) stand
beside ours and never enter a computation.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from experiments.errors import UsageError
from experiments.tables import paper, scorerows
from experiments.tables.contrasts import Dominated, Interaction, dominated, interactions
from experiments.tables.sets import SetScore
from experiments.tables.spec import TableSpec
from experiments.tables.statistics import PairedTest, holm, interval, paired

TESTED = (
    "baseline", "pairs", "difference", "ci_low", "ci_high", "percent", "dz",
    "t_p", "t_p_holm", "wilcoxon_p", "wilcoxon_p_holm",
)  # fmt: skip
"""What a frame tells of a comparison."""


@dataclass(frozen=True)
class Comparison:
    """A row against a baseline in one column, over the jobs that both have.

    `paper_percent` is the paper's effect against the same baseline, for each model it has.
    """

    baseline: str
    test: PairedTest
    t_p_holm: float
    wilcoxon_p_holm: float
    percent: float | None  # 100 (mean / baseline mean - 1); None unless the baseline is positive
    paper_percent: dict[str, float]

    @property
    def corrected(self) -> tuple[float, float]:
        """The interval of the difference as wide as Holm's correction makes it: with t-tests whose
        p-value it multiplied by m, that at 1 - 0.05/m. It holds zero exactly where the corrected
        p-value is 0.05 or more.
        """
        factor = max(1.0, self.t_p_holm / self.test.t_p) if self.test.t_p else 1.0
        return interval(self.test, 1 - 0.05 / factor)

    def record(self) -> dict[str, Any]:
        """Itself and its test as flat values."""
        return {**vars(self), **vars(self.test), "pairs": self.test.n}


@dataclass(frozen=True)
class Cell:
    """One row in one column; mean and sample standard deviation (n - 1) over its n jobs, each the
    mean over its seeds.

    `paper` is the paper's (mean, standard deviation) of the same model, row and metric.
    """

    row: str
    metric: str
    n: int
    mean: float | None  # None where n = 0
    std: float | None  # None where n < 2
    comparisons: tuple[Comparison, ...]  # () if certain, without a baseline or without two pairs
    paper: paper.Reported | None

    @property
    def comparison(self) -> Comparison | None:
        """Against the row's first baseline, if there is one."""
        return next(iter(self.comparisons), None)


@dataclass(frozen=True)
class Table:
    """A table whole: what was asked, what was measured, what made it, what the paper has."""

    spec: TableSpec
    model: str
    cells: tuple[Cell, ...]  # row by row
    provenance: dict[str, dict[str, tuple[str, ...]]]  # metric -> field -> what occurred
    gaps: tuple[str, ...]  # what is lacking, and what becomes of it; () for a whole table
    paper: paper.PaperTable | None
    sets: tuple[SetScore, ...] = ()  # of whole rows, score by score
    interactions: tuple[Interaction, ...] = ()
    dominated: tuple[Dominated, ...] = ()

    def cell(self, row: str, metric: str) -> Cell:
        """The cell of a row in a column."""
        return next(c for c in self.cells if (c.row, c.metric) == (row, metric))

    def frame(self) -> pd.DataFrame:
        """All cells as plain columns at full precision: a line each, or one a comparison."""
        records = [
            self._record(cell, comparison)
            for cell in self.cells
            for comparison in cell.comparisons or (None,)
        ]
        return pd.DataFrame(records).astype({"pairs": "Int64"})

    def _record(self, cell: Cell, comparison: Comparison | None) -> dict[str, Any]:
        column = self.spec.columns[cell.metric]
        record: dict[str, Any] = {"table": self.spec.name, "model": self.model, "row": cell.row}
        record |= {"metric": cell.metric, "label": column.label, "better": column.better}
        record |= {"n": cell.n, "mean": cell.mean, "std": cell.std}
        tested = comparison.record() if comparison else {}
        record |= {name: tested.get(name) for name in TESTED}
        record |= zip(("paper_mean", "paper_std"), cell.paper or (None, None), strict=True)
        for model in self.paper.values if self.paper else ():
            record[f"paper_{model}_percent"] = comparison and comparison.paper_percent.get(model)
        made = self.provenance[cell.metric]
        return record | {field: " | ".join(found) for field, found in made.items()}


def build(
    spec: TableSpec, scores: pd.DataFrame, *, paper_model: str, allow_partial: bool = False
) -> Table:
    """The table that `spec` asks for.

    Args:
        scores: one line per gallery and metric with `scorerows.COLUMNS`; their order does not
            matter, and rows and metrics that the table does not show are ignored.
        paper_model: the model that was run, under the paper's name if the paper has it.
        allow_partial: a job that one row lacks is left out of all of them, instead of refusing
            the table; a row without any says so, and costs the others nothing.

    Raises:
        UsageError: a cell lacks jobs, a column was made in two ways, a job was scored twice or
            with two prompts, or a score is not finite.
    """
    try:
        scores = scorerows.select(scores, rows=spec.rows, metrics=list(spec.columns))
        provenance = {metric: scorerows.provenance(scores, metric) for metric in spec.columns}
    except UsageError as error:
        raise UsageError(f"{spec.name}: {error}") from error
    values = {
        metric: scorerows.pivot(scores, metric, rows=spec.rows, seeds=spec.seeds)
        for metric in spec.columns
    }
    of_seeds = f" of all {spec.seeds} seeds" if spec.seeds > 1 else ""
    gaps = tuple(
        f"row {row!r} has {have} of {expected} galleries{of_seeds} for {metric}"
        for metric in spec.columns
        for row, have, expected in scorerows.gaps(values[metric], jobs=spec.jobs)
    )
    if gaps and not allow_partial:
        raise _unfinished(spec, gaps)
    if gaps:
        values = _shared(values)
        gaps += (f"a {spec.unit} that one row lacks is left out of all",)
    reference = paper.table(spec.paper) if spec.paper else None
    comparisons = _compare(spec, values, reference.values if reference else {})
    return Table(
        spec=spec,
        model=paper_model,
        cells=tuple(
            _cell(
                row,
                metric,
                values[metric][row].dropna().to_numpy(),
                comparisons=tuple(
                    one for (r, _, m), one in comparisons.items() if (r, m) == (row, metric)
                ),
                reported=paper.values(spec.paper, paper_model) if spec.paper else {},
            )
            for row in spec.rows
            for metric in spec.columns
        ),
        provenance=provenance,
        gaps=gaps,
        paper=reference,
        interactions=interactions(spec, values),
        dominated=dominated(spec, values),
    )


def _unfinished(spec: TableSpec, gaps: tuple[str, ...]) -> UsageError:
    more = f" (and {len(gaps) - 1} more cells)" if len(gaps) > 1 else ""
    return UsageError(
        f"{spec.name}: {gaps[0]}{more}; finish the run, or allow a partial table, "
        "which is printed with its n"
    )


def _shared(values: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Only the jobs that every row has under every metric; rows without any do not count."""
    jobs = set().union(*(frame.index for frame in values.values()))
    for frame in values.values():
        if len(frame):
            jobs &= set(frame.dropna(axis="columns", how="all").dropna().index)
    return {metric: frame[frame.index.isin(jobs)] for metric, frame in values.items()}


def _compare(
    spec: TableSpec, values: Mapping[str, pd.DataFrame], reported: Mapping
) -> dict[tuple[str, str, str], Comparison]:
    """All comparisons (row, baseline, metric) of what is not certain, corrected together."""
    pairs = {
        (row, baseline, metric): values[metric][[row, baseline]].dropna().to_numpy()
        for row, baseline in spec.pairs
        for metric, column in spec.columns.items()
        if not column.certain
    }
    pairs = {key: both for key, both in pairs.items() if len(both) >= 2}
    tests = {key: paired(both[:, 0], both[:, 1]) for key, both in pairs.items()}
    t_holm = holm([test.t_p for test in tests.values()])
    wilcoxon_holm = holm([test.wilcoxon_p for test in tests.values()])
    return {
        key: Comparison(
            baseline=key[1],
            test=test,
            t_p_holm=t_p,
            wilcoxon_p_holm=wilcoxon_p,
            percent=_percent(float(pairs[key][:, 0].mean()), float(pairs[key][:, 1].mean())),
            paper_percent=_reported_effects(reported, *key),
        )
        for (key, test), t_p, wilcoxon_p in zip(tests.items(), t_holm, wilcoxon_holm, strict=True)
    }


def _reported_effects(reported: Mapping, row: str, baseline: str, metric: str) -> dict[str, float]:
    """The paper's effect of a row against a baseline, for each model that has both."""
    effects = {}
    for model, rows in reported.items():
        ours, theirs = rows.get(row, {}).get(metric), rows.get(baseline, {}).get(metric)
        if ours and theirs and (percent := _percent(ours[0], theirs[0])) is not None:
            effects[model] = percent
    return effects


def _cell(
    row: str,
    metric: str,
    values: np.ndarray,
    *,
    comparisons: tuple[Comparison, ...],
    reported: Mapping,
) -> Cell:
    return Cell(
        row=row,
        metric=metric,
        n=len(values),
        mean=float(values.mean()) if len(values) else None,
        std=float(values.std(ddof=1)) if len(values) > 1 else None,
        comparisons=comparisons,
        paper=reported.get(row, {}).get(metric),
    )


def _percent(value: float, baseline: float) -> float | None:
    """Relative effect; None at or below a baseline of zero, where a ratio means nothing."""
    return 100 * (value - baseline) / baseline if baseline > 0 else None
