"""What the noises were: their correlations as heat maps, and how far they drifted from white."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from coupling.drift import Drift
from experiments.tables.results import Results
from experiments.tables.scorerows import pivot
from experiments.tables.typeset import DASH

DRIFT = {
    "noise_norm": ("norm", "|x| / √D; near 1 for white noise", 4),
    "noise_mean": ("channel means", "root mean square; 0 but for sampling", 4),
    "noise_variance": ("channel variance", "near 1 for white noise", 4),
    "noise_kurtosis": ("excess kurtosis", "near 0 for white noise", 4),
    "noise_spectrum": ("spectrum", "root mean square distance from 1; 0 but for sampling", 4),
    "noise_correlation": ("correlation", "root mean square distance from the coupling's", 4),
}
"""Metric -> its label, what white noise has, and its digits."""

LINE = (120.0, 30.0)
"""The box of a spectrum's line; power 0.8 to 1.2 of white noise fills its height."""


@dataclass(frozen=True)
class HeatMap:
    """Mean correlations of a method's noises: text and value; `off` is from the coupling's."""

    label: str
    entries: tuple[tuple[tuple[str, float], ...], ...]
    off: str


@dataclass(frozen=True)
class Spectrum:
    """The power over white noise by frequency, as an SVG path."""

    label: str
    path: str


@dataclass(frozen=True)
class NoiseView:
    """`drift` has a row a method, a column a statistic of `heads` (label, hint)."""

    heat_maps: tuple[HeatMap, ...]
    spectra: tuple[Spectrum, ...]
    heads: tuple[tuple[str, str], ...]
    drift: tuple[tuple[str, tuple[str, ...]], ...]


def averages(drifts: list[Drift]) -> dict[str, list]:
    """What is kept of many galleries' drift for a page: means of matrices and of the spectrum."""
    spectrum = np.array([found.spectrum for found in drifts], dtype=float)
    return {
        "correlation": _rounded(np.mean([found.correlation for found in drifts], axis=0)),
        "target": _rounded(np.mean([found.target for found in drifts], axis=0)),
        "spectrum": [None if np.isnan(p) else round(float(p), 6) for p in spectrum.mean(0)],
    }


def noise_view(results: Results, made: Mapping[str, Mapping]) -> NoiseView | None:
    """The noises of a table; None where nothing is known of them.

    Args:
        made: label -> what made the cell, `averages` under "noise" where they are known.
    """
    spec = results.table.spec
    known = {row: made[row]["noise"] for row in spec.rows if "noise" in made.get(row, {})}
    measured = [metric for metric in DRIFT if (results.scores["metric"] == metric).any()]
    if not measured:
        return None
    means = {m: pivot(results.scores, m, rows=spec.rows).mean() for m in measured}
    return NoiseView(
        heat_maps=tuple(_heat_map(row, noise) for row, noise in known.items()),
        spectra=tuple(Spectrum(row, _line(noise["spectrum"])) for row, noise in known.items()),
        heads=tuple(DRIFT[metric][:2] for metric in measured),
        drift=tuple(
            (row, tuple(_text(means[m][row], DRIFT[m][2]) for m in measured))
            for row in spec.rows
            if any(np.isfinite(means[m][row]) for m in measured)
        ),
    )


def _heat_map(label: str, noise: Mapping) -> HeatMap:
    correlation, target = np.array(noise["correlation"]), np.array(noise["target"])
    apart = np.abs(correlation - target)
    np.fill_diagonal(apart, 0)
    entries = tuple(
        tuple((f"{value:+z.2f}", round(float(value), 3)) for value in row) for row in correlation
    )
    return HeatMap(label, entries, f"{apart.max():.3f}")


def _line(spectrum: list[float | None]) -> str:
    width, height = LINE
    points = []
    for band, power in enumerate(spectrum):
        if power is not None:
            x = width * (band + 0.5) / len(spectrum)
            y = height * (1 - (min(max(power, 0.8), 1.2) - 0.8) / 0.4)
            points.append(f"{x:.1f},{y:.1f}")
    return "M" + " L".join(points)


def _text(value: float, digits: int) -> str:
    return f"{value:.{digits}f}" if np.isfinite(value) else DASH


def _rounded(matrix: np.ndarray) -> list[list[float]]:
    return [[round(float(value), 6) for value in row] for row in matrix]
