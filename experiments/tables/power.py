"""What a paired t-test could have seen, and how many prompts it would take to see an effect of 1 %.

Two-sided, at 5 %, uncorrected, with a power of 80 %, from the spread of the differences that were
measured: d / s is the effect of a one-sample test with n - 1 degrees of freedom, whose power
follows the noncentral t distribution (Cohen, Statistical Power Analysis, 1988). "Equal within" is
the smallest margin at which two one-sided tests would call the rows equivalent at 5 %: the furthest
end of the 90 % interval.
"""

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import pandas as pd
from scipy import stats
from statsmodels.stats.power import TTestPower

from experiments.cells.cell import Cell
from experiments.cells.score import read
from experiments.tables.statistics import PairedTest, paired

ALPHA, POWER = 0.05, 0.80
GOAL = 0.01  # of the baseline's mean
FEWEST = 8  # pairs from which a spread is taken


@dataclass(frozen=True)
class Reach:
    """What a test could have seen, in per cent of the baseline's mean.

    Attributes:
        smallest: the effect that would be seen four times in five.
        equal_within: the margin within which the rows are equivalent.
        needed: pairs that show an effect of 1 %.
    """

    smallest: float
    equal_within: float
    needed: int


def reach(test: PairedTest, baseline: float) -> Reach | None:
    """Of a test of differences to a row with a mean of `baseline`; None where it has no meaning.

    That is without any spread, and at or below a baseline of zero.
    """
    error = (test.ci_high - test.ci_low) / 2 / float(stats.t.ppf(0.975, test.n - 1))
    if error <= 0 or baseline <= 0:
        return None
    spread = error * math.sqrt(test.n)
    solve = TTestPower().solve_power
    detectable = spread * float(solve(nobs=test.n, alpha=ALPHA, power=POWER))
    margin = abs(test.difference) + float(stats.t.ppf(0.95, test.n - 1)) * error
    effect = min(GOAL * baseline / spread, 5.0)  # beyond, two pairs would do, and it has no root
    needed = math.ceil(float(solve(effect_size=effect, alpha=ALPHA, power=POWER)))
    return Reach(100 * detectable / baseline, 100 * margin / baseline, needed)


def measured(cells: Sequence[Cell]) -> pd.DataFrame:
    """The score rows that the cells have, whatever their galleries are now."""
    lines = [
        (cell.label, job, metric, row.value)
        for cell in cells
        for (job, metric), row in read(cell.score_file).items()
    ]
    return pd.DataFrame(lines, columns=["row", "job", "metric", "value"])


def planned(
    scores: pd.DataFrame, pairs: Sequence[tuple[str, str]], metrics: Collection[str]
) -> Iterator[str]:
    """Yields, for each pair of rows that has scores, the prompts that would show 1 % in each."""
    known = scores[scores["metric"].isin(metrics)]
    wide = known.groupby(["metric", "job", "row"])["value"].mean().unstack()
    for row, baseline in pairs:
        if not {row, baseline} <= set(wide.columns):
            continue
        told = []
        for metric, both in wide[[row, baseline]].dropna().groupby(level="metric"):
            if len(both) >= FEWEST:
                found = reach(paired(both[row], both[baseline]), float(both[baseline].mean()))
                told += [f"{metric} {found.needed}"] if found else []
        if told:
            yield f"{row} against {baseline}: prompts that show 1 %: {', '.join(told)}"
