"""A table as Markdown and for a terminal, and its numbers as text: pure functions of the table."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from tabulate import tabulate

from experiments.tables import paper
from experiments.tables.grids import contrasts_section, escaped, grid, power_section, sets_section
from experiments.tables.wording import (
    DASH,
    MARKS,
    best_mean,
    count_range,
    heading,
    marks,
    mean_and_spread,
    model_title,
    over_seeds,
    p_value,
    ratio,
    seeds_tested,
    times_seeds,
    verdict,
)

if TYPE_CHECKING:
    from experiments.tables.spec import Column
    from experiments.tables.table import Cell, Comparison, Table

P_HEADS = ("p (t)", "p (Wilcoxon)", "pairs")


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
            f"({escaped(MARKS)}). Bold: the best mean of a column, where all its tests are in "
            "its favour.",
            "## Paired effects",
            grid(
                [*("", "", "difference [95 % interval]", "effect", "", "d<sub>z</sub>"), *P_HEADS],
                [_effect_row(table, *pair) for pair in tested],
            ),
            f"Differences are taken {spec.unit} by {spec.unit} on the same base noises. "
            f"{seeds_tested(table)}p-values "
            f"are Holm-corrected over the whole table: {len(tested)} t-tests as one family, "
            f"{len(tested)} Wilcoxon signed-rank tests as another. Interval and "
            f"d<sub>z</sub> (mean difference / its standard deviation) are uncorrected."
            f"{_untested(spec.columns)}",
        ]
        parts += [*contrasts_section(table), *power_section(table)]
    parts += sets_section(table)
    parts += _beside_paper(table, tested)
    if table.paper and table.paper.inferred:
        inferred = "\n".join(f"- {escaped(one)}" for one in table.paper.inferred)
        parts += ["## Not stated in the paper", f"Inferred or chosen by us:\n\n{inferred}"]
    parts += ["## What made each column", _made(table)]
    return "\n\n".join(parts) + "\n"


def plain(table: "Table") -> str:
    """The means for a terminal, aligned, with the stars of their tests under them explained."""
    spec = table.spec
    rows = []
    for row in spec.rows:
        cells = [table.cell(row, metric) for metric in spec.columns]
        texts = [
            DASH
            if cell.mean is None
            else f"{cell.mean:.{spec.columns[cell.metric].digits}f}{marks(cell)}"
            for cell in cells
        ]
        rows.append([row, *texts, count_range(cell.n for cell in cells) + times_seeds(table)])
    heads = ["", *map(heading, spec.columns.values()), "n"]
    aligned = ("left", *["right"] * (len(heads) - 1))
    lines = [tabulate(rows, heads, "plain", disable_numparse=True, colalign=aligned)]
    if spec.pairs:
        lines.append(f"Means; paired t-tests, Holm-corrected: {MARKS}.")
    if table.gaps:
        lines.append(f"Partial: {'; '.join(table.gaps)}.")
    return "\n".join(lines)


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


def _untested(columns: Mapping[str, "Column"]) -> str:
    """The columns that are certain, in a sentence."""
    certain = [escaped(column.label) for column in columns.values() if column.certain]
    return f" Fixed by a method, so not tested: {', '.join(certain)}." if certain else ""


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


def _heading(column: "Column") -> str:
    return escaped(heading(column))
