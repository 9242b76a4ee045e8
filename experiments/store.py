"""Galleries on disk. What is not in the manifest does not exist; what is in it is never redone.

A cell is everything that one method makes: the same model, coupling, optimiser, seed and gallery
size, or the size that the coupling plans for. It is one folder, named by a hash of those inputs:

    tiny-repulsive-none-1f0c9a3e/
        cell.json             the inputs
        manifest.jsonl        one row a committed gallery
        galleries/JOB/0.png   the images; how each was made is in its metadata

A gallery is committed whole: its images are written to a temporary sibling and flushed, the folder
is renamed, and then its row is appended to the manifest. A kill at any moment leaves either a
committed gallery or files that the next run overwrites. A gallery grows within its plan: the images
of its later members join the earlier ones, which stay as they are, and a longer row stands for it.
"""

import hashlib
import io
import json
import os
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout
from PIL import Image, PngImagePlugin

from coupling.drift import Drift
from experiments.errors import UsageError
from experiments.tasks import Job

METADATA_KEY = "couple-to-control"
"""The PNG text chunk that says, as JSON, how an image was made."""


@dataclass(frozen=True)
class Gallery:
    """Images of one job, and how they came about.

    Attributes:
        images: (n, H, W, 3) uint8.
        seconds: that each stage took.
        passes: guided network passes of one image: "sample", and "forward" and "backward" of an
            optimiser.
        loss: of the optimiser, before each of its steps; () without one.
        drift: statistics of the noises that the sampler started from, of earlier members too.
        first: the member that the first image shows; those before it are committed already.
        galleries_per_batch: how many galleries like this one filled the device batch, which decides
            about the last bits of an image.
    """

    job: Job
    images: np.ndarray
    seconds: Mapping[str, float]
    passes: Mapping[str, int]
    loss: tuple[float, ...]
    drift: Drift
    first: int = 0
    galleries_per_batch: int = 1


@dataclass(frozen=True)
class ManifestRow:
    """A committed gallery: the SHA-256 of every image file, and how they came about.

    One that has grown took the seconds and passes of all its images, and was made with what made
    the last.
    """

    job: str
    prompt: str
    images: tuple[str, ...]
    seconds: Mapping[str, float]
    passes: Mapping[str, int]
    loss: tuple[float, ...]
    drift: Drift
    made_with: Mapping[str, str]

    @property
    def digest(self) -> str:
        """One hash for the gallery: its scores are scores of exactly these files."""
        return hashlib.sha256("".join(self.images).encode()).hexdigest()[:16]


def cell_key(inputs: Mapping) -> str:
    """Hash of a cell's inputs. Formatting and comments of the YAML that they came from are none."""
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:8]


