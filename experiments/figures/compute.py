"""Equal compute: what a network pass buys, in diversity and in the quality of single images."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from pandas import DataFrame, Series

from experiments.figures.style import panels, save, style
from experiments.tables.results import Results
from experiments.tables.scorerows import pivot
from experiments.tables.wording import heading


def equal_compute(
    results: Results,
    path: Path,
    *,
    families: Mapping[str, Sequence[str]],
    x: str = "passes",
    x_label: str = "network passes per gallery",
    margin: float = 4.0,
) -> tuple[Path, Path]:
    """Every metric against what it costs, a panel each: the network passes of a gallery, or `x`.

    Points are means over prompts with 95 % intervals, what a prompt adds to all rows taken out:
    rows are compared in pairs. Lines join the rows of a family.
    families: label -> rows of the table, by growing cost; margin: beside the points, in units of x.
    """
    table, scores = results.table, results.scores
    metrics = [metric for metric in table.spec.columns if metric not in (x, "passes", "rows")]
    place, width = _means(pivot(scores, x, rows=table.spec.rows))
    with style():
        figure, axes = panels(len(metrics), size=(2.45, 1.95), margin=(0, 0.6))
        for axis, metric in zip(axes, metrics, strict=True):
            mean, error = _means(pivot(scores, metric, rows=table.spec.rows))
            for i, (label, rows) in enumerate(families.items()):
                rows = list(rows)
                axis.errorbar(
                    place[rows], mean[rows], error[rows], width[rows] if width.any() else None,
                    fmt=("o-", "s--")[i // 7 % 2], color=f"C{i % 7}", markersize=3.5,
                    linewidth=1, elinewidth=1, label=label,
                )  # fmt: skip
            axis.set_title(heading(table.spec.columns[metric]), parse_math=False)
            axis.set_xlabel(x_label)
            axis.set_xlim(place.min() - margin, place.max() + margin)
            axis.locator_params(nbins=5)
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=min(4, len(labels)))
        return save(figure, path)


def _means(values: DataFrame) -> tuple[Series, Series]:
    """Means of the rows, and half of their intervals within prompts (Morey, 2008)."""
    within = values.sub(values.mean(axis="columns"), axis="index")
    rows = values.shape[1]
    return values.mean(), 1.96 * within.sem() * (rows / max(1, rows - 1)) ** 0.5
