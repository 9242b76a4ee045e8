"""What a finished run leaves for its reader: a summary or a table, its pictures, and a page."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

import pandas as pd

from experiments.cells.cell import Cell
from experiments.report.committed import digest
from experiments.report.noise import averages
from experiments.report.page import page
from experiments.report.render import write_page
from experiments.tables import table as tables
from experiments.tables.results import Figure, Results
from experiments.tables.table import Column, TableSpec


def summarise(
    cell: Cell,
    scores: pd.DataFrame,
    *,
    model: str,
    configs: Mapping[str, Mapping],
    report: Mapping[str, int | None],
) -> None:
    """Prints the mean, standard deviation and n of every metric of one cell; writes its page.

    Args:
        configs: the composed configuration, by the cell's label.
        report: what the page shows, see `experiments.report.page`.
    """
    values = scores.groupby("metric", sort=False)["value"].agg(["mean", "std", "count"])
    print(values.to_markdown(floatfmt=".4f"))
    spec = TableSpec(
        name=cell.label,
        title=f"Galleries of {cell.label} noises" if cell.recipe else f"Galleries of {cell.label}",
        rows=[cell.label],
        columns={name: Column(name, "neutral", 4) for name in cell.suite.scores},
        baselines={},
        paper=None,
        jobs=len(cell.jobs),
    )
    results = Results(
        tables.build(spec, scores, paper_model=model, allow_partial=True), scores, [cell]
    )
    made_by = {"configs": configs, "cells": {cell.label: _making_of(cell)}}
    shown = page(results, made_by=made_by, pictures={}, **report)
    print(f"\ngalleries: {cell.galleries.folder}\nscores:    {cell.score_file}")
    print(f"page:      {write_page(shown, cell.score_file.with_suffix('.html'))}")


def publish(
    spec: TableSpec,
    cells: Sequence[Cell],
    scores: pd.DataFrame,
    *,
    model: str,
    folder: Path,
    configs: Mapping[str, Mapping],
    figures: Mapping[str, Figure],
    report: Mapping[str, int | None],
    allow_partial: bool,
) -> list[Path]:
    """Writes a table, its pictures, what made them and its page to `folder`, and prints the table.

    Args:
        configs: the composed configuration of every row.
        figures: by the name that they get in the folder.
        report: what the page shows, see `experiments.report.page`.
        allow_partial: print cells that lack galleries with their n instead of refusing them.

    Returns:
        All that was written.
    """
    table = tables.build(spec, scores, paper_model=model, allow_partial=allow_partial)
    made_by = {"configs": configs, "cells": {cell.label: _making_of(cell) for cell in cells}}
    markdown = folder / f"{model}.md"
    results = Results(table, scores, cells)
    drawn = {name: draw(results, folder / f"{model}-{name}") for name, draw in figures.items()}
    paths = [
        *tables.write(table, folder, model, made_by=made_by),
        _write_scores(scores, folder / f"{model}-scores.csv"),
        *(path for paths in drawn.values() for path in paths),
    ]
    pictures = {name: paths[0] for name, paths in drawn.items()}
    digested = digest(folder / f"{model}.json")
    shown = page(results, made_by=made_by, pictures=pictures, **report, digest=digested)
    written = write_page(shown, folder / f"{model}.html")
    print(f"\n{markdown.read_text(encoding='utf-8')}")
    print("The pictures, and the table in every form:\n")
    print("\n".join(f"  {path}" for path in paths))
    print(f"\nAll of it on one page: {written}")
    return [*paths, written]


def _write_scores(scores: pd.DataFrame, path: Path) -> Path:
    """The values behind the table: a line for each prompt and row, a column for each metric."""
    wide = scores.pivot(index=["prompt", "job", "row"], columns="metric", values="value")
    wide.to_csv(path, float_format="%.6g", lineterminator="\n")
    return path


def _making_of(cell: Cell) -> dict:
    """Libraries, devices, noises and the median seconds of every stage of a cell's galleries."""
    if cell.recipe is None:
        return {"path": cell.galleries.path}
    committed = cell.galleries.committed()
    rows = [committed[job.id] for job in cell.jobs if job.id in committed]
    if not rows:  # only timed
        return {"inputs": dict(cell.galleries.inputs)}
    seconds = {stage: median(row.seconds[stage] for row in rows) for stage in rows[0].seconds}
    drifts = [row.drift for row in rows]
    return {
        "inputs": dict(cell.galleries.inputs),
        "noise": averages(drifts),
        "made_with": [dict(t) for t in sorted({tuple(row.made_with.items()) for row in rows})],
        "median_seconds_per_gallery": seconds,
        "coupling_share": seconds["couple"] / sum(seconds.values()),
    }
