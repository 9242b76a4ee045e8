"""A table as Markdown and as LaTeX, and its numbers as text; all pure functions of the table."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pandas as pd

from experiments.tables import paper
from experiments.tables.grids import escaped, grid, power_section, sets_section

if TYPE_CHECKING:
    from experiments.tables.spec import Column
    from experiments.tables.table import Cell, Comparison, Table

ARROWS = {"higher": "↑", "lower": "↓", "neutral": ""}
LATEX_ARROWS = {"higher": r" $\uparrow$", "lower": r" $\downarrow$", "neutral": ""}
LATEX_ESCAPES = str.maketrans({c: rf"\{c}" for c in "&%$#_{}"})
LEVELS = ((0.001, "***"), (0.01, "**"), (0.05, "*"))
MARKS = "* p < 0.05, ** p < 0.01, *** p < 0.001"
P_HEADS = ("p (t)", "p (Wilcoxon)", "pairs")
DASH = "–"


def markdown(table: "Table") -> str:
    """The table for reading: means, paired effects, the paper beside them, what made it."""
    spec = table.spec
    parts = [
        f"# {spec.title}",
        f"Model {model_title(table)}. Mean (standard deviation over {spec.unit}s"
        f"{over_seeds(table)}); n {spec.unit}s{' × seeds' if spec.seeds > 1 else ''}.",
        *(escaped(note) for note in spec.notes),
        *(["**Partial table.** " + "; ".join(table.gaps) + "."] if table.gaps else []),
        grid(["", *map(_heading, spec.columns.values()), "n"], _mean_rows(table)),
    ]
    tested = [(cell, comparison) for cell in table.cells for comparison in cell.comparisons]
    if tested:
        parts += [
            f"Stars: paired t-test against the row's baseline, Holm-corrected "
            f"({escaped(MARKS)}). Bold: the best mean of a column.",
            "## Paired effects",
            grid(
                [*("", "", "difference [95 % interval]", "effect", "", "d<sub>z</sub>"), *P_HEADS],
                [_effect_row(table, *pair) for pair in tested],
            ),
            f"Differences are taken {spec.unit} by {spec.unit} on the same base noises. "
            f"{seeds_tested(table)}p-values "
            f"are Holm-corrected over the whole table: {len(tested)} t-tests as one family, "
            f"{len(tested)} Wilcoxon signed-rank tests as another. Interval and "
            f"d<sub>z</sub> (mean difference / its standard deviation) are uncorrected.",
        ]
        parts += power_section(table)
    parts += sets_section(table)
    parts += _beside_paper(table, tested)
    if table.paper and table.paper.inferred:
        inferred = "\n".join(f"- {escaped(one)}" for one in table.paper.inferred)
        parts += ["## Not stated in the paper", f"Inferred or chosen by us:\n\n{inferred}"]
    parts += ["## What made each column", _made(table)]
    return "\n\n".join(parts) + "\n"


def latex(table: "Table") -> str:
    """A booktabs/siunitx table: means and standard deviations, the paper's rows among ours."""
    spec = table.spec
    heads = {m: c.label + LATEX_ARROWS[c.better] for m, c in spec.columns.items()}
    lines, formats = {}, {}
    for row in spec.rows:
        cells = [table.cell(row, metric) for metric in spec.columns]
        lines[row] = [number for cell in cells for number in (cell.mean, cell.std)]
        for cell in cells:
            formats[row, heads[cell.metric]] = marks(cell)
        if any(cell.paper for cell in cells):
            lines[f"{row} (paper)"] = [x for cell in cells for x in cell.paper or (None, None)]
    columns = pd.MultiIndex.from_product([heads.values(), ["mean", "std"]])
    frame = pd.DataFrame.from_dict(lines, orient="index", columns=columns, dtype=float)
    style = frame.style.format(na_rep="{--}")
    for metric, column in spec.columns.items():
        number = f"{{:.{column.digits}f}}".format
        style = style.format(number, subset=[heads[metric]], na_rep="{--}")
        for row in spec.rows:
            if stars := formats[row, heads[metric]]:
                style = style.format(
                    lambda value, n=number, s=stars: f"{n(value)}{{$^{{{s}}}$}}",
                    subset=pd.IndexSlice[[row], [(heads[metric], "mean")]],
                )
    caption = (
        f"{spec.title}. Model {model_title(table)}. Stars: paired t-test against the row's "
        f"baseline, Holm-corrected over the table ({MARKS}). "
        f"n = {count_range(cell.n for cell in table.cells)}{times_seeds(table)}."
    )
    for note in spec.notes:
        caption += f" {note}"
    if table.gaps:
        caption += f" Partial: {'; '.join(table.gaps)}."
    return (
        style.format_index(escape="latex", axis=0)
        .format_index(escape="latex-math", axis=1)
        .to_latex(
            hrules=True,
            siunitx=True,
            multicol_align="c",
            caption=caption.translate(LATEX_ESCAPES),
            label=f"tab:{spec.name}",
            position_float="centering",
        )
    )


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


