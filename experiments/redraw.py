"""The figures of published tables, drawn again from their files: nothing is generated.

    python -m experiments.redraw [FOLDER]

Effects and curves need the scores beside a table alone. Boards and drift need the galleries: where
these are not here, the line says so.
"""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from experiments.cells.build import cells_of
from experiments.compose import Config, build, restored
from experiments.errors import UsageError
from experiments.report.committed import Published, published
from experiments.report.publish import results_of
from experiments.tables.results import Figure, Results


def redraw(folder: Path) -> Iterator[tuple[Path, str]]:
    """Draws every figure of every table under `folder`: its path, and "" or why it was not drawn.

    Raises:
        UsageError: there is no such folder, or a table lacks its scores.
    """
    for table in published(folder):
        rows = {label: restored(config) for label, config in table.made_by["configs"].items()}
        results = _results(table, rows)
        for name, draw in (build("table.figures", next(iter(rows.values()))) or {}).items():
            if draw:
                yield _draw(table, name, draw, results)


def _draw(table: Published, name: str, draw: Figure, results: Results) -> tuple[Path, str]:
    path = table.path.with_name(f"{table.path.stem}-{name}.png")
    try:
        return draw(results, path)[0], ""
    except UsageError as error:
        return path, f"not drawn, {error}"
    except TypeError as error:  # arguments that a figure has taken on since
        return path, f"not drawn, its settings are older than this figure: {error}"


def _results(table: Published, rows: Mapping[str, Config]) -> Results:
    """The table, with its galleries where all of them are here."""
    try:
        cells = cells_of(rows)
    except UsageError:
        return table.results()
    if any(cell.missing() for cell in cells):
        return table.results()
    return results_of(table.table, table.scores, cells)


if __name__ == "__main__":
    try:
        for path, problem in redraw(Path(*sys.argv[1:2] or ["results"])):
            print(f"{path}: {problem}" if problem else path)
    except UsageError as error:
        sys.exit(f"error: {error}")
