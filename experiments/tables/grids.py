"""What stands in a table beside its means and tests, each as a heading and rows of text."""

from typing import TYPE_CHECKING

from experiments.tables.power import reach

if TYPE_CHECKING:
    from experiments.tables.table import Table

Grid = tuple[list[str], list[list[str]]]

ARROWS = {"higher": " ↑", "lower": " ↓", "neutral": ""}


def set_scores(table: "Table") -> Grid:
    """Every set score, a line each, with half of its interval; a column each row of the table."""
    cells: dict[str, dict[str, str]] = {}
    for score in table.sets:
        value = score.estimate
        text = f"{value.value:.4g} ± {value.high - value.value:.2g}"
        cells.setdefault(score.metric + ARROWS[score.better], {})[score.row] = text
    rows = [[name, *(of.get(row, "–") for row in table.spec.rows)] for name, of in cells.items()]
    return ["", *table.spec.rows], rows


def set_differences(table: "Table") -> Grid:
    """Every difference of set scores, and which way it goes where its interval excludes zero."""
    base = {(score.metric, score.row): score.estimate.value for score in table.sets}
    rows = []
    for row, against in table.spec.pairs:
        for score in table.sets:
            if score.row != row or against not in score.differences:
                continue
            found, of = score.differences[against], base[score.metric, against]
            better = (found.value > 0) == (score.better == "higher")
            clear = found.low > 0 or found.high < 0
            rows.append(
                [
                    f"{row} – {against}",
                    score.metric + ARROWS[score.better],
                    f"{found.value:+.3g} [{found.low:+.3g}, {found.high:+.3g}]",
                    f"{100 * found.value / of:+.1f} %" if of > 0 else "–",
                    ("better" if better else "worse") if clear else "",
                ]
            )
    return ["", "", "difference [95 % interval]", "effect", ""], rows


def power(table: "Table") -> Grid:
    """What each paired test could have seen; tests of what has no spread are left out."""
    rows = []
    for cell in table.cells:
        for comparison in cell.comparisons:
            mean = table.cell(comparison.baseline, cell.metric).mean or 0.0
            if found := reach(comparison.test, mean):
                column = table.spec.columns[cell.metric]
                rows.append(
                    [
                        f"{cell.row} – {comparison.baseline}",
                        column.label + ARROWS[column.better],
                        f"{found.smallest:.2f} %",
                        f"± {found.equal_within:.2f} %",
                        str(found.needed),
                    ]
                )
    return ["", "", "smallest effect seen", "equal within", f"{table.spec.unit}s for 1 %"], rows
