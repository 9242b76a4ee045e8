"""People asked: a page that shows galleries of two rows side by side, and what its answers say.

    python -m experiments.study results/table1/tiny.json --rows iid coupled --out study.html
    python -m experiments.study answers/*.jsonl

The galleries of the table must be here. The page needs no server; who has answered downloads a file
of answers, and the second command counts them.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.compose import restored
from experiments.errors import UsageError, command

if TYPE_CHECKING:  # torch loads for a table, not for --help
    from experiments.tables.results import Results


@command()
def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        "python -m experiments.study", description=__doc__.splitlines()[0]
    )
    parser.add_argument("files", nargs="+", type=Path, help="a table's JSON, or answers (JSONL)")
    parser.add_argument("--rows", nargs=2, metavar="ROW", help="of the table, to be compared")
    parser.add_argument("--count", type=int, default=20, help="prompts that are shown; default 20")
    parser.add_argument("--seed", type=int, default=0, help="of their choice, order and sides")
    parser.add_argument("--pixels", type=int, default=384, help="of a picture's longer side")
    parser.add_argument("--out", type=Path, default=Path("study.html"), help="the page")
    asked = parser.parse_args(arguments)
    if all(file.suffix == ".jsonl" for file in asked.files):
        from experiments.people.answers import analysis, read

        print(analysis(read(asked.files)), end="")
        return
    (table, *more) = asked.files
    if more or table.suffix != ".json" or not asked.rows:
        parser.error("a study takes one table's JSON and --rows; answers end in .jsonl")

    from experiments.galleries.durable import write_text
    from experiments.people.page import study

    name = f"{table.parent.name}-{table.stem}-{'-'.join(asked.rows)}-{asked.count}-{asked.seed}"
    shown = {"count": asked.count, "seed": asked.seed, "pixels": asked.pixels, "name": name}
    page = study(_results(table), asked.rows, **shown)
    print(f"The study of {asked.count} pairs: {write_text(asked.out, page)}")


def _results(path: Path) -> "Results":
    """A published table and its galleries."""
    from experiments.cells.build import cells_of
    from experiments.report.committed import published
    from experiments.report.publish import results_of

    for table in published(path.parent.parent):
        if table.path == path:
            rows = {label: restored(config) for label, config in table.made_by["configs"].items()}
            return results_of(table.table, table.scores, cells_of(rows))
    raise UsageError(f"{path} is no JSON of a table; results/table1/tiny.json is one")


if __name__ == "__main__":
    main()
