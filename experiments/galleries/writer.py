"""Writing into the folder of a cell. What is committed is never done again.

A gallery is committed whole: its images are written to a temporary sibling and flushed, the folder
is renamed, and then its entry is appended to the manifest. A kill at any moment leaves either a
committed gallery or files that the next run overwrites. One that is committed stays: it may be made
again, where a worker was given up too early, and still counts once. A gallery grows within its
plan: the images of its later members join the earlier ones, which stay as they are, and a longer
entry stands for it.

Shards write into a cell at the same time, each with a manifest and a lock of its own: to append to
one file from several machines would need a lock around every line, on file systems where locks are
least to be trusted. All read all manifests; the next writer that is no shard has the cell to
itself, and joins them into one.
"""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from pathlib import Path

from filelock import FileLock, Timeout

from experiments.errors import UsageError
from experiments.galleries.durable import appending, replace_file, write_flushed
from experiments.galleries.folder import Archive
from experiments.galleries.gallery import EncodedGallery
from experiments.galleries.manifest import FAILURES, Entry, Failure
from experiments.galleries.shard import Shard, shared


class Writer:
    """Commits galleries to a cell; `writing` opens one.

    Args:
        records: the folder of its manifest and failures: the cell's, or a shard's.
    """

    def __init__(self, cell: Archive, records: Path) -> None:
        self._failures = records / FAILURES
        self._galleries = cell.gallery_folder
        self._manifest = cell.manifest(records)
        self._entries, _ = cell.entries()

    def note(self, failure: Failure) -> None:
        """Adds a failed attempt, and returns when it is on the disk."""
        with appending(self._failures) as append:
            append(asdict(failure))

    def commit(self, gallery: EncodedGallery) -> Entry:
        """Writes the images, then the manifest's entry; a committed gallery stays as it is.

        Raises:
            OSError: the disk is full, say; nothing of the gallery is committed then.
        """
        entry = gallery.entry
        there = (self._galleries / entry.job).is_dir()
        standing = self._entries.get(entry.job) if there else None
        if standing and len(standing.images) >= gallery.members.stop:
            return standing
        self._write_images(gallery)
        if gallery.members.start:
            entry = _grown(self._entries[entry.job], entry)
        self._manifest.append(entry)
        self._entries[entry.job] = entry
        return entry

    def _write_images(self, gallery: EncodedGallery) -> None:
        """Writes every file beside its place and flushes it, then moves all into place."""
        final = self._galleries / gallery.entry.job
        temporary = self._galleries / f".{gallery.entry.job}"
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        try:
            for member, data in zip(gallery.members, gallery.files, strict=True):
                write_flushed(temporary / f"{member}.png", data)
        except OSError:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        if gallery.members.start:
            for path in temporary.iterdir():
                os.replace(path, final / path.name)
            temporary.rmdir()
        else:
            shutil.rmtree(final, ignore_errors=True)
            os.rename(temporary, final)


def _grown(standing: Entry, later: Entry) -> Entry:
    """The entry of a gallery's first images and of its later ones."""
    rows = (standing.rows, later.rows)
    return replace(
        later,
        images=standing.images + later.images,
        seconds={k: standing.seconds.get(k, 0) + s for k, s in later.seconds.items()},
        passes={k: standing.passes.get(k, 0) + n for k, n in later.passes.items()},
        rows=None if None in rows else sum(filter(None, rows)),
    )


@contextmanager
def writing(cell: Archive, shard: Shard | None = None) -> Iterator[Writer]:
    """Opens a cell for one writer, or for one of each shard; its manifest is made whole.

    Raises:
        UsageError: another run is writing what this one would.
    """
    cell.gallery_folder.mkdir(parents=True, exist_ok=True)
    with mended(cell, shard) as records:
        inputs = json.dumps(cell.inputs, indent=2, sort_keys=True) + "\n"
        replace_file(cell.path / "cell.json", inputs.encode(), by=records.name)
        yield Writer(cell, records)


@contextmanager
def mended(cell: Archive, shard: Shard | None = None) -> Iterator[Path]:
    """Keeps every other writer out of a cell, or of a shard of it, and makes its manifest whole:
    lines that are no entries are set aside, and without a shard, the entries of shards join it.

    Yields the folder of that manifest.

    Raises:
        UsageError: another writer is there.
    """
    records = shard.folder(cell.path) if shard else cell.path
    records.mkdir(parents=True, exist_ok=True)
    with _alone(cell.path, records):
        manifest = cell.manifest(records)
        entries, damaged = manifest.read() if shard else cell.entries()
        joined = [] if shard else cell.shard_manifests()
        if damaged:
            with (cell.path / "manifest.damaged").open("a", encoding="utf-8") as file:
                file.writelines(line + "\n" for line in damaged)
        if damaged or joined:
            manifest.replace(entries.values())
        for other in joined:
            other.path.unlink()
        yield records


@contextmanager
def _alone(cell: Path, records: Path) -> Iterator[None]:
    """Holds the lock in `records`, where no other writer of the cell may make the same galleries.

    Shards of the same count may not: they lie in one folder.
    """
    with ExitStack() as held:
        try:
            held.enter_context(FileLock(records / "lock", timeout=0))
            for other in shared(cell, "lock"):  # ours is held: who comes now sees it
                beside = other.parent.parent == records.parent  # ours, or that of such a shard
                if other.exists() and not beside:
                    with FileLock(other, timeout=0):
                        pass  # nobody holds it
        except Timeout as error:
            raise UsageError(
                f"another run is writing to {cell}; wait for it or set another output_dir"
            ) from error
        yield
