"""Ablation curves: a method's effect as a setting changes, with the paper's and the prediction."""

from collections.abc import Mapping
from pathlib import Path

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
) -> tuple[Path, Path]:
    """Every metric of a row over that of its baseline, a panel each.

    Dots are ratios of means over prompts, with the paired 95 % interval of the difference; hollow
    dots are the paper's ratios, and the dashed line is what the theory predicts for one metric.

    x: row -> where it stands on the axis; against: row -> the row that it is divided by, which may
    be itself; predicted: row -> the ratio that is predicted for `predicted_metric`.
    """
    spec = results.table.spec
    rows, places = list(x), list(x.values())
    with style():
        figure, axes = panels(len(spec.columns), size=(2.45, 1.95), margin=(0, 0.4))
        for axis, (metric, column) in zip(axes, spec.columns.items(), strict=True):
            values = pivot(results.scores, metric, rows=spec.rows)
            ratios, errors = [], []
            for row in rows:
                base = values[against[row]]
                test = paired(values[row], base) if row != against[row] else None
                ratios.append(values[row].mean() / base.mean())
                errors.append((test.ci_high - test.difference) / base.mean() if test else 0.0)
            axis.axhline(1, color="#999999", linewidth=0.8, zorder=0)
            if metric == predicted_metric:
                line = [predicted[row] for row in rows]
                axis.plot(places, line, "--", color="#767676", label="linear prediction")
            for model, ratio in _reported(results.table, metric, x, against).items():
                name = f"paper, {paper.label(model)}"
                axis.plot(places, ratio, "o", mfc="none", color="C1", label=name)
            axis.errorbar(places, ratios, errors, fmt="o-", color="C0", label="measured")
            axis.set_title(heading(column), parse_math=False)
            axis.set_xlabel(x_label)
            axis.set_xticks(places)
        handles = {
            label: handle
            for axis in axes
            for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)
        }
        figure.legend(handles.values(), handles, loc="outside lower center", ncols=3)
        figure.supylabel("over independent noises", fontsize=8)
        return save(figure, path)


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
