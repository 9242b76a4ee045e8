"""What a finished run leaves for its reader: a summary, or a table with its pictures."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

import pandas as pd

from experiments import tables
from experiments.cell import Cell
from experiments.results import Figure, Results
from experiments.tables import TableSpec


def summarise(cell: Cell, scores: pd.DataFrame) -> None:
    """Prints the mean, standard deviation and n of every metric of one cell."""
    values = scores.groupby("metric", sort=False)["value"].agg(["mean", "std", "count"])
    print(values.to_markdown(floatfmt=".4f"))
    print(f"\ngalleries: {cell.galleries.folder}\nscores:    {cell.score_file}")


def publish(
    spec: TableSpec,
    cells: Sequence[Cell],
    scores: pd.DataFrame,
    *,
    model: str,
    folder: Path,
    configs: Mapping[str, Mapping],
    figures: Mapping[str, Figure],
    allow_partial: bool,
) -> list[Path]:
    """Writes a table, its pictures and what made them to `folder`, and prints the table.

    Args:
        configs: the composed configuration of every row.
        figures: by the name that they get in the folder.
        allow_partial: print cells that lack galleries with their n instead of refusing them.

    Returns:
        All that was written.
    """
    table = tables.build(spec, scores, paper_model=model, allow_partial=allow_partial)
    made_by = {"configs": configs, "cells": {cell.label: _making_of(cell) for cell in cells}}
    markdown = folder / f"{model}.md"
    results = Results(table, scores, cells)
    paths = [
        *tables.write(table, folder, model, made_by=made_by),
        _write_scores(scores, folder / f"{model}-scores.csv"),
        *(p for name, draw in figures.items() for p in draw(results, folder / f"{model}-{name}")),
    ]
    print(f"\n{markdown.read_text(encoding='utf-8')}")
    print("The pictures, and the table in every form:\n")
    print("\n".join(f"  {path}" for path in paths))
    return paths


def _write_scores(scores: pd.DataFrame, path: Path) -> Path:
    """The values behind the table: a line for each prompt and row, a column for each metric."""
    wide = scores.pivot(index=["prompt", "job", "row"], columns="metric", values="value")
    wide.to_csv(path, float_format="%.6g", lineterminator="\n")
    return path


def _making_of(cell: Cell) -> dict:
    """Libraries, devices and the median seconds of every stage of a cell's galleries."""
    if cell.recipe is None:
        return {"path": cell.galleries.path}
    committed = cell.galleries.committed()
    rows = [committed[job.id] for job in cell.jobs if job.id in committed]
    if not rows:  # only timed
        return {"inputs": dict(cell.galleries.inputs)}
    seconds = {stage: median(row.seconds[stage] for row in rows) for stage in rows[0].seconds}
    return {
        "inputs": dict(cell.galleries.inputs),
        "made_with": [dict(t) for t in sorted({tuple(row.made_with.items()) for row in rows})],
        "median_seconds_per_gallery": seconds,
        "coupling_share": seconds["couple"] / sum(seconds.values()),
    }
