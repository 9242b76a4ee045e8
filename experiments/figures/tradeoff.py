"""A trade-off: two metrics of a table against each other, a path of rows through the others."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from experiments.figures.style import canvas, save, style
from experiments.tables.results import Results
from experiments.tables.scorerows import pivot
from experiments.tables.wording import heading

MARKERS = "osD^vPX*<>"


def tradeoff(
    results: Results, path: Path, *, x: str, y: str, path_rows: Sequence[str]
) -> tuple[Path, Path]:
    """Means of metric `y` over those of `x`, with 95 % intervals over jobs.

    path_rows: the rows that are joined, in this order; every other row is a point.
    """
    spec = results.table.spec
    across, up = (pivot(results.scores, metric, rows=spec.rows) for metric in (x, y))
    with style():
        figure = canvas(5.6, 3.6)
        axis = figure.subplots()

        def point(row: str, **look: Any) -> None:
            axis.errorbar(
                across[row].mean(), up[row].mean(), 1.96 * up[row].sem(), 1.96 * across[row].sem(),
                elinewidth=0.8, **look,
            )  # fmt: skip

        joined = list(path_rows)
        axis.plot(across[joined].mean(), up[joined].mean(), "-", color="C0", zorder=1)
        for row in joined:
            point(row, fmt="o", color="C0", markersize=4)
            axis.annotate(
                row, (across[row].mean(), up[row].mean()), xytext=(5, 4),
                textcoords="offset points", fontsize=7, color="C0", parse_math=False,
            )  # fmt: skip
        others = [row for row in spec.rows if row not in joined]
        for i, row in enumerate(others):
            look = {"color": f"C{1 + i % 6}", "markersize": 6}
            point(row, fmt=MARKERS[1 + i % (len(MARKERS) - 1)], label=row, **look)
        for metric, name in ((x, axis.set_xlabel), (y, axis.set_ylabel)):
            name(heading(spec.columns[metric]), parse_math=False)
        figure.legend(loc="outside right upper", fontsize=7)
        return save(figure, path)