def _mean_rows(table: "Table") -> list[list[str]]:
    rows = []
    best = {metric: best_mean(table, metric) for metric in table.spec.columns}
    for row in table.spec.rows:
        cells = [table.cell(row, metric) for metric in table.spec.columns]
        texts = []
        for cell in cells:
            text = mean_and_spread(cell.mean, cell.std, table.spec.columns[cell.metric])
            text = (
                f"**{text}**" if cell.mean is not None and cell.mean == best[cell.metric] else text
            )
            texts.append(text + escaped(marks(cell)))
        n = count_range(cell.n for cell in cells) + times_seeds(table)
        rows.append([escaped(row), *texts, n])
        if any(cell.paper for cell in cells):
            reported = (
                mean_and_spread(mean, std, table.spec.columns[cell.metric])
                for cell in cells
                for mean, std in [cell.paper or (None, None)]
            )
            n = str((table.paper and table.paper.n) or DASH)
            rows.append([f"*{escaped(row)}, paper*", *(f"*{text}*" for text in reported), n])
    return rows


def _effect_row(table: "Table", cell: "Cell", comparison: "Comparison") -> list[str]:
    column = table.spec.columns[cell.metric]
    test, digits = comparison.test, column.digits + 1
    interval = f"[{test.ci_low:+z.{digits}f}, {test.ci_high:+z.{digits}f}]"
    return [
        f"{escaped(cell.row)} {DASH} {escaped(comparison.baseline)}",
        _heading(column),
        f"{test.difference:+z.{digits}f} {interval}",
        DASH if comparison.percent is None else f"{comparison.percent:+z.1f} %",
        verdict(comparison, column),
        DASH if test.dz is None else f"{test.dz:+z.2f}",
        p_value(comparison.t_p_holm),
        p_value(comparison.wilcoxon_p_holm),
        str(test.n),
    ]


def verdict(comparison: "Comparison", column: "Column") -> str:
    """better, worse or differs where the corrected t-test is below 0.05; otherwise empty."""
    if comparison.t_p_holm >= 0.05:
        return ""
    if column.better == "neutral":
        return "differs"
    rises = comparison.test.difference > 0
    return "better" if rises == (column.better == "higher") else "worse"


def _beside_paper(table: "Table", tested: list[tuple["Cell", "Comparison"]]) -> list[str]:
    """Effects as ratios row / baseline, ours and the paper's, whichever models it has."""
    comparable = [(cell, against) for cell, against in tested if against.paper_percent]
    if not comparable or table.paper is None:
        return []
    models = list(table.paper.values)
    has_model = table.model in models
    where = f"Table {table.paper.number} (section {table.paper.section})"
    note = (
        "Its absolute numbers stand in the rows marked *paper* above."
        if has_model
        else f"It has no numbers for this model ({escaped(paper.label(table.model))}), so only "
        "relative effects can be compared, not the numbers themselves."
    )
    rows = [
        [
            f"{escaped(cell.row)} / {escaped(against.baseline)}",
            _heading(table.spec.columns[cell.metric]),
            ratio(against.percent),
            *(ratio(against.paper_percent.get(model)) for model in models),
        ]
        for cell, against in comparable
    ]
    head = ["", "", "ours", *(f"paper, {paper.label(model)}" for model in models)]
    return [
        "## Beside the paper",
        f"{paper.source()}, {where}. {note} The paper's metrics may read other networks than ours, "
        "which are listed below.",
        grid(head, rows),
    ]


def _made(table: "Table") -> str:
    fields = list(next(iter(table.provenance.values())))
    rows = [
        [_heading(table.spec.columns[m]), *(escaped(" | ".join(made[f])) or DASH for f in fields)]
        for m, made in table.provenance.items()
    ]
    mixed = [
        f"{_heading(table.spec.columns[m])} mixes {field}: {escaped(', '.join(made[field]))}."
        for m, made in table.provenance.items()
        for field in fields
        if len(made[field]) > 1
    ]
    return "\n\n".join([grid(["", *fields], rows), *mixed])


def heading(column: "Column") -> str:
    """A column's label, with an arrow to where it is better."""
    return f"{column.label} {ARROWS[column.better]}".strip()


def _heading(column: "Column") -> str:
    return escaped(heading(column))


def mean_and_spread(mean: float | None, std: float | None, column: "Column") -> str:
    if mean is None:
        return DASH
    spread = "" if std is None else f" ({std:.{column.digits}f})"
    return f"{mean:.{column.digits}f}{spread}"


def best_mean(table: "Table", metric: str) -> float | None:
    """The best mean of a column; None where better means nothing, or nothing is compared."""
    means = [table.cell(row, metric).mean for row in table.spec.rows]
    choose = {"higher": max, "lower": min}.get(table.spec.columns[metric].better)
    present = [mean for mean in means if mean is not None]
    return choose(present) if choose and len(present) > 1 else None


def marks(cell: "Cell") -> str:
    """The stars of the corrected t-test."""
    p = cell.comparison.t_p_holm if cell.comparison else 1.0
    return next((mark for level, mark in LEVELS if p < level), "")


def ratio(percent: float | None) -> str:
    """An effect as the ratio row / baseline."""
    return DASH if percent is None else f"×{1 + percent / 100:.3f}"


def p_value(p: float) -> str:
    return f"{p:.3f}" if p >= 0.001 else f"{p:.1e}" if p >= 1e-99 else "< 1e-99"


def count_range(counts: Iterable[int]) -> str:
    low, *_, high = sorted([*counts] * 2)
    return str(low) if low == high else f"{low}{DASH}{high}"
