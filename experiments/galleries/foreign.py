"""Other people's galleries: any folder of images, scored by the same code as ours.

    flat       DIR/*.png          K files a prompt, in the natural order of their names
    nested     DIR/*/*.png        one folder a prompt, K files in each
    listing    FILE.jsonl         one gallery a line: {"prompt": ..., "images": [K paths]}

Natural order puts 9.png before 10.png. Flat and nested folders take their prompts, in order, from
the prompt source of the configuration. The files are read, never written.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from experiments.errors import UsageError
from experiments.tasks.job import Job, jobs_of

IMAGES = {".png", ".jpg", ".jpeg", ".webp", ".bmp"}


@dataclass(frozen=True)
class ForeignEntry:
    """A gallery of somebody else's."""

    job: str
    prompt: str
    paths: tuple[Path, ...]

    @cached_property
    def digest(self) -> str:
        """One hash for the gallery: its scores are scores of exactly these files."""
        hashes = [hashlib.sha256(path.read_bytes()).hexdigest() for path in self.paths]
        return hashlib.sha256("".join(hashes).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Foreign:
    """The task of scoring the galleries of a folder, or of a listing.

    Attributes:
        path: a folder of images, a folder of such folders, or a `.jsonl` listing.
        num_prompts: how many galleries are scored, the first ones; None for all.
        gallery_size: K, how many images each gallery has.
        prompts: where the prompts of flat and nested folders come from.
    """

    path: str
    num_prompts: int | None
    gallery_size: int
    prompts: Callable[[int], list[str]]

    made_elsewhere = True
    notes = ()

    @property
    def folder(self) -> Path:
        return Path(self.path)

    def jobs(self) -> list[Job]:
        return [Job(id=entry.job, prompt=entry.prompt) for entry in self.entries.values()]

    @cached_property
    def entries(self) -> dict[str, ForeignEntry]:
        """The galleries by job id.

        Raises:
            UsageError: there are none, or one has not K images.
        """
        galleries = self._listed() if self.folder.is_file() else self._found()
        galleries = galleries[: self.num_prompts]
        for prompt, paths in galleries:
            if len(paths) != self.gallery_size:
                raise UsageError(
                    f"{self.path}: the gallery of {prompt!r} has {len(paths)} images, "
                    f"but task.gallery_size is {self.gallery_size}"
                )
            for path in paths:
                if not path.is_file():
                    raise UsageError(f"{self.path} lists {path}, which does not exist")
        jobs = jobs_of([prompt for prompt, _ in galleries])
        return {
            job.id: ForeignEntry(job=job.id, prompt=job.prompt, paths=tuple(paths))
            for job, (_, paths) in zip(jobs, galleries, strict=True)
        }

    def committed(self) -> Mapping[str, ForeignEntry]:
        return self.entries

    def where(self, entry: ForeignEntry) -> str:
        """The folder of a gallery, for messages."""
        return str(entry.paths[0].parent)

    def read(self, entry: ForeignEntry) -> np.ndarray:
        """The images of a gallery, (K, H, W, 3) uint8.

        Raises:
            UsageError: a file is no image, or not of the size of the others.
        """
        images = []
        for path in entry.paths:
            try:
                with Image.open(path) as image:
                    images.append(np.asarray(image.convert("RGB")))
            except (UnidentifiedImageError, OSError) as error:
                raise UsageError(f"{path} is no image that can be read: {error}") from error
            if images[-1].shape != images[0].shape:
                raise UsageError(
                    f"{path} has another size than {entry.paths[0]}; score equal sizes"
                )
        return np.stack(images)

    def _found(self) -> list[tuple[str, Sequence[Path]]]:
        if not self.folder.is_dir():
            raise UsageError(f"{self.path} is neither a folder nor a .jsonl listing; set task.path")
        folders = _natural(path for path in self.folder.iterdir() if path.is_dir())
        files = _images(self.folder)
        if files and len(files) % self.gallery_size:
            raise UsageError(
                f"{self.path} has {len(files)} images, which are no galleries of "
                f"{self.gallery_size}; set task.gallery_size"
            )
        flat = range(0, len(files), self.gallery_size)
        galleries = [files[start : start + self.gallery_size] for start in flat]
        galleries = galleries or list(filter(None, map(_images, folders)))
        if not galleries:
            raise UsageError(f"{self.path} has no images ({', '.join(sorted(IMAGES))})")
        return list(zip(self.prompts(len(galleries)), galleries, strict=True))

    def _listed(self) -> list[tuple[str, Sequence[Path]]]:
        beside = self.folder.parent  # relative paths are relative to the listing
        try:
            lines = map(json.loads, filter(None, self.folder.read_text("utf-8").splitlines()))
            return [(line["prompt"], [beside / name for name in line["images"]]) for line in lines]
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(
                f'{self.path} must have lines like {{"prompt": "...", "images": ["a.png"]}}'
            ) from error


def _images(folder: Path) -> list[Path]:
    return _natural(path for path in folder.iterdir() if path.suffix.lower() in IMAGES)


def _natural(paths: Iterable[Path]) -> list[Path]:
    """Sorts paths by name, the numbers in a name as numbers."""
    return sorted(paths, key=lambda path: [
        (int(part), "") if part.isdigit() else (-1, part)
        for part in re.split(r"(\d+)", path.name)
    ])  # fmt: skip
