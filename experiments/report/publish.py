"""What a finished run leaves for its reader: a summary or a table, its pictures, and a page."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import pandas as pd

from experiments.cells.account import account
from experiments.cells.cell import Cell
from experiments.errors import UsageError
from experiments.galleries.durable import write_text
from experiments.report.book import write_book
from experiments.report.committed import digest
from experiments.report.noise import averages
from experiments.report.overwriting import free_stem
from experiments.report.page import data_of, findings_of, page
from experiments.report.render import html
from experiments.tables import table as tables
from experiments.tables import typeset
from experiments.tables.finding import Finding
from experiments.tables.grids import sets_section
from experiments.tables.latex import latex
from experiments.tables.results import Figure, Results
from experiments.tables.scorerows import seeds_of
from experiments.tables.sets import by_row, set_scores
from experiments.tables.spec import TableSpec, spec_of_cell
from experiments.tables.table import Table
from experiments.workers.provenance import suite


def summarise(
    cells: Sequence[Cell],
    scores: pd.DataFrame,
    *,
    model: str,
    configs: Mapping[str, Mapping],
    report: Mapping[str, Any],
) -> list[Path]:
    """Prints the mean of every metric of one cell; writes its page.

    With several seeds there is a cell for each, and the page is that of the first one's scores.

    Args:
        configs: the composed configuration, by the cell's label.
        report: what the page shows, see `experiments.report.page`.

    Returns:
        All that was written.
    """
    first = cells[0]
    spec = spec_of_cell(first, seeds=len(cells))
    table = tables.build(spec, scores, paper_model=model, allow_partial=True)
    table = replace(table, sets=set_scores(cells))
    if table.sets:
        print("\n" + "\n\n".join(sets_section(table)))
    made_by = _made_by(cells, configs)
    files = [cell.score_file.name for cell in cells]
    results = results_of(table, scores, cells)
    shown = page(results, made_by=made_by, pictures={}, **report, files=files)
    written = write_text(first.score_file.with_suffix(".html"), shown)
    print(f"\n{typeset.plain(table)}\n")
    _index(cells)
    for cell in cells:
        print(f"galleries  {cell.place}\nscores     {cell.score_file}")
    end_in(written)
    return [written]


@dataclass(frozen=True)
class Publication:
    """A table that was written; as text, what is printed of it.

    Attributes:
        findings: what its tests say, in words.
        files: the table in every form, its scores and its pictures.
        pictures: those that are PNG, by name.
        note: why it has not its model's name, or "".
    """

    table: Table
    findings: Sequence[Finding]
    files: Sequence[Path]
    pictures: Mapping[str, Path]
    page: Path
    note: str

    def __str__(self) -> str:
        every = (
            f"the table in every form, its scores and its figures  {self.page.with_suffix('')}.*"
        )
        told = [*self.findings, typeset.plain(self.table)]
        return "\n".join([*(f"\n{part}" for part in told), "", *filter(None, [self.note]), every])


def publish(
    spec: TableSpec,
    cells: Sequence[Cell],
    scores: pd.DataFrame,
    *,
    model: str,
    folder: Path,
    configs: Mapping[str, Mapping],
    figures: Mapping[str, Figure],
    report: Mapping[str, Any],
    allow_partial: bool,
) -> Publication:
    """Writes a table, its pictures, what made them and its page to `folder`.

    One that is there and has more to show stays, see `overwriting`.

    Args:
        configs: the composed configuration of every table row.
        figures: by the name that they get in the folder.
        report: what the page shows, see `experiments.report.page`.
        allow_partial: print cells that lack galleries with their n instead of refusing them.
    """
    table = tables.build(spec, scores, paper_model=model, allow_partial=allow_partial)
    table = replace(table, sets=set_scores(cells, spec.pairs))
    made_by = _made_by(cells, configs)
    stem, why = free_stem(folder, table, configs)
    results = results_of(table, scores, cells)
    drawn = {name: draw(results, folder / f"{stem}-{name}") for name, draw in figures.items()}
    paths = [
        *write_table(table, folder, stem, made_by=made_by),
        _write_scores(scores, folder / f"{stem}-scores.csv"),
        *(path for paths in drawn.values() for path in paths),
    ]
    pictures = {name: paths[0] for name, paths in drawn.items()}
    digested = digest(folder / f"{stem}.json")
    shown = page(
        results,
        made_by=made_by,
        pictures=pictures,
        **report,
        digest=digested,
        files=data_of(folder, stem),
    )
    written = write_text(folder / f"{stem}.html", shown)
    _index(cells)
    return Publication(table, findings_of(results, configs), paths, pictures, written, why)


def _index(cells: Sequence[Cell]) -> None:
    """Writes galleries.html into the folder of every cell of ours: its images by their titles."""
    for cell in cells:
        if cell.production:
            titles = {job.id: job.title for job in cell.jobs}
            folder = cell.production.folder
            galleries = sorted(
                (
                    titles.get(job, entry.prompt),
                    [path.relative_to(cell.place).as_posix() for path in folder.image_paths(entry)],
                )
                for job, entry in folder.committed().items()
            )
            listed = html(
                "galleries.html", home="", title=f"Galleries of {cell.name}", galleries=galleries
            )
            write_text(cell.place / "galleries.html", listed)


def end_in(page: Path) -> None:
    """Says where a page is; the book beside it gets to know of it."""
    folder = page.parent.parent
    try:
        write_book(folder, anew=False)
    except UsageError as error:
        print(f"the book of all tables was not written: {error}")
    print(f"all of it on one page  {page.resolve().as_uri()}")


def results_of(table: Table, scores: pd.DataFrame, cells: Sequence[Cell]) -> Results:
    """A table with the galleries and noises of its cells: what is looked at is the first seed's."""
    first = [of_row[0] for of_row in by_row(cells).values()]
    return Results(
        table,
        scores,
        jobs=cells[0].jobs,
        galleries={cell.label: cell.galleries for cell in first},
        drifts={
            cell.label: [entry.drift for entry in cell.entries()]
            for cell in first
            if cell.production
        },
        accounts=[account(cell.production) for cell in cells if cell.production],
    )


