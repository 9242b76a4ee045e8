"""The folder of a cell as its makers see it: which images are wanted, there, or lacking."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from experiments.galleries.archive import Archive
from experiments.galleries.durable import replace_file
from experiments.galleries.manifest import Entry
from experiments.galleries.shard import Shard
from experiments.galleries.writer import Writer, mended
from experiments.tasks.job import Job


class CellFolder(Archive):
    """The galleries of one cell, of which so many images each are wanted.

    Args:
        path, inputs: see `Archive`; the folder is made by the first writer.
        gallery_size: how many images of each gallery are wanted, the first of those planned.
    """

    def __init__(self, path: Path, inputs: Mapping[str, Any], *, gallery_size: int) -> None:
        super().__init__(path, inputs)
        self.gallery_size = gallery_size

    def committed(self) -> dict[str, Entry]:
        """The entries by job id, less those whose images were removed or are too few."""
        return {
            job: replace(entry, images=entry.images[: self.gallery_size])
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

    @contextmanager
    def writing(self, shard: Shard | None = None) -> Iterator[Writer]:
        """Opens the cell for one writer, or for one of each shard; its manifest is made whole.

        Raises:
            UsageError: another run is writing what this one would.
        """
        self.gallery_folder.mkdir(parents=True, exist_ok=True)
        with mended(self, shard) as records:
            inputs = json.dumps(self.inputs, indent=2, sort_keys=True) + "\n"
            replace_file(self.path / "cell.json", inputs.encode(), by=records.name)
            yield Writer(self, records)

    def _present(self) -> dict[str, Entry]:
        entries, _ = self.entries()
        present = set(os.listdir(self.gallery_folder)) if self.gallery_folder.is_dir() else set()
        return {job: entry for job, entry in entries.items() if job in present}
