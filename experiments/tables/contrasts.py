"""What a table says beyond its pairs of rows: interactions, and rows that another one beats.

An interaction is what a method adds to one coupling, less what it adds to another: the mean over
prompts j of (a_j - b_j) - (c_j - d_j), with the paired tests of it against 0, Holm-corrected over
all interactions of the table.

A row is dominated if another one costs no more and is better in every score that counts. That all
of them differ is an intersection of hypotheses, whose p-value is the largest of the one-sided
paired t-tests (Berger, 1982); it is Holm-corrected over all pairs of rows that cost allows.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import permutations

import pandas as pd

from experiments.tables.spec import TableSpec
from experiments.tables.statistics import PairedTest, holm, paired


@dataclass(frozen=True)
class Interaction:
    """A difference of differences in one column."""

    name: str
    metric: str
    test: PairedTest
    t_p_holm: float
    wilcoxon_p_holm: float


@dataclass(frozen=True)
class Dominated:
    """A row, and the one that most surely beats it: better on the means, shown where p < 0.05."""

    row: str
    by: str
    p: float


def interactions(spec: TableSpec, values: Mapping[str, pd.DataFrame]) -> tuple[Interaction, ...]:
    """Of every score that is better somewhere; `values` has jobs by rows, by metric."""
    tests = {}
    for name, rows in spec.interactions.items():
        for metric in spec.directed:
            a, b, c, d = values[metric][list(rows)].dropna().to_numpy().T
            if len(a) > 1:
                tests[name, metric] = paired(a - b, c - d)
    t_holm = holm([test.t_p for test in tests.values()])
    wilcoxon_holm = holm([test.wilcoxon_p for test in tests.values()])
    return tuple(
        Interaction(*key, test, t_p, wilcoxon_p)
        for (key, test), t_p, wilcoxon_p in zip(tests.items(), t_holm, wilcoxon_holm, strict=True)
    )


def dominated(spec: TableSpec, values: Mapping[str, pd.DataFrame]) -> tuple[Dominated, ...]:
    """The rows that are beaten on the columns of `spec.front`, each with its surest beater."""
    scores = {
        metric: values[metric] * (-1 if spec.columns[metric].better == "lower" else 1)
        for metric in spec.front
        if metric in spec.directed
    }
    costs = [values[metric].mean() for metric in spec.front if metric not in scores]
    pairs = [
        (row, by)
        for row, by in permutations(spec.rows if scores else (), 2)
        if all(cost[by] <= cost[row] for cost in costs)
    ]
    beaten = [
        max(_one_sided(of[[by, row]].dropna()) for of in scores.values()) for row, by in pairs
    ]
    found: dict[str, Dominated] = {}
    for (row, by), raw, p in zip(pairs, beaten, holm(beaten), strict=True):
        if raw < 0.5 and not (row in found and found[row].p <= p):
            found[row] = Dominated(row, by, p)
    return tuple(found.values())


def _one_sided(both: pd.DataFrame) -> float:
    """The p-value of the first column's mean being no larger; 1 where it is not larger."""
    first, second = both.to_numpy().T
    if len(first) < 2 or first.mean() <= second.mean():
        return 1.0
    return paired(first, second).t_p / 2