def write_table(table: Table, folder: Path, stem: str, *, made_by: Mapping[str, Any]) -> list[Path]:
    """Writes `stem`.csv, .md, .tex and .json into `folder`; returns their paths.

    The same table gives the same bytes. `made_by` (configs, versions, device, seeds, timings;
    plain JSON values) goes into the JSON alone.
    """
    document = asdict(table) | {"made_by": dict(made_by)}
    texts = {
        "csv": table.frame().to_csv(index=False, lineterminator="\n"),
        "md": typeset.markdown(table),
        "tex": latex(table),
        "json": json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n",
    }
    return [write_text(folder / f"{stem}.{suffix}", text) for suffix, text in texts.items()]


def _write_scores(scores: pd.DataFrame, path: Path) -> Path:
    """The values behind the table, with every digit: a line for each prompt, row and, of several,
    seed, a column for each metric.
    """
    of = ["prompt", "job", "row", *(["seed"] if seeds_of(scores) > 1 else [])]
    wide = scores.pivot(index=of, columns="metric", values="value")
    wide.to_csv(path, lineterminator="\n")
    return path


def _made_by(cells: Sequence[Cell], configs: Mapping[str, Mapping]) -> dict[str, Any]:
    """What the JSON of a table says of its making."""
    making = {label: _making_of(of_row) for label, of_row in by_row(cells).items()}
    return {"suite": suite(), "configs": configs, "cells": making}


def _making_of(cells: Sequence[Cell]) -> dict[str, Any]:
    """Libraries, devices, noises and the median seconds of every stage of a table row's galleries,
    and the inputs of its first seed.
    """
    first = cells[0]
    if first.production is None:
        return {"path": str(first.place)}
    inputs = dict(first.production.folder.inputs)
    entries = [entry for cell in cells for entry in cell.entries()]
    if not entries:  # only timed
        return {"inputs": inputs}
    seconds = {
        stage: median(entry.seconds[stage] for entry in entries) for stage in entries[0].seconds
    }
    made_with = sorted({tuple(entry.made_with.items()) for entry in entries}, key=repr)
    return {
        "inputs": inputs,
        "noise": averages([entry.drift for entry in entries]),
        "made_with": [dict(versions) for versions in made_with],
        "median_seconds_per_gallery": seconds,
        "coupling_share": seconds["couple"] / sum(seconds.values()),
    }
