"""Two folders of results beside each other: which numbers moved, and what changed in their making.

python -m experiments.compare results other/results
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from experiments.errors import command


@command()
def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        "python -m experiments.compare", description=__doc__.splitlines()[0]
    )
    parser.add_argument("a", type=Path, metavar="A", help="a folder of tables")
    parser.add_argument("b", type=Path, metavar="B", help="another, of tables with the same names")
    parser.add_argument(
        "--page", type=Path, metavar="FILE.html", help="writes all of it on one page, too"
    )
    given = parser.parse_args(arguments)

    from experiments.report.book import text_page
    from experiments.report.comparison import report
    from experiments.report.render import write_page

    text = report(given.a, given.b)
    print(text)
    if given.page:
        written = write_page(text_page(text, title="Two folders of results"), given.page)
        print(f"all of it on one page  {written.resolve().as_uri()}")


if __name__ == "__main__":
    main()
