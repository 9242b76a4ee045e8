"""Galleries on disk. What is not in the manifest does not exist; what is in it is never redone.

A cell is everything that one method makes: the same model, coupling, optimiser, seed and gallery
size, or the size that the coupling plans for. It is one folder, named by a hash of those inputs:

    tiny-repulsive-none-1f0c9a3e/
        cell.json             the inputs
        manifest.jsonl        one row a committed gallery
        manifest-1-of-4.jsonl the rows of a shard (see `shard`)
        manifest.damaged      lines that were no rows, set aside
        failures.jsonl        tries that failed (see `ledger`)
        galleries/JOB/0.png   the images; how each was made is in its metadata

A gallery is committed whole: its images are written to a temporary sibling and flushed, the folder
is renamed, and then its row is appended to the manifest. A kill at any moment leaves either a
committed gallery or files that the next run overwrites. One that is committed stays: it may be made
again, where a worker was given up too early, and still counts once. A gallery grows within its
plan: the images of its later members join the earlier ones, which stay as they are, and a longer
row stands for it.

Shards write into a cell at the same time, each with a manifest and a lock of its own: to append to
one file from several machines would need a lock around every row, on file systems where locks are
least to be trusted. All read all manifests; the next run that is no shard has the cell to itself,
and joins them into one.
"""

import hashlib
import io
import json
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout
from PIL import Image

from experiments.errors import UsageError
from experiments.galleries.durable import replace_file, write_flushed
from experiments.galleries.gallery import EncodedGallery
from experiments.galleries.manifest import Manifest, ManifestRow
from experiments.galleries.shard import Shard
from experiments.tasks.job import Job


def cell_key(inputs: Mapping) -> str:
    """Hash of a cell's inputs. Formatting and comments of the YAML that they came from are none."""
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:8]


