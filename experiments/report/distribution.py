"""Distributions over prompts, as outlines that a page draws without a script.

Densities are Gaussian kernel estimates with Scott's bandwidth, each as high as it can be: their
areas are not compared. What is constant has no density and is shown by its mean alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import gaussian_kde

from experiments.tables.results import Results
from experiments.tables.scorerows import pivot
from experiments.tables.spec import Column
from experiments.tables.table import Comparison
from experiments.tables.wording import verdict

WIDTH, HEIGHT = 240.0, 30.0
"""The box of one outline, in units of the drawing."""
POINTS = 72

Drawn = tuple[str, np.ndarray, Comparison | None]
"""A label, the values that an outline is of; of differences, their comparison."""


@dataclass(frozen=True)
class Outline:
    """A density: an SVG path in the box, its mean, and the interval of the mean or ()."""

    label: str
    path: str
    mean: float
    interval: tuple[float, ...] = ()
    verdict: str = ""


@dataclass(frozen=True)
class Axis:
    """Outlines above each other over one axis; ticks are (place, text)."""

    outlines: tuple[Outline, ...]
    ticks: tuple[tuple[float, str], ...]
    zero: float | None


@dataclass(frozen=True)
class Distribution:
    """A metric: its values under each method, and the paired differences of each comparison."""

    column: Column
    values: Axis
    differences: Axis | None


def distributions(results: Results) -> tuple[Distribution, ...]:
    """The distributions of all columns of the table."""
    return tuple(_distribution(results, metric) for metric in results.table.spec.columns)


def _distribution(results: Results, metric: str) -> Distribution:
    table = results.table
    column = table.spec.columns[metric]
    values = pivot(results.scores, metric, rows=table.spec.rows)
    present = values.dropna(axis=1, how="all")
    columns: list[Drawn] = [(row, present[row].dropna().to_numpy(), None) for row in present]
    paired: list[Drawn] = [
        (f"{row} – {base}", (values[row] - values[base]).dropna().to_numpy(), comparison)
        for row, base in table.spec.pairs
        for comparison in table.cell(row, metric).comparisons
        if comparison.baseline == base
    ]
    return Distribution(
        column=column,
        values=_axis(columns, column, zero=False),
        differences=_axis(paired, column, zero=True) if paired else None,
    )


def _axis(drawn: Sequence[Drawn], column: Column, *, zero: bool) -> Axis:
    """Outlines on the axis that holds all of their values, and zero if asked."""
    pooled = np.concatenate([*(values for _, values, _ in drawn), [0.0] if zero else []])
    low, high = float(pooled.min()), float(pooled.max())
    margin = 0.1 * (high - low) or 0.5 * abs(high) or 0.5
    low, high = low - margin, high + margin

    def place(value: float) -> float:
        return round(WIDTH * (value - low) / (high - low), 1)

    def outline(label: str, values: np.ndarray, comparison: Comparison | None) -> Outline:
        path, mean = _density(values, low, high), place(float(values.mean()))
        if comparison is None:
            return Outline(label, path, mean)
        interval = place(comparison.test.ci_low), place(comparison.test.ci_high)
        return Outline(label, path, mean, interval, verdict(comparison, column))

    ticks = tuple((place(tick), f"{tick:.6g}") for tick in _ticks(low, high))
    return Axis(tuple(outline(*each) for each in drawn), ticks, place(0.0) if zero else None)


def _density(values: np.ndarray, low: float, high: float) -> str:
    """The path of a density; "" where values have no spread."""
    if len(values) < 3 or values.std() <= 1e-9 * max(1.0, abs(values).max()):
        return ""
    grid = np.linspace(low, high, POINTS)
    density = gaussian_kde(values)(grid)
    seen = np.flatnonzero(density > 0.002 * density.max())
    if not len(seen):  # narrower than the grid's steps
        return ""
    part = slice(max(seen[0] - 1, 0), seen[-1] + 2)
    x = WIDTH * (grid[part] - low) / (high - low)
    y = HEIGHT * (1 - 0.92 * density[part] / density.max())
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
    return f"M{x[0]:.1f},{HEIGHT:g} L{points} L{x[-1]:.1f},{HEIGHT:g}Z"


def _ticks(low: float, high: float) -> list[float]:
    """Three to five round numbers between low and high."""
    raw = (high - low) / 3.5
    unit = 10.0 ** np.floor(np.log10(raw))
    step = next(m * unit for m in (1, 2, 2.5, 5, 10) if m * unit >= raw * 0.999)
    first = np.ceil(low / step)
    return [float(k * step) + 0.0 for k in np.arange(first, np.floor(high / step) + 1)]
