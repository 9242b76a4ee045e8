"""Take the tables of a book of results elsewhere, and put those of several into one.

python -m experiments.book export mine --folder results
python -m experiments.book merge mine theirs --folder results
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from experiments.errors import command


@command()
def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        "python -m experiments.book", description=__doc__.splitlines()[0]
    )
    does = parser.add_subparsers(dest="does", required=True)
    out = does.add_parser("export", help="write tables, scores and figures to a new folder")
    out.add_argument("target", type=Path, metavar="PATH")
    into = does.add_parser("merge", help="put exported books into a folder of tables")
    into.add_argument("books", type=Path, nargs="+", metavar="PATH")
    for each in (out, into):
        each.add_argument("--folder", type=Path, default=Path("results"), help="default results")
    given = parser.parse_args(arguments)

    from experiments.report.exchange import export, merge

    if given.does == "export":
        files = export(given.folder, given.target)
        print(f"{given.target}: {len(files)} files, with their checksums in {files[-1].name}")
    else:
        new = merge(given.folder, given.books)
        print(f"{len(new)} tables are new in {given.folder}: {', '.join(new)}".rstrip(": "))
        print(f"the book of all tables  {(given.folder / 'index.html').resolve().as_uri()}")


if __name__ == "__main__":
    main()
