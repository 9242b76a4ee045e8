"""Equal compute: what a network pass buys, in diversity and in the quality of single images."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from experiments.figures.style import panels, save, style
from experiments.tables.results import Results
from experiments.tables.scorerows import pivot
from experiments.tables.typeset import heading


def equal_compute(
    results: Results, path: Path, *, families: Mapping[str, Sequence[str]]
) -> tuple[Path, Path]:
    """Every metric against the network passes that a gallery costs, a panel each.

    Points are means over prompts with 95 % intervals; lines join the rows of a family.
    families: label -> rows of the table, by growing cost.
    """
    table, scores = results.table, results.scores
    metrics = [metric for metric in table.spec.columns if metric != "passes"]
    passes = pivot(scores, "passes", rows=table.spec.rows).mean()
    with style():
        figure, axes = panels(len(metrics), size=(2.45, 1.95), margin=(0, 0.6))
        for axis, metric in zip(axes, metrics, strict=True):
            values = pivot(scores, metric, rows=table.spec.rows)
            mean, error = values.mean(), 1.96 * values.sem()
            for i, (label, rows) in enumerate(families.items()):
                rows = list(rows)
                axis.errorbar(
                    passes[rows], mean[rows], error[rows], fmt="o-", color=f"C{i % 7}",
                    markersize=3.5, linewidth=1, elinewidth=1, label=label,
                )  # fmt: skip
            axis.set_title(heading(table.spec.columns[metric]), parse_math=False)
            axis.set_xlabel("network passes per gallery")
            axis.set_xlim(passes.min() - 4, passes.max() + 4)
            axis.locator_params(nbins=5)
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=min(4, len(labels)))
        return save(figure, path)
