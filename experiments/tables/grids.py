"""What stands in a table beside its means and tests, each as a heading and rows of text."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from experiments.tables.power import reach
from experiments.tables.wording import DASH, arrowed, heading, p_value

if TYPE_CHECKING:
    from experiments.tables.table import Table

Grid = tuple[list[str], list[list[str]]]


def set_scores(table: "Table") -> Grid:
    """Every set score, a line each, with half of its interval; a column each row of the table."""
    cells: dict[str, dict[str, str]] = {}
    for score in table.sets:
        value = score.estimate
        text = f"{value.value:.4g} ± {value.high - value.value:.2g}"
        cells.setdefault(arrowed(score.metric, score.better), {})[score.row] = text
    rows = [[name, *(of.get(row, DASH) for row in table.spec.rows)] for name, of in cells.items()]
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
                    arrowed(score.metric, score.better),
                    f"{found.value:+.3g} [{found.low:+.3g}, {found.high:+.3g}]",
                    f"{100 * found.value / of:+.1f} %" if of > 0 else DASH,
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
                        heading(column),
                        f"{found.smallest:.2f} %",
                        f"± {found.equal_within:.2f} %",
                        str(found.needed),
                    ]
                )
    return ["", "", "smallest effect seen", "equal within", f"{table.spec.unit}s for 1 %"], rows


def interactions(table: "Table") -> Grid:
    """Every interaction, and whether a method adds more to the first coupling or to the second."""
    rows = []
    for found in table.interactions:
        column, test = table.spec.columns[found.metric], found.test
        digits = column.digits + 1
        more = (test.difference > 0) == (column.better == "higher")
        rows.append(
            [
                found.name,
                heading(column),
                f"{test.difference:+z.{digits}f} "
                f"[{test.ci_low:+z.{digits}f}, {test.ci_high:+z.{digits}f}]",
                ("adds more" if more else "adds less") if found.t_p_holm < 0.05 else "",
                p_value(found.t_p_holm),
                p_value(found.wilcoxon_p_holm),
                str(test.n),
            ]
        )
    return ["", "", "difference [95 % interval]", "", "p (t)", "p (Wilcoxon)", "pairs"], rows


def interactions_told(table: "Table") -> str:
    """What is subtracted from what."""
    named = "; ".join(
        f"{name}: ({a} – {b}) – ({c} – {d})"
        for name, (a, b, c, d) in table.spec.interactions.items()
    )
    return (
        f"Differences of differences, {table.spec.unit} by {table.spec.unit}. {named}. p-values "
        "are Holm-corrected over these, each test as a family; intervals are uncorrected."
    )


def dominated_told(table: "Table") -> str:
    """Which rows another one beats, and which of them surely; "" where nobody asked."""
    if not table.spec.front:
        return ""
    labels = [table.spec.columns[metric].label for metric in table.spec.front]
    shown, alone = (
        [
            f"{one.row} by {one.by}" + f" (p = {p_value(one.p)})" * (one.p < 0.05)
            for one in table.dominated
            if (one.p < 0.05) == surely
        ]
        for surely in (True, False)
    )
    return (
        f"Dominated, by {', '.join(labels)}: another row is better in all scores and costs no "
        "more. Shown (the largest p of the one-sided paired t-tests, Holm-corrected over all pairs "
        f"of rows, below 0.05): {'; '.join(shown) or 'none'}. "
        f"On the means alone: {'; '.join(alone) or 'none'}."
    )


def contrasts_section(table: "Table") -> list[str]:
    """Interactions and dominated rows, as sections of Markdown; none without any."""
    head, rows = interactions(table)
    told = ["## Interactions", escaped(interactions_told(table)), _grid_of(head, rows)]
    beaten = escaped(dominated_told(table))
    return (told if rows else []) + (["## Dominated rows", beaten] if beaten else [])


def sets_section(table: "Table") -> list[str]:
    """The set scores of a table, as a section of Markdown; none without any."""
    if not table.sets:
        return []
    differences = set_differences(table)
    made = {score.metric: score.made for score in table.sets}
    fields = list(dict.fromkeys(field for of in made.values() for field in of))
    parts = [
        "## Sets of images",
        f"Scores of a whole row, {table.sets[0].n} {table.spec.unit}s, with 95 % intervals of a "
        f"bootstrap over {table.spec.unit}s.",
        _grid_of(*set_scores(table)),
        *(
            [
                f"Differences are paired, on the same halves of the {table.spec.unit}s; better and "
                "worse where the interval excludes zero. They are not tests of the families above.",
                _grid_of(*differences),
            ]
            if differences[1]
            else []
        ),
        _grid_of(
            ["", *fields], [[m, *(of.get(f, DASH) for f in fields)] for m, of in made.items()]
        ),
    ]
    return parts


def power_section(table: "Table") -> list[str]:
    """What the tests could have seen, as a section of Markdown."""
    head, rows = power(table)
    told = (
        "In per cent of the baseline's mean, from the spread measured here: the effect that such a "
        "test, two-sided at 5 % and uncorrected, sees four times in five; the margin within which "
        "the two rows are equal (two one-sided tests at 5 %); and how many it takes to see 1 %."
    )
    return ["## What could have been seen", told, _grid_of(head, rows)] if rows else []


def _grid_of(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return grid([*map(escaped, head)], [[escaped(text) for text in row] for row in rows])


def grid(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; text to the left in the first column, the rest to the right."""
    lines = [head, [":--", *["--:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def escaped(text: str) -> str:
    """A text as Markdown shows it."""
    return text.replace("|", r"\|").replace("*", r"\*").replace("_", r"\_")
