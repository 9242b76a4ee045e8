"""Two folders of results, or two commits, beside each other: which numbers moved, and why.

python -m experiments.compare results other/results
python -m experiments.compare HEAD~1 HEAD

A word that is no folder is a commit of the repository here, whose results are read as they were.
"""

import argparse
import io
import subprocess
import tarfile
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from experiments.errors import UsageError, command


@command()
def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        "python -m experiments.compare", description=__doc__.splitlines()[0]
    )
    parser.add_argument("a", metavar="A", help="a folder of tables, or a commit")
    parser.add_argument("b", metavar="B", help="another, of tables with the same names")
    parser.add_argument(
        "--folder", default="results", metavar="FOLDER",
        help="of a commit: where its tables are; default results",
    )  # fmt: skip
    parser.add_argument(
        "--page", type=Path, metavar="FILE.html", help="writes all of it on one page, too"
    )
    given = parser.parse_args(arguments)

    from experiments.galleries.durable import write_text
    from experiments.report.book import text_page
    from experiments.report.comparison import report

    with TemporaryDirectory() as kept:
        found = [
            _folder(each, given.folder, Path(kept, side))
            for each, side in zip((given.a, given.b), "ab", strict=True)
        ]
        text = report(*found, names=(given.a, given.b))
    print(text)
    if given.page:
        written = write_text(given.page, text_page(text, title="Results compared"))
        print(f"all of it on one page  {written.resolve().as_uri()}")


def _folder(given: str, folder: str, place: Path) -> Path:
    """The folder that is given, or that of a commit, whose tables git puts into `place`.

    Raises:
        UsageError: it is neither, or the commit has no such folder.
    """
    if Path(given).is_dir():
        return Path(given)
    paths = [f":(glob){folder}/*/{name}" for name in ("*.json", "*-scores.csv")]
    git = ["git", "archive", "--format=tar", f"{given}^{{commit}}", "--", *paths]
    try:
        done = subprocess.run(git, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        told = getattr(error, "stderr", b"").decode(errors="replace").strip() or str(error)
        raise UsageError(f"{given} is no folder, and no commit with {folder}: {told}") from None
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        archive.extractall(place, filter="data")
    return place / folder


if __name__ == "__main__":
    main()
