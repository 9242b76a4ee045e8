"""What the noises were: their correlations, and how far they drifted from white noise."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from coupling.drift import Drift
from experiments.figures.correlation import furthest
from experiments.tables.results import Results
from experiments.tables.scorerows import pivot

DRIFT = {
    "noise_norm": ("norm", "|x| / √D; near 1 for white noise"),
    "noise_mean": ("channel means", "root mean square; 0 but for sampling"),
    "noise_variance": ("channel variance", "near 1 for white noise"),
    "noise_kurtosis": ("excess kurtosis", "near 0 for white noise"),
    "noise_spectrum": ("spectrum", "root mean square distance from 1; 0 but for sampling"),
    "noise_correlation": ("correlation", "root mean square distance from the coupling's"),
}
"""Metric -> its label, and what white noise has."""

LINE = (120.0, 30.0)
"""The box of a spectrum's line; power 0.8 to 1.2 of white noise fills its height."""


def averages(drifts: Sequence[Drift]) -> dict[str, list]:
    """What is kept of many galleries' drift for a page: means of matrices and of the spectrum."""
    spectrum = np.array([found.spectrum for found in drifts], dtype=float)
    return {
        "correlation": _rounded(np.mean([found.correlation for found in drifts], axis=0)),
        "target": _rounded(np.mean([found.target for found in drifts], axis=0)),
        "spectrum": [None if np.isnan(p) else round(float(p), 6) for p in spectrum.mean(0)],
    }


def mean_drift(results: Results) -> pd.DataFrame:
    """Means over galleries: a row for each table row with any, a column for each measured drift."""
    rows, scores = results.table.spec.rows, results.scores
    measured = [metric for metric in DRIFT if (scores["metric"] == metric).any()]
    means = {metric: pivot(scores, metric, rows=rows).mean() for metric in measured}
    return pd.DataFrame(means).dropna(how="all")


def spectrum_line(spectrum: Sequence[float | None]) -> str:
    """The power over white noise by frequency, as an SVG path."""
    width, height = LINE
    points = []
    for band, power in enumerate(spectrum):
        if power is not None:
            x = width * (band + 0.5) / len(spectrum)
            y = height * (1 - (min(max(power, 0.8), 1.2) - 0.8) / 0.4)
            points.append(f"{x:.1f},{y:.1f}")
    return "M" + " L".join(points)


def off_law(noise: Mapping) -> float:
    """The largest distance of a mean correlation of two noises from the coupling's own."""
    return furthest(np.array(noise["correlation"]), np.array(noise["target"]))


def _rounded(matrix: np.ndarray) -> list[list[float]]:
    return [[round(float(value), 6) for value in row] for row in matrix]
