"""What a finished run leaves for its reader: a summary, or a table with its pictures."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from experiments import figures, tables
from experiments.cell import Cell
from experiments.generate import to_uint8
from experiments.tables import TableSpec
from experiments.tasks import Job

BOARD_PROMPTS = 6
"""A comparison picture shows the first prompts of the task, whatever they are: none is chosen."""


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
    arrange: Callable[[Tensor], Tensor],
) -> None:
    """Writes a table, its pictures and what made them to `folder`, and prints the table.

    Args:
        configs: the composed configuration of every row.
        arrange: the images (K, 3, H, W) in [0, 1] of a gallery, in the order of the picture.
    """
    table = tables.build(spec, scores, paper_model=model)
    made_by = {"configs": configs, "cells": {cell.label: _making_of(cell) for cell in cells}}
    markdown = folder / f"{model}.md"
    paths = [
        *tables.write(table, folder, model, made_by=made_by),
        _write_scores(scores, folder / f"{model}-scores.csv"),
        *figures.comparison_board(_board(cells, arrange), folder / f"{model}-galleries"),
        *figures.paired_effect(table, scores, folder / f"{model}-effects"),
    ]
    print(f"\n{markdown.read_text(encoding='utf-8')}")
    print("The pictures, and the table in every form:\n")
    print("\n".join(f"  {path}" for path in paths))


def _write_scores(scores: pd.DataFrame, path: Path) -> Path:
    """The values behind the table: a line for each prompt and row, a column for each metric."""
    wide = scores.pivot(index=["prompt", "job", "row"], columns="metric", values="value")
    wide.to_csv(path, float_format="%.6g", lineterminator="\n")
    return path


def _board(
    cells: Sequence[Cell], arrange: Callable[[Tensor], Tensor]
) -> list[tuple[str, dict[str, np.ndarray]]]:
    """The first prompts' galleries under every method."""

    def gallery(cell: Cell, job: Job) -> np.ndarray:
        images = cell.galleries.read(cell.galleries.committed()[job.id])
        unit = torch.from_numpy(images).movedim(-1, 1) / 255
        return to_uint8(arrange(unit)).numpy()

    return [
        (job.prompt, {cell.label: gallery(cell, job) for cell in cells})
        for job in cells[0].jobs[:BOARD_PROMPTS]
    ]


def _making_of(cell: Cell) -> dict:
    """Libraries, devices and the median seconds of every stage of a cell's galleries."""
    if cell.recipe is None:
        return {"path": cell.galleries.path}
    committed = cell.galleries.committed()
    rows = [committed[job.id] for job in cell.jobs]
    seconds = {stage: median(row.seconds[stage] for row in rows) for stage in rows[0].seconds}
    return {
        "inputs": dict(cell.galleries.inputs),
        "made_with": [dict(t) for t in sorted({tuple(row.made_with.items()) for row in rows})],
        "median_seconds_per_gallery": seconds,
        "coupling_share": seconds["couple"] / sum(seconds.values()),
    }
