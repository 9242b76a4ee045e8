"""Equal compute: what a network pass buys, in diversity and in the quality of single images."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from experiments.figures.style import canvas, save, style
from experiments.tables.results import Results
from experiments.tables.scorerows import pivot
from experiments.tables.spec import Column
from experiments.tables.typeset import ARROWS

PANELS_ABREAST = 3


def equal_compute(
    results: Results, path: Path, *, families: Mapping[str, Sequence[str]]
) -> tuple[Path, Path]:
    """Every metric against the network passes that a gallery costs, a panel each.

    Points are means over prompts with 95 % intervals; lines join the rows of a family.

    Args:
        families: label -> rows of the table, by growing cost.
    """
    table, scores = results.table, results.scores
    metrics = [metric for metric in table.spec.columns if metric != "passes"]
    passes = pivot(scores, "passes", rows=table.spec.rows).mean()
    across = min(len(metrics), PANELS_ABREAST)
    down = -(-len(metrics) // across)
    with style():
        figure = canvas(2.45 * across, 1.95 * down + 0.6, layout="constrained")
        axes = figure.subplots(down, across, squeeze=False).flat
        for axis in axes[len(metrics) :]:
            axis.set_axis_off()
        for axis, metric in zip(axes, metrics, strict=False):
            values = pivot(scores, metric, rows=table.spec.rows)
            mean, error = values.mean(), 1.96 * values.sem()
            for i, (label, rows) in enumerate(families.items()):
                rows = list(rows)
                axis.errorbar(
                    passes[rows], mean[rows], error[rows], fmt="o-", color=f"C{i % 7}",
                    markersize=3.5, linewidth=1, elinewidth=1, label=label,
                )  # fmt: skip
            _frame(axis, table.spec.columns[metric], passes.to_numpy())
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=min(4, len(labels)))
        return save(figure, path)


def _frame(axis: Axes, column: Column, passes: np.ndarray) -> None:
    axis.set_title(f"{column.label} {ARROWS[column.better]}".strip(), parse_math=False)
    axis.set_xlabel("network passes per gallery")
    axis.set_xlim(passes.min() - 4, passes.max() + 4)
    axis.locator_params(nbins=5)
