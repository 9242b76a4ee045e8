"""Ablation curves: a method's effect as a setting changes, with the paper's and the prediction."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from pandas import Series

from experiments.figures.style import panels, save, style
from experiments.tables import paper
from experiments.tables.results import Results
from experiments.tables.scorerows import pivot
from experiments.tables.statistics import paired
from experiments.tables.table import Table
from experiments.tables.wording import heading


def effect_curve(
    results: Results,
    path: Path,
    *,
    x_label: str,
    x: Mapping[str, float],
    against: Mapping[str, str],
    predicted_metric: str,
    predicted: Mapping[str, float],
    curves: Mapping[str, Sequence[str]] | None = None,
) -> tuple[Path, Path]:
    """Every metric of a row over that of its baseline, a panel each.

    Dots are ratios of means over prompts, with the paired 95 % interval of the difference; hollow
    dots are the paper's ratios, and the dashed line is what the theory predicts for one metric.

    x: row -> where it stands on the axis; against: row -> the row that it is divided by, which may
    be itself; predicted: row -> the ratio that is predicted for `predicted_metric`; curves: label
    -> its rows, beside one another; None: one of all.
    """
    spec = results.table.spec
    curves, metrics = curves or {"measured": list(x)}, spec.directed
    apart = 0.015 * (max(x.values()) - min(x.values()))
    with style():
        figure, axes = panels(len(metrics), size=(2.45, 1.95), margin=(0, 0.4))
        for axis, metric in zip(axes, metrics, strict=True):
            values = pivot(results.scores, metric, rows=spec.rows)
            axis.axhline(1, color="#999999", linewidth=0.8, zorder=0)
            if metric == predicted_metric:
                places = [x[row] for row in predicted]
                line = list(predicted.values())
                axis.plot(places, line, "--", color="#767676", label="linear prediction")
            for model, ratio in _reported(results.table, metric, x, against).items():
                name = f"paper, {paper.label(model)}"
                axis.plot(list(x.values()), ratio, "o", mfc="none", color="C1", label=name)
            for i, (label, rows) in enumerate(curves.items()):
                places = [x[row] + apart * (i - (len(curves) - 1) / 2) for row in rows]
                ratios, halves = zip(
                    *(_ratio(values[row], values[against[row]]) for row in rows), strict=True
                )
                axis.errorbar(
                    places, ratios, halves, fmt="o-", color=f"C{i + (i > 0)}",
                    markersize=4, linewidth=1, label=label,
                )  # fmt: skip
            axis.set_title(heading(spec.columns[metric]), parse_math=False)
            axis.set_xlabel(x_label)
            axis.set_xticks(sorted({*x.values()}))
        handles = {
            label: handle
            for axis in axes
            for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)
        }
        figure.legend(handles.values(), handles, loc="outside lower center", ncols=3)
        figure.supylabel("over independent noises", fontsize=8)
        return save(figure, path)


def _ratio(values: Series, base: Series) -> tuple[float, float]:
    """Of the means, and half of its interval; 0 where both are one row, nan over a mean below 0."""
    if values.name == base.name:
        return 1.0, 0.0
    test, scale = paired(values, base), base.mean() if base.mean() > 0 else float("nan")
    return values.mean() / scale, (test.ci_high - test.difference) / scale


def _reported(
    table: Table, metric: str, x: Mapping[str, float], against: Mapping[str, str]
) -> dict[str, list[float]]:
    """The paper's ratios of a metric, for every model that has all the rows."""
    models = table.paper.values if table.paper else {}
    return {
        model: [rows[row][metric][0] / rows[against[row]][metric][0] for row in x]
        for model, rows in models.items()
        if all(metric in rows.get(row, {}) for row in (*x, *against.values()))
    }
