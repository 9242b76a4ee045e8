"""A table as LaTeX, a pure function of the table."""

import pandas as pd

from experiments.tables.table import Table
from experiments.tables.wording import MARKS, count_range, marks, model_title, times_seeds

LATEX_ARROWS = {"higher": r" $\uparrow$", "lower": r" $\downarrow$", "neutral": ""}
LATEX_ESCAPES = str.maketrans({c: rf"\{c}" for c in "&%$#_{}"})


def latex(table: Table) -> str:
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
    caption += "".join(f" {note}" for note in spec.notes)
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
