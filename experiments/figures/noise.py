"""Drift: how far each method's noises are from the law that the model was trained on."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from coupling.drift import BANDS, Drift
from experiments.figures.correlation import furthest, heat_map
from experiments.figures.style import axes_of, canvas, save, style
from experiments.tables.results import Results

MATRICES_ABREAST = 6
LINES = ("-", "--")  # each colour comes twice before a method looks like another


def noise_drift(results: Results, path: Path) -> tuple[Path, Path]:
    """Draws norm, channel means and variances, kurtosis, spectrum and correlations of every method.

    Dots and lines are means over galleries and their members, bars the middle 90 % of single
    noises; dashes mark white noise. The matrices are mean correlations; under each is its largest
    distance from the coupling's.
    """
    for label in results.table.spec.rows:
        results.committed(label)  # noises are known where galleries are
    drifts = results.drifts
    panels = {
        "|x| / √D": (lambda d: d.norm, 1.0),
        "channel mean": (lambda d: np.ravel(d.mean), 0.0),
        "channel variance": (lambda d: np.ravel(d.variance), 1.0),
        "excess kurtosis": (lambda d: d.kurtosis, 0.0),
    }
    lines = -(-len(drifts) // MATRICES_ABREAST)
    heights = [0.7 + 0.2 * len(drifts), max(1.8, 0.2 * len(drifts)), 1.45 * lines]
    with style():
        figure = canvas(7.2, sum(heights))
        parts: Any = figure.subfigures(3, height_ratios=heights)  # three of them in an array
        top, middle, bottom = parts
        for number, (axis, (title, (values, white))) in enumerate(
            zip(top.subplots(1, len(panels)), panels.items(), strict=True)
        ):
            _spread(axis, {label: [values(d) for d in found] for label, found in drifts.items()})
            axis.axvline(white, color="#999999", linewidth=0.8, linestyle="--", zorder=0)
            axis.set_title(title)
            axis.locator_params(axis="x", nbins=3)
            if number:
                axis.set_yticklabels([])
        _spectra(middle.subplots(), drifts)
        _correlations(axes_of(bottom, len(drifts), MATRICES_ABREAST), drifts)
        return save(figure, path)


def _spread(axis: Axes, values: Mapping[str, list]) -> None:
    for i, found in enumerate(values.values()):
        pooled = np.concatenate([np.asarray(v) for v in found])
        axis.plot(np.quantile(pooled, [0.05, 0.95]), [-i, -i], color=f"C{i % 7}", linewidth=1.6)
        axis.plot(pooled.mean(), -i, "o", color=f"C{i % 7}", markersize=4)
    axis.set_yticks([-i for i in range(len(values))], list(values))
    axis.set_ylim(-len(values) + 0.4, 0.6)


def _spectra(axis: Axes, drifts: Mapping[str, Sequence[Drift]]) -> None:
    frequency = (np.arange(BANDS) + 0.5) / BANDS
    for i, (label, found) in enumerate(drifts.items()):
        power = np.array([d.spectrum for d in found], dtype=float).mean(0)
        axis.plot(
            frequency, power, "o", linestyle=LINES[i // 7 % 2], color=f"C{i % 7}",
            markersize=3, label=label,
        )  # fmt: skip
    axis.axhline(1, color="#999999", linewidth=0.8, linestyle="--", zorder=0)
    axis.set_title("power over white noise")
    axis.set_xlabel("spatial frequency, 1 the Nyquist frequency")
    axis.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=7)


def _correlations(axes: list[Axes], drifts: Mapping[str, Sequence[Drift]]) -> None:
    for axis, (label, found) in zip(axes, drifts.items(), strict=True):
        correlation = np.mean([d.correlation for d in found], axis=0)
        apart = furthest(correlation, np.mean([d.target for d in found], axis=0))
        heat_map(axis, correlation, fontsize=6 if len(correlation) < 4 else None)
        axis.set_title(label.replace(", ", "\n"), fontsize=7, parse_math=False)
        axis.set_xlabel(f"off by {apart:.3f}", fontsize=6)
