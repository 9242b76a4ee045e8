"""Scores of whole rows of a table, and of the differences between them, from the kept features.

A row is all its galleries, of all seeds, of the prompts that every row has. Intervals are of the
bootstrap over prompts that `metrics.sets` describes, on the same halves for every row and score, so
that differences are paired. They are estimates, not tests: no p-value of theirs enters a family.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from scipy import stats
from tqdm import tqdm

from experiments.cells.cell import Cell
from experiments.cells.features import path_of, read, reference
from experiments.errors import UsageError
from metrics import Reference, SetRow
from metrics.sets import halves, spread

HALVES = 100
FEWEST_PROMPTS = 4
FEWEST_IMAGES = 24  # of a row: neighbours and spectra of half of fewer mean nothing
TOO_FEW = (
    f"Scores of sets are left out: they take {FEWEST_PROMPTS} prompts that all rows have, and "
    f"{FEWEST_IMAGES} images a row."
)


@dataclass(frozen=True)
class Estimate:
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, values: np.ndarray, n: int) -> "Estimate":
        """The first of `values` is that of all n prompts, the others those of halves of them."""
        half = float(stats.t.ppf(0.975, n - 1)) * spread(values[1:], n)
        return cls(float(values[0]), float(values[0] - half), float(values[0] + half))


@dataclass(frozen=True)
class SetScore:
    """A set score of a row over n prompts, and its differences to the row's baselines, by name.

    `better` is higher, lower or neutral; `made` says what made it, in strings.
    """

    row: str
    metric: str
    better: str
    n: int
    estimate: Estimate
    differences: Mapping[str, Estimate]
    made: Mapping[str, str]


def set_scores(
    cells: Sequence[Cell], pairs: Sequence[tuple[str, str]] = ()
) -> tuple[SetScore, ...]:
    """Every set score of every row, score by score; none where the rows share too few prompts.

    Args:
        pairs: every (row, baseline) that is compared.

    Raises:
        UsageError: features are not here, or galleries differ in size.
    """
    if not cells[0].suite.sets:
        return ()
    committed = [cell.galleries.committed() for cell in cells]
    jobs = [job.id for job in cells[0].jobs if all(job.id in there for there in committed)]
    cells_of = by_row(cells).items()
    rows = cache(lambda network: {row: _row(of, jobs, network) for row, of in cells_of})
    suite, found = cells[0].suite, []
    for metric, scorer in tqdm(suite.sets.items(), desc="sets", unit="score", disable=None):
        features = rows(scorer.features)
        images = min(len(row.images) for row in features.values())
        if images < FEWEST_IMAGES or len(jobs) < FEWEST_PROMPTS:
            print(TOO_FEW)
            return ()
        against, made = Reference(torch.empty(0)), dict(suite.set_identities[metric])
        if scorer.reference:
            folder = cells[0].score_file.parent
            against, made["reference"] = reference(suite, scorer.features, folder)
        parts = halves(len(jobs), count=HALVES)
        values = {
            row: np.array([scorer(each, against) for each in (whole, *map(whole.at, parts))])
            for row, whole in features.items()
        }
        found += [
            SetScore(
                row=row,
                metric=metric,
                better=scorer.better,
                n=len(jobs),
                estimate=Estimate.of(values[row], len(jobs)),
                differences={
                    base: Estimate.of(values[row] - values[base], len(jobs))
                    for one, base in pairs
                    if one == row
                },
                made=made,
            )
            for row in values
            if np.isfinite(values[row]).all()
        ]
    return tuple(found)


def by_row(cells: Sequence[Cell]) -> dict[str, list[Cell]]:
    """The cells of each table row, one for each seed."""
    rows: dict[str, list[Cell]] = {}
    for cell in cells:
        rows.setdefault(cell.label, []).append(cell)
    return rows


def _row(cells: Sequence[Cell], jobs: Sequence[str], network: str) -> SetRow:
    """The kept features of a row, of the cells of its seeds."""
    suite = cells[0].suite
    of_seeds = []
    for cell in cells:
        kept = read(path_of(cell.score_file, network), cell.suite.network_identity(network))
        committed = cell.galleries.committed()
        entries = [committed[job] for job in jobs]
        if lost := next((entry.job for entry in entries if entry.digest not in kept), None):
            raise UsageError(f"{cell.name}: gallery {lost} has no features of {network}; run again")
        shapes = {kept[entry.digest].shape for entry in entries}
        if len(shapes) > 1:
            raise UsageError(f"{cell.name}: set scores need galleries of one size, not {shapes}")
        of_seeds.append(torch.stack([kept[entry.digest] for entry in entries]))
    prompts = [committed[job].prompt for job in jobs]
    return SetRow(torch.stack(of_seeds, 1), prompts, suite.features[network])
