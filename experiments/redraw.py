"""The figures of published tables, drawn again from their files: nothing is generated.

    python -m experiments.redraw results

Effects and curves need the scores beside a table alone. Boards and drift need the galleries: where
these are not here, the line says so.
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.compose import Config, build, restored
from experiments.errors import UsageError, command

if TYPE_CHECKING:  # pandas and torch load for a folder, not for --help
    from experiments.cells.cell import Cell
    from experiments.report.committed import Published
    from experiments.tables.results import Figure


@command()
def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        "python -m experiments.redraw", description=__doc__.splitlines()[0]
    )
    parser.add_argument(
        "folder", nargs="?", type=Path, default=Path("results"), help="of tables; default results"
    )
    for path, problem in redraw(parser.parse_args(arguments).folder):
        print(f"{path}: {problem}" if problem else path)


class _Absent(Sequence):
    """The cells of a table whose galleries are not here: a UsageError to whoever looks at them."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def __len__(self) -> int:
        raise UsageError(self._reason)

    def __getitem__(self, index: int) -> "Cell":  # type: ignore[override]  # never returns
        raise UsageError(self._reason)


def redraw(folder: Path) -> Iterator[tuple[Path, str]]:
    """Draws every figure of every table under `folder`: its path, and "" or why it was not drawn.

    Raises:
        UsageError: there is no such folder, or a table lacks its scores.
    """
    from experiments.report.committed import published

    for table in published(folder):
        rows = {label: restored(config) for label, config in table.made_by["configs"].items()}
        cells = _cells(rows)
        for name, draw in (build("table.figures", next(iter(rows.values()))) or {}).items():
            if draw:
                yield _draw(table, name, draw, cells)


def _draw(
    table: "Published", name: str, draw: "Figure", cells: Sequence["Cell"]
) -> tuple[Path, str]:
    path = table.path.with_name(f"{table.path.stem}-{name}.png")
    try:
        return draw(table.results(cells), path)[0], ""
    except UsageError as error:
        return path, str(error)
    except TypeError as error:  # arguments that a figure has taken on since
        return path, f"not drawn, its settings are older than this figure: {error}"


def _cells(rows: dict[str, Config]) -> Sequence["Cell"]:
    from experiments.cells.build import cells_of

    try:
        cells = cells_of(rows)
        lacking = next((cell.label for cell in cells if cell.recipe and cell.missing()), None)
    except UsageError as error:
        return _Absent(f"not drawn, {error}")
    if lacking:
        return _Absent(f"not drawn, galleries of {lacking} are not here; run its experiment again")
    return cells


if __name__ == "__main__":
    main()