class GalleryStore:
    """The committed galleries of one cell.

    Args:
        folder: the folder of the cell; made at the first commit.
        inputs: what every gallery of the cell is made from, as JSON values.
        gallery_size: how many images of each gallery are wanted, the first of those planned.
    """

    def __init__(self, folder: Path, inputs: Mapping, *, gallery_size: int) -> None:
        self.folder = folder
        self.inputs = inputs
        self.gallery_size = gallery_size
        self._manifest = folder / "manifest.jsonl"
        self._galleries = folder / "galleries"
        self._lock = FileLock(folder / "lock", timeout=0)

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

    def _present(self) -> dict[str, ManifestRow]:
        rows, _ = self._read_manifest()
        present = set(os.listdir(self._galleries)) if rows else set()
        return {job: row for job, row in rows.items() if job in present}

    def __enter__(self) -> "GalleryStore":
        """Opens the cell for writing: one writer at a time. Damaged rows are set aside."""
        self._galleries.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire()
        except Timeout as error:
            raise UsageError(
                f"another run is writing to {self.folder}; wait for it or set another output_dir"
            ) from error
        inputs = json.dumps(self.inputs, indent=2, sort_keys=True) + "\n"
        replace_file(self.folder / "cell.json", inputs.encode())
        self._rows, damaged = self._read_manifest()
        if damaged:
            with (self.folder / "manifest.damaged").open("a", encoding="utf-8") as file:
                file.writelines(line + "\n" for line in damaged)
        if self._rows:  # whole again: a torn last line would swallow the next row
            lines = "".join(map(_manifest_line, self._rows.values()))
            replace_file(self._manifest, lines.encode())
        return self

    def __exit__(self, *_) -> None:
        self._lock.release()

    def commit(self, gallery: Gallery, *, made_with: Mapping[str, str]) -> ManifestRow:
        """Writes the images, then the manifest's row. Call within `with store:`."""
        job = gallery.job
        final = self._galleries / job.id
        temporary = self._galleries / f".{job.id}"
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        members = range(gallery.first, gallery.first + len(gallery.images))
        batch = {"galleries": gallery.galleries_per_batch, "members": list(members)}
        named = {"id": job.id, "prompt": job.prompt}
        hashes = []
        for member, image in zip(members, gallery.images, strict=True):
            metadata = {**self.inputs, "job": named, "member": member, "batch": batch}
            data = _png(image, metadata)
            hashes.append(hashlib.sha256(data).hexdigest())
            _write_flushed(temporary / f"{member}.png", data)
        earlier, seconds, passes = (), Counter(gallery.seconds), Counter(gallery.passes)
        if gallery.first:
            for path in temporary.iterdir():
                os.replace(path, final / path.name)
            temporary.rmdir()
            earlier = self._rows[job.id].images
            seconds.update(self._rows[job.id].seconds)
            passes.update(self._rows[job.id].passes)
        else:
            shutil.rmtree(final, ignore_errors=True)
            os.rename(temporary, final)
        row = ManifestRow(
            job=job.id,
            prompt=job.prompt,
            images=(*earlier, *hashes),
            seconds=dict(seconds),
            passes=dict(passes),
            loss=gallery.loss,
            drift=gallery.drift,
            made_with=dict(made_with),
        )
        self._rows[job.id] = row
        with self._manifest.open("a", encoding="utf-8") as file:
            file.write(_manifest_line(row))
            file.flush()
            os.fsync(file.fileno())
        return row

    def where(self, row: ManifestRow) -> str:
        """The folder of a gallery, for messages."""
        return str(self._galleries / row.job)

    def image_paths(self, row: ManifestRow) -> list[Path]:
        return [self._galleries / row.job / f"{member}.png" for member in range(len(row.images))]

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
                    f"{path} is not the image that was committed; "
                    f"remove the folder {path.parent} and run again to make it anew"
                )
            with Image.open(io.BytesIO(data)) as image:
                images.append(np.asarray(image.convert("RGB")))
        return np.stack(images)

    def _read_manifest(self) -> tuple[dict[str, ManifestRow], list[str]]:
        """Rows by job, the last one standing, and the lines that are no rows."""
        rows, damaged = {}, []
        if self._manifest.is_file():
            # "replace" keeps a flipped bit from hiding the lines around it
            for line in self._manifest.read_text(encoding="utf-8", errors="replace").splitlines():
                try:
                    fields = json.loads(line)
                    fields["images"] = tuple(fields["images"])
                    fields["loss"] = tuple(fields["loss"])
                    fields["drift"] = Drift(**fields["drift"])
                    row = ManifestRow(**fields)
                except (ValueError, TypeError, KeyError):
                    damaged.append(line)
                else:
                    rows[row.job] = row
        return rows, damaged


def image_metadata(path: Path) -> dict:
    """How an image of a store was made: the cell's inputs, its job, its member index, its batch."""
    try:
        with Image.open(path) as image:
            text = getattr(image, "text", {})  # no PNG has none
    except OSError as error:
        raise UsageError(f"{path} cannot be read as an image: {error}") from error
    if METADATA_KEY not in text:
        raise UsageError(f"{path} does not say how it was made; it is no image of this suite")
    return json.loads(text[METADATA_KEY])


def _png(image: np.ndarray, metadata: Mapping) -> bytes:
    """A PNG file whose bytes depend on nothing but the pixels and the metadata."""
    text = PngImagePlugin.PngInfo()
    text.add_text(METADATA_KEY, json.dumps(metadata, sort_keys=True))
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="PNG", pnginfo=text)
    return buffer.getvalue()


def _manifest_line(row: ManifestRow) -> str:
    return json.dumps(asdict(row), sort_keys=True) + "\n"


def replace_file(path: Path, data: bytes) -> None:
    """Replaces a file as a whole, never leaving half of it."""
    temporary = path.with_name(f".{path.name}")
    _write_flushed(temporary, data)
    os.replace(temporary, path)


def _write_flushed(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
