"""What in the folder of a cell is not as it was committed, and how it is set aside."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path

from experiments.galleries.folder import Archive, cell_key
from experiments.galleries.writer import mended

CELL = ("cell.json", "manifest.jsonl")  # a folder with either is one


@dataclass(frozen=True)
class Finding:
    """Something that is not as it should be.

    Attributes:
        kind: missing, damaged, foreign or stale.
        aside: what a repair moves away, None for nothing.
    """

    kind: str
    path: Path
    why: str
    aside: Path | None = None


def cells_in(folder: Path) -> list[Path]:
    """The folders of cells directly in a folder."""
    return sorted({path.parent for path in folder.glob("*/*") if path.name in CELL})


def inspect(archive: Archive) -> Iterator[Finding]:
    """What of a cell is missing, damaged, foreign, or not of the inputs in its name."""
    entries, torn = archive.entries()
    if torn:
        manifest = archive.path / "manifest.jsonl"
        yield Finding("damaged", manifest, f"{len(torn)} lines are no entries")
    for failure in {failure.job: failure for failure in archive.failures()}.values():
        if failure.final and failure.job not in entries:
            why = f"given up after {failure.attempt} tries: {failure.error}"
            yield Finding("missing", archive.gallery_folder / failure.job, why)
    for entry in entries.values():
        gallery = archive.gallery_folder / entry.job
        there = gallery if gallery.is_dir() else None
        for path, committed in zip(archive.image_paths(entry), entry.images, strict=True):
            if not path.is_file():
                yield Finding("missing", path, "is not there", there)
            elif hashlib.sha256(path.read_bytes()).hexdigest() != committed:
                yield Finding("damaged", path, "is not the image that was committed", there)
    folders = archive.gallery_folder.iterdir() if archive.gallery_folder.is_dir() else ()
    for folder in sorted(folders):
        if folder.name not in entries:
            yield Finding("foreign", folder, "no entry names it", folder)
        else:
            expected = archive.image_paths(entries[folder.name])
            for path in sorted(set(folder.iterdir()) - set(expected)):
                yield Finding("foreign", path, "no entry names it", path)
    if cell_key(archive.inputs) != archive.path.name.rpartition("-")[2]:
        yield Finding("stale", archive.path, "its cell.json does not make the key in its name")


def set_aside(archive: Archive, findings: Iterable[Finding]) -> None:
    """Moves what was found to `set-aside` in the cell, and deletes nothing.

    Raises:
        UsageError: a run is writing here.
    """
    with mended(archive):
        for path in dict.fromkeys(found.aside for found in findings if found.aside):
            if path.exists():  # else it went with its gallery
                path.rename(_free_name(archive.path / "set-aside", path.name.lstrip(".")))


def _free_name(shelf: Path, name: str) -> Path:
    shelf.mkdir(exist_ok=True)
    names = chain([name], (f"{name}-{number}" for number in count(2)))
    return next(shelf / each for each in names if not (shelf / each).exists())
