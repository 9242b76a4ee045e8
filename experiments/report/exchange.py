"""Books of results that travel: a folder with the tables of one, and several put together.

    export: FOLDER/TABLE/MODEL.json          the table, and the settings and versions that made it
            FOLDER/TABLE/MODEL-scores.parquet  a line for each prompt and row, every digit kept
            FOLDER/TABLE/MODEL-NAME.webp       its figures, lossless
            FOLDER/book.json                   the suite that wrote it, and a SHA-256 of each file

It is read as every folder of tables is: compared, redrawn, made a book of. A number is known by its
table, row, metric, prompt and seed; a merge has one value for each, or is refused.
"""

import json
import shutil
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import astuple
from pathlib import Path
from typing import Any

from PIL import Image

from experiments.errors import UsageError
from experiments.galleries.durable import replace_file, write_text
from experiments.report.book import write_book
from experiments.report.committed import Published, by_name, published, wide_scores
from experiments.report.publish import write_table
from experiments.workers.provenance import suite
from metrics.weights import sha256

LISTED = "book.json"


def export(folder: Path, target: Path) -> list[Path]:
    """Writes the tables under `folder` to `target`, and returns the files.

    Raises:
        UsageError: `target` is there, or there are no tables.
    """
    if target.exists():
        raise UsageError(f"{target} is there already; name a new folder")
    if not (tables := published(folder)):
        raise UsageError(f"{folder} has no tables to export")
    written = []
    for table in tables:
        place = target / table.path.parent.relative_to(folder)
        place.mkdir(parents=True, exist_ok=True)
        stem = table.path.stem
        written.append(Path(shutil.copy(table.path, place)))
        written.append(place / f"{stem}-scores.parquet")
        wide_scores(table.score_file).to_parquet(written[-1], index=False)
        for name, path in table.pictures.items():
            written.append(place / f"{stem}-{name}.webp")
            with Image.open(path) as image:
                image.save(written[-1], lossless=True)
    sums = {path.relative_to(target).as_posix(): sha256(path) for path in written}
    listed = json.dumps({"suite": suite(), "files": sums}, indent=1) + "\n"
    return [*written, write_text(target / LISTED, listed)]


def merge(folder: Path, books: Sequence[Path]) -> list[str]:
    """Puts the tables of exported books into `folder`, with their pages and the book of all.

    A table that is there with the same numbers stays as it is. Nothing is written before all have
    been checked.

    Returns:
        The names of the tables that are new.

    Raises:
        UsageError: a file is not the one that was exported, or a number has two values.
    """
    for book in books:
        _check(book)
    there = {} if not folder.is_dir() else by_name(folder)
    found = dict(there)
    for book in books:
        for name, table in by_name(book).items():
            _agree(name, found.setdefault(name, table), table)
    new = [name for name in found if name not in there]
    for name in new:
        _put(found[name], folder / name)
    write_book(folder, anew=False)
    return new


def _put(table: Published, path: Path) -> None:
    """Writes a table beside `path`, its JSON last: without it nothing of it counts."""
    text = wide_scores(table.score_file).to_csv(index=False, lineterminator="\n")
    write_text(path.with_name(f"{path.name}-scores.csv"), text)
    for name, picture in table.pictures.items():
        with Image.open(picture) as image:
            image.save(path.with_name(f"{path.name}-{name}.png"))
    write_table(table.table, path.parent, path.name, made_by=table.made_by)
    replace_file(path.with_name(f"{path.name}.json"), table.path.read_bytes())  # as it was written


def _check(book: Path) -> None:
    """Raises UsageError where a file of an exported book is lacking, or not as it was."""
    try:
        sums: Mapping[str, str] = json.loads((book / LISTED).read_text("utf-8"))["files"]
    except (OSError, ValueError, KeyError) as error:
        raise UsageError(f"{book} is no exported book: {LISTED}: {error}") from None
    there = {path.relative_to(book).as_posix() for path in book.glob("*/*.json")}
    for name in [*sums, *there]:
        if not (book / name).is_file() or sha256(book / name) != sums.get(name):
            raise UsageError(f"{book / name} is not the file that was exported; export it again")


def _agree(name: str, ours: Published, theirs: Published) -> None:
    """Raises UsageError where one number of a table has two values."""
    one, other = _numbers(ours), _numbers(theirs)
    places = f"{ours.path} and {theirs.path}"
    if one.keys() != other.keys():
        raise UsageError(f"{places} have other rows, metrics or prompts; give one another name")
    if differing := [key for key in one if one[key] != other[key]]:
        key = differing[0]
        raise UsageError(
            f"{places} have two numbers for {' / '.join(map(str, key))}: {one[key]} and "
            f"{other[key]}, and for {len(differing) - 1} more; couple compare says what changed"
        )


def _numbers(of: Published) -> dict[tuple[Hashable, ...], Any]:
    """The scores of a table by prompt, job, row, seed and metric, its means, its set scores."""
    found: dict[tuple[Hashable, ...], Any] = {
        tuple(key): value for *key, value in of.scores.itertuples(index=False)
    }
    for cell in of.table.cells:
        found[cell.row, cell.metric] = (cell.n, cell.mean, cell.std)
    for score in of.table.sets:
        found[score.row, score.metric, "set"] = astuple(score.estimate)
    return found
