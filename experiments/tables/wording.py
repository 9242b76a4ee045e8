"""What a table's numbers and rows are called, as text; pure functions of the table."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from experiments.tables import paper

if TYPE_CHECKING:
    from experiments.tables.spec import Column
    from experiments.tables.table import Cell, Comparison, Table

ARROWS = {"higher": "↑", "lower": "↓", "neutral": ""}
LEVELS = ((0.001, "***"), (0.01, "**"), (0.05, "*"))
VERDICTS = ("better", "worse", "differs")
DASH = "–"
MARKS = "* p < 0.05, ** p < 0.01, *** p < 0.001"


def heading(column: "Column") -> str:
    """A column's label, with an arrow to where it is better."""
    return arrowed(column.label, column.better)


def arrowed(name: str, better: str) -> str:
    """A name, with an arrow to where it is better."""
    return f"{name} {ARROWS[better]}".strip()


def verdict(comparison: "Comparison", column: "Column") -> str:
    """better, worse or differs where the corrected t-test is below 0.05; otherwise empty."""
    if comparison.t_p_holm >= 0.05:
        return ""
    if column.better == "neutral":
        return "differs"
    rises = comparison.test.difference > 0
    return "better" if rises == (column.better == "higher") else "worse"


def marks(cell: "Cell") -> str:
    """The stars of the corrected t-test."""
    p = cell.comparison.t_p_holm if cell.comparison else 1.0
    return next((mark for level, mark in LEVELS if p < level), "")


def best_mean(table: "Table", metric: str) -> float | None:
    """The best mean of a column; None where better means nothing, or where it is not shown: it was
    tested against nothing, or a test of it shows no difference.
    """
    column = table.spec.columns[metric]
    choose = {"higher": max, "lower": min}.get(column.better)
    present = {
        row: mean for row in table.spec.rows if (mean := table.cell(row, metric).mean) is not None
    }
    if not choose or not present:
        return None
    best = choose(present, key=present.__getitem__)
    verdicts = [
        (verdict(found, column), {row: "better", found.baseline: "worse"}[best])
        for row in table.spec.rows
        for found in table.cell(row, metric).comparisons
        if best in (row, found.baseline)
    ]
    shown = bool(verdicts) and all(found == wanted for found, wanted in verdicts)
    return present[best] if shown else None


def mean_and_spread(mean: float | None, std: float | None, column: "Column") -> str:
    if mean is None:
        return DASH
    spread = "" if std is None else f" ({std:.{column.digits}f})"
    return f"{mean:.{column.digits}f}{spread}"


def ratio(percent: float | None) -> str:
    """An effect as the ratio row / baseline."""
    return DASH if percent is None else f"×{1 + percent / 100:.3f}"


def p_value(p: float) -> str:
    return f"{p:.3f}" if p >= 0.001 else f"{p:.1e}" if p >= 1e-99 else "< 1e-99"


def count_range(counts: Iterable[int]) -> str:
    low, *_, high = sorted([*counts] * 2)
    return str(low) if low == high else f"{low}{DASH}{high}"


def times_seeds(table: "Table") -> str:
    """What follows a number of jobs where each has several seeds."""
    return f" × {table.spec.seeds}" if table.spec.seeds > 1 else ""


def over_seeds(table: "Table") -> str:
    """What the score of a job is where it has several seeds."""
    seeds = table.spec.seeds
    return f", each the mean of {seeds} seeds" if seeds > 1 else ""


def seeds_tested(table: "Table") -> str:
    """What is tested where a job has several seeds, in a sentence."""
    unit = table.spec.unit
    told = f"A {unit}'s difference is its mean over the seeds, and the {unit} is the unit tested. "
    return told if table.spec.seeds > 1 else ""


def model_title(table: "Table") -> str:
    """The model's name; one that the paper's table does not have is called a stand-in."""
    stand_in = table.paper is not None and table.model not in table.paper.values
    return paper.label(table.model) + (", a stand-in for the paper's models" if stand_in else "")


def numbered(table: "Table") -> str:
    """The title, by its number if it is a table of the paper."""
    spec = table.spec
    if table.paper is None or spec.name != spec.paper:
        return spec.title
    return f"Table {table.paper.number}: {spec.title}"
