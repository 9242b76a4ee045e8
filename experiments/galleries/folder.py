"""What lies in the folder of a cell, to be read; `writer` writes.

A cell is everything that one method makes: the same model, coupling, optimiser, seed and gallery
size, or the size that the coupling plans for. It is one folder, named by a hash of those inputs:

    tiny-repulsive-none-1f0c9a3e/
        cell.json             the inputs
        manifest.jsonl        an entry for each committed gallery, a line each
        manifest.damaged      lines that were no entries, set aside
        failures.jsonl        attempts that failed
        galleries/JOB/0.png   the images; how each was made is in its metadata
        shards/of-4/1/        the manifest and the failures of a shard (see `shard`)

A gallery that is not in a manifest does not exist.
"""

import hashlib
import io
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from experiments.errors import UsageError
from experiments.galleries.durable import read_lines
from experiments.galleries.manifest import FAILURES, Entry, Failure, Manifest
from experiments.galleries.shard import shared
from experiments.tasks.job import Job


def cell_key(inputs: Mapping[str, Any]) -> str:
    """The hash of a cell's inputs, as values: a YAML's formatting and comments do not enter it."""
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:8]


class Archive:
    """The committed galleries of one cell, however many images of each are wanted.

    Args:
        path: the folder of the cell; it need not exist.
        inputs: what every gallery of the cell is made from, as JSON values.

    Attributes:
        gallery_folder: the folder of all galleries, each in one named by its job.
    """

    def __init__(self, path: Path, inputs: Mapping[str, Any]) -> None:
        self.path = path
        self.inputs = inputs
        self.gallery_folder = path / "galleries"
        self._manifests: dict[Path, Manifest] = {}

    @classmethod
    def at(cls, path: Path) -> "Archive":
        """The cell in a folder, its inputs from its cell.json; {} where that cannot be read."""
        try:
            return Archive(path, json.loads((path / "cell.json").read_text(encoding="utf-8")))
        except (OSError, ValueError):
            return Archive(path, {})

    def entries(self) -> tuple[dict[str, Entry], list[str]]:
        """All entries by job, the last one standing, and the lines that are no entries.

        Entries of shards are later than those of the cell's own manifest, which the next writer
        that is no shard joins them to; among shards, the file that was written last stands.
        """
        shards = [manifest.read() for manifest in self.shard_manifests()]
        # read last: a writer that joins the others to it removes them afterwards
        entries, damaged = self.manifest(self.path).read()
        for more, torn in shards:
            entries |= more
            damaged += torn
        return entries, damaged

    def failures(self) -> list[Failure]:
        """All failed attempts, in order; those of shards come last."""
        files = shared(self.path, FAILURES)
        return [Failure(**line) for file in files for line in read_lines(file)]

    def manifest(self, folder: Path) -> Manifest:
        """The manifest in the cell's folder, or in a shard's; it remembers what it has read."""
        return self._manifests.setdefault(folder, Manifest(folder / "manifest.jsonl"))

    def shard_manifests(self) -> list[Manifest]:
        """Those of the shards, in the order in which they were written to."""
        _, *paths = shared(self.path, "manifest.jsonl")
        found = [self.manifest(path.parent) for path in paths]
        return sorted(found, key=lambda manifest: manifest.written)

    def where(self, entry: Entry) -> str:
        """The folder of a gallery, for messages."""
        return str(self.gallery_folder / entry.job)

    def image_paths(self, entry: Entry) -> list[Path]:
        """The files of a gallery's images, in the order of its members."""
        folder = self.gallery_folder / entry.job
        return [folder / f"{member}.png" for member in range(len(entry.images))]

    def read(self, entry: Entry) -> np.ndarray:
        """The images of a committed gallery, (K, H, W, 3) uint8.

        Raises:
            UsageError: a file is not the one that was committed.
        """
        images = []
        for path, expected in zip(self.image_paths(entry), entry.images, strict=True):
            data = path.read_bytes() if path.is_file() else b""
            if hashlib.sha256(data).hexdigest() != expected:
                raise UsageError(
                    f"{path} is not the image that was committed: python -m experiments.verify "
                    f"{self.path.parent} --repair sets it aside, to be made anew"
                )
            with Image.open(io.BytesIO(data)) as image:
                images.append(np.asarray(image.convert("RGB")))
        return np.stack(images)


class CellFolder(Archive):
    """The galleries of one cell, of which the first `gallery_size` images each are wanted."""

    def __init__(self, path: Path, inputs: Mapping[str, Any], *, gallery_size: int) -> None:
        super().__init__(path, inputs)
        self.gallery_size = gallery_size

    def committed(self) -> dict[str, Entry]:
        """The entries by job id, less those whose images were removed or are too few."""
        return {
            job: entry
            if len(entry.images) == self.gallery_size
            else replace(entry, images=entry.images[: self.gallery_size])
            for job, entry in self._present().items()
            if len(entry.images) >= self.gallery_size
        }

    def lacking(self, jobs: Sequence[Job]) -> dict[range, list[Job]]:
        """The jobs that lack images, by the members that each of them lacks."""
        present = self._present()
        lacks: dict[range, list[Job]] = {}
        for job in jobs:
            held = len(present[job.id].images) if job.id in present else 0
            if held < self.gallery_size:
                lacks.setdefault(range(held, self.gallery_size), []).append(job)
        return lacks

    def _present(self) -> dict[str, Entry]:
        entries, _ = self.entries()
        present = set(os.listdir(self.gallery_folder)) if self.gallery_folder.is_dir() else set()
        return {job: entry for job, entry in entries.items() if job in present}
