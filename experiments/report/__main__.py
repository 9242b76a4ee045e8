"""The book of all tables, index.html, made from their files: nothing is generated."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from experiments.errors import command


@command()
def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser("python -m experiments.report", description=__doc__)
    parser.add_argument(
        "folder", nargs="?", type=Path, default=Path("results"), help="of tables; default results"
    )
    folder = parser.parse_args(arguments).folder

    from experiments.report.book import write_book

    print(f"The book of all tables: {write_book(folder)}")


if __name__ == "__main__":
    main()