class GalleryStore:
    """The committed galleries of one cell.

    Args:
        folder: the folder of the cell; made at the first commit.
        inputs: what every gallery of the cell is made from, as JSON values.
        gallery_size: how many images of each gallery are wanted, the first of those planned.
        shard: which part of the galleries this store writes; None for all.

    Attributes:
        gallery_folder: the folder of all galleries, each in one named by its job.
    """

    def __init__(
        self, folder: Path, inputs: Mapping, *, gallery_size: int, shard: Shard | None = None
    ) -> None:
        self.folder = folder
        self.inputs = inputs
        self.gallery_size = gallery_size
        self.gallery_folder = folder / "galleries"
        self._shard = shard
        part = f"-{shard}" if shard else ""
        self._manifests: dict[Path, Manifest] = {}
        self._manifest = self._manifest_at(folder / f"manifest{part}.jsonl")
        self._lock = FileLock(folder / f"lock{part}", timeout=0)

    def committed(self) -> dict[str, ManifestRow]:
        """The manifest's rows by job id, less those whose images were removed or are too few."""
        return {
            job: replace(row, images=row.images[: self.gallery_size])
            for job, row in self._present().items()
            if len(row.images) >= self.gallery_size
        }

    def lacking(self, jobs: Sequence[Job]) -> dict[range, list[Job]]:
        """The jobs by the members that each of them lacks."""
        present = self._present()
        lacks: dict[range, list[Job]] = {}
        for job in jobs:
            held = len(present[job.id].images) if job.id in present else 0
            lacks.setdefault(range(held, self.gallery_size), []).append(job)
        return lacks

    def read_manifest(self) -> tuple[dict[str, ManifestRow], list[str]]:
        """All rows by job, the last one standing, and the lines that are no rows.

        Rows of shards are later than those of the one manifest, which they are joined to by the
        next run that is no shard; among shards, the file that was written last stands.
        """
        parts = [shard.read() for shard in self._shard_manifests()]
        # read last: a run that joins the others to it removes them afterwards
        rows, damaged = self._manifest_at(self.folder / "manifest.jsonl").read()
        for more, torn in parts:
            rows |= more
            damaged += torn
        return rows, damaged

    def _shard_manifests(self) -> list[Manifest]:
        """As they were written, the last one last."""
        found = map(self._manifest_at, self.folder.glob("manifest-*.jsonl"))
        return sorted(found, key=lambda manifest: manifest.written)

    def _manifest_at(self, path: Path) -> Manifest:
        """One for each file, since it remembers what it has read."""
        return self._manifests.setdefault(path, Manifest(path))

    def _present(self) -> dict[str, ManifestRow]:
        rows, _ = self.read_manifest()
        present = set(os.listdir(self.gallery_folder)) if self.gallery_folder.is_dir() else set()
        return {job: row for job, row in rows.items() if job in present}

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Keeps every other writer out.

        Raises:
            UsageError: there is one.
        """
        refusal = UsageError(
            f"another run is writing to {self.folder}; wait for it or set another output_dir"
        )
        try:
            self._lock.acquire()
        except Timeout as error:
            raise refusal from error
        try:
            for path in self.folder.glob("lock*"):  # ours is held: who comes now sees it
                if self._excludes(path) and not _is_free(path):
                    raise refusal
            yield
        finally:
            self._lock.release()

    def _excludes(self, lock: Path) -> bool:
        """Whether its holder may make our galleries; shards of the same count have their own."""
        sibling = self._shard and lock.name.endswith(f"-of-{self._shard.count}")
        return not sibling and lock != Path(self._lock.lock_file)

    def mend(self) -> None:
        """Makes this store's manifest whole: lines that are no rows are set aside; where it is no
        shard's, the rows of shards join it. Call it where no other can write.
        """
        self._rows, damaged = self.read_manifest()
        rows, joined = self._rows, self._shard_manifests()
        if self._shard:
            rows, damaged = self._manifest.read()
            joined = []
        if damaged:
            with (self.folder / "manifest.damaged").open("a", encoding="utf-8") as file:
                file.writelines(line + "\n" for line in damaged)
        if damaged or joined or not self._manifest.ends_a_line:
            self._manifest.replace(rows.values())
        for shard in joined:
            shard.path.unlink()

    def __enter__(self) -> "GalleryStore":
        """Opens the cell for writing: one writer at a time. Damaged rows are set aside."""
        self.gallery_folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            stack.enter_context(self.exclusive())
            inputs = json.dumps(self.inputs, indent=2, sort_keys=True) + "\n"
            replace_file(self.folder / "cell.json", inputs.encode(), by=self._manifest.path.stem)
            self.mend()
            self._writing = stack.pop_all()
        return self

    def __exit__(self, *_) -> None:
        self._writing.close()

    def commit(self, gallery: EncodedGallery, *, attempts: int = 1) -> ManifestRow:
        """Writes the images, then the manifest's row. Call within `with store:`.

        Idempotent: a gallery that is committed already stays as it is.

        Raises:
            OSError: the disk is full, say; nothing of the gallery is committed then.
        """
        job = gallery.job
        standing = self._rows.get(job.id) if (self.gallery_folder / job.id).is_dir() else None
        if standing and len(standing.images) >= gallery.members.stop:
            return standing
        self._write_images(gallery)
        earlier, seconds, passes = (), Counter(gallery.seconds), Counter(gallery.passes)
        if gallery.first:
            earlier = self._rows[job.id].images
            seconds.update(self._rows[job.id].seconds)
            passes.update(self._rows[job.id].passes)
        row = ManifestRow(
            job=job.id,
            prompt=job.prompt,
            images=(*earlier, *gallery.hashes),
            seconds=dict(seconds),
            passes=dict(passes),
            loss=gallery.loss,
            drift=gallery.drift,
            made_with=dict(gallery.made_with),
            attempts=attempts,
            peak=gallery.peak,
        )
        self._manifest.append(row)
        self._rows[job.id] = row
        return row

    def _write_images(self, gallery: EncodedGallery) -> None:
        """Every file beside its place and flushed, then all into place."""
        final = self.gallery_folder / gallery.job.id
        temporary = self.gallery_folder / f".{gallery.job.id}"
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        try:
            for member, data in zip(gallery.members, gallery.files, strict=True):
                write_flushed(temporary / f"{member}.png", data)
        except OSError:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        if gallery.first:
            for path in temporary.iterdir():
                os.replace(path, final / path.name)
            temporary.rmdir()
        else:
            shutil.rmtree(final, ignore_errors=True)
            os.rename(temporary, final)

    def where(self, row: ManifestRow) -> str:
        """The folder of a gallery, for messages."""
        return str(self.gallery_folder / row.job)

    def image_paths(self, row: ManifestRow) -> list[Path]:
        return [
            self.gallery_folder / row.job / f"{member}.png" for member in range(len(row.images))
        ]

    def read(self, row: ManifestRow) -> np.ndarray:
        """The images of a committed gallery, (K, H, W, 3) uint8.

        Raises:
            UsageError: a file is not the one that was committed.
        """
        images = []
        for path, expected in zip(self.image_paths(row), row.images, strict=True):
            data = path.read_bytes() if path.is_file() else b""
            if hashlib.sha256(data).hexdigest() != expected:
                raise UsageError(
                    f"{path} is not the image that was committed: python -m experiments.verify "
                    f"output_dir={self.folder.parent} repair=true sets it aside, to be made anew"
                )
            with Image.open(io.BytesIO(data)) as image:
                images.append(np.asarray(image.convert("RGB")))
        return np.stack(images)


def _is_free(lock: Path) -> bool:
    """Whether nobody holds a lock."""
    try:
        with FileLock(lock, timeout=0):
            return True
    except Timeout:
        return False
