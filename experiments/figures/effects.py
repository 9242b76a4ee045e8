"""Paired effects: what a method changes, prompt by prompt, in every metric of a table."""

import textwrap
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from scipy.stats import gaussian_kde

from experiments.figures.style import PANELS_ABREAST, panels, save, style
from experiments.tables.results import Results
from experiments.tables.scorerows import pivot
from experiments.tables.table import Comparison
from experiments.tables.wording import heading, verdict

COLOURS = {"better": "#0072B2", "worse": "#D55E00", "differs": "#009E73", "": "#767676"}
LEGEND = (
    "difference per {unit}, mean with 95\N{NO-BREAK SPACE}% interval; "
    "blue better, orange worse, grey undecided (Holm-corrected t-test)"
)


def paired_effect(results: Results, path: Path) -> tuple[Path, Path]:
    """What a method changes, prompt by prompt: a panel a tested metric, a strip a comparison.

    Each dot is one prompt's difference to the baseline row; the outline is their density, the dark
    line the mean with its 95 % interval. The colour says whether the Holm-corrected t-test finds
    the row better, worse, or (grey) finds nothing. Raises ValueError for a table without baselines.
    """
    table, scores = results.table, results.scores
    pairs = table.spec.pairs
    if not pairs:
        raise ValueError(
            f"{table.spec.name} has no baselines, so there is no paired effect to draw"
        )
    with style():
        size = (2.35, 0.75 + 0.62 * len(pairs))
        tested = [of for of in table.spec.columns.items() if not of[1].certain]
        figure, axes = panels(len(tested), size=size, margin=(1.15, 0.3))
        across = min(len(axes), PANELS_ABREAST)
        columns = zip(axes, tested, strict=True)
        for number, (axis, (metric, column)) in enumerate(columns):
            values = pivot(scores, metric, rows=table.spec.rows)
            for i, (row, baseline) in enumerate(pairs):
                for comparison in table.cell(row, metric).comparisons:
                    if comparison.baseline == baseline:
                        differences = (values[row] - values[baseline]).dropna().to_numpy()
                        _strip(axis, -i, differences, comparison, verdict(comparison, column))
            axis.axvline(0, color="#222222", linewidth=0.8, zorder=1)
            axis.set_title(heading(column), parse_math=False)
            axis.set_ylim(-len(pairs) + 0.45, 0.62)
            axis.set_yticks([-i for i in range(len(pairs))])
            names = [f"{row}\nagainst {baseline}" for row, baseline in pairs]
            axis.set_yticklabels(names if number % across == 0 else [], parse_math=False)
            axis.spines["left"].set_visible(False)
            axis.locator_params(axis="x", nbins=4)
        legend = LEGEND.format(unit=table.spec.unit)
        legend = textwrap.fill(legend, 42 * across + 10, break_on_hyphens=False)
        figure.supxlabel(legend, fontsize=7)
        return save(figure, path)


def _strip(
    axis: Axes, y: float, differences: np.ndarray, comparison: Comparison, found: str
) -> None:
    """One comparison: density above, dots below, mean and interval between, effect as text."""
    colour, test = COLOURS[found], comparison.test
    if test.dz:  # a density needs a spread
        low, high = differences.min(), differences.max()
        grid = np.linspace(low - 0.1 * (high - low), high + 0.1 * (high - low), 200)
        density = gaussian_kde(differences)(grid)
        upper = y + 0.06 + 0.28 * density / density.max()
        axis.fill_between(grid, y + 0.06, upper, color=colour, alpha=0.22, linewidth=0)
    jitter = np.arange(len(differences)) * 0.6180339887 % 1  # even, and the same every time
    axis.scatter(differences, y - 0.12 - 0.22 * jitter, s=5, color=colour, alpha=0.45, linewidth=0)
    axis.plot([test.ci_low, test.ci_high], [y, y], color="#222222", linewidth=2.2, zorder=3)
    axis.plot(test.difference, y, "o", markersize=5, color=colour, zorder=4,
              markeredgecolor="white", markeredgewidth=0.8)  # fmt: skip
    percent = comparison.percent
    effect = f"{test.difference:+z.3g}" if percent is None else f"{percent:+z.1f} %"
    axis.annotate(
        effect, (1, y + 0.45), xycoords=("axes fraction", "data"), ha="right", va="center",
        fontsize=8, color=colour, weight="bold" if found else "normal",
    )  # fmt: skip
