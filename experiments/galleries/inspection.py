"""What in the folder of a cell is not as it was committed, and how it is set aside."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from experiments.galleries.ledger import Ledger
from experiments.galleries.store import GalleryStore, cell_key

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


def inspect(store: GalleryStore) -> Iterator[Finding]:
    """What of a cell is missing, damaged, foreign, or not of the inputs in its name."""
    rows, torn = store.read_manifest()
    if torn:
        yield Finding("damaged", store.folder / "manifest.jsonl", f"{len(torn)} lines are no rows")
    for failure in {failure.job: failure for failure in Ledger(store.folder).read()}.values():
        if failure.final and failure.job not in rows:
            why = f"given up after {failure.attempt} tries: {failure.error}"
            yield Finding("missing", store.gallery_folder / failure.job, why)
    expected = set()
    for row in rows.values():
        gallery = store.gallery_folder / row.job
        there = gallery if gallery.is_dir() else None
        for path, committed in zip(store.image_paths(row), row.images, strict=True):
            expected.add(path)
            if not path.is_file():
                yield Finding("missing", path, "is not there", there)
            elif hashlib.sha256(path.read_bytes()).hexdigest() != committed:
                yield Finding("damaged", path, "is not the image that was committed", there)
    entries = store.gallery_folder.iterdir() if store.gallery_folder.is_dir() else ()
    for entry in sorted(entries):
        if entry.name not in rows:
            yield Finding("foreign", entry, "no row names it", entry)
        else:
            for path in sorted(set(entry.iterdir()) - expected):
                yield Finding("foreign", path, "no row names it", path)
    if cell_key(store.inputs) != store.folder.name.rpartition("-")[2]:
        yield Finding("stale", store.folder, "its cell.json does not make the key in its name")


def set_aside(store: GalleryStore, findings: Iterable[Finding]) -> None:
    """Moves what was found to `set-aside` in the cell, and deletes nothing.

    Raises:
        UsageError: a run is writing here.
    """
    with store.exclusive():
        store.mend()
        for path in dict.fromkeys(found.aside for found in findings if found.aside):
            if path.exists():  # else it went with its gallery
                path.rename(_free_name(store.folder / "set-aside", path.name.lstrip(".")))


def _free_name(shelf: Path, name: str) -> Path:
    shelf.mkdir(exist_ok=True)
    target, count = shelf / name, 1
    while target.exists():
        count += 1
        target = shelf / f"{name}-{count}"
    return target
