"""The figures of published tables, drawn again from their files: nothing is generated.

    python -m experiments.redraw [FOLDER]

Effects and curves need the scores beside a table alone. Boards and drift need the galleries: where
these are not here, the line says so.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.compose import Config, build, restored
from experiments.errors import UsageError, command

if TYPE_CHECKING:  # pandas and torch load for a folder, not for --help
    from experiments.report.committed import Published
    from experiments.tables.results import Figure, Results


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


def redraw(folder: Path) -> Iterator[tuple[Path, str]]:
    """Draws every figure of every table under `folder`: its path, and "" or why it was not drawn.

    Raises:
        UsageError: there is no such folder, or a table lacks its scores.
    """
    from experiments.report.committed import published

    for table in published(folder):
        rows = {label: restored(config) for label, config in table.made_by["configs"].items()}
        results = _results(table, rows)
        for name, draw in (build("table.figures", next(iter(rows.values()))) or {}).items():
            if draw:
                yield _draw(table, name, draw, results)


def _draw(table: "Published", name: str, draw: "Figure", results: "Results") -> tuple[Path, str]:
    path = table.path.with_name(f"{table.path.stem}-{name}.png")
    try:
        return draw(results, path)[0], ""
    except UsageError as error:
        return path, f"not drawn, {error}"
    except TypeError as error:  # arguments that a figure has taken on since
        return path, f"not drawn, its settings are older than this figure: {error}"


def _results(table: "Published", rows: Mapping[str, Config]) -> "Results":
    """The table, with its galleries where all of them are here."""
    from experiments.cells.build import cells_of
    from experiments.report.publish import results_of

    try:
        cells = cells_of(rows)
    except UsageError:
        return table.results()
    if any(cell.missing() for cell in cells):
        return table.results()
    return results_of(table.table, table.scores, cells)


if __name__ == "__main__":
    main()
