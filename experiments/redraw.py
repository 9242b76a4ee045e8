"""The figures of published tables, drawn again from their files: nothing is generated.

    python -m experiments.redraw [FOLDER]

Effects and curves need the scores beside a table alone. Boards and drift need the galleries: where
these are not here, the line says so.
"""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from experiments.cells.build import cells_of
from experiments.cells.cell import Cell
from experiments.compose import build, restored
from experiments.errors import UsageError
from experiments.report.committed import Published, published


class _Absent(Sequence):
    """The cells of a table whose galleries are not here: a UsageError to whoever looks at them."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def __len__(self) -> int:
        raise UsageError(self._reason)

    def __getitem__(self, index: int) -> Cell:
        raise UsageError(self._reason)


def redraw(folder: Path) -> Iterator[tuple[Path, str]]:
    """Draws every figure of every table under `folder`: its path, and "" or why it was not drawn.

    Raises:
        UsageError: there is no such folder, or a table lacks its scores.
    """
    for table in published(folder):
        rows = {label: restored(config) for label, config in table.made_by["configs"].items()}
        cells = _cells(rows)
        for name, draw in (build("table.figures", next(iter(rows.values()))) or {}).items():
            if draw:
                yield _draw(table, name, draw, cells)


def _draw(table: Published, name: str, draw, cells: Sequence[Cell]) -> tuple[Path, str]:
    path = table.path.with_name(f"{table.path.stem}-{name}.png")
    try:
        return draw(table.results(cells), path)[0], ""
    except UsageError as error:
        return path, str(error)
    except TypeError as error:  # arguments that a figure has taken on since
        return path, f"not drawn, its settings are older than this figure: {error}"


def _cells(rows: dict) -> Sequence[Cell]:
    try:
        cells = cells_of(rows)
        lacking = next((cell.label for cell in cells if cell.recipe and cell.missing()), None)
    except UsageError as error:
        return _Absent(f"not drawn, {error}")
    if lacking:
        return _Absent(f"not drawn, galleries of {lacking} are not here; run its experiment again")
    return cells


if __name__ == "__main__":
    try:
        for path, problem in redraw(Path(*sys.argv[1:2] or ["results"])):
            print(f"{path}: {problem}" if problem else path)
    except UsageError as error:
        sys.exit(f"error: {error}")
