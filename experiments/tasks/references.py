"""Images that whole rows of a table are held against: renderings, or the pictures of a folder."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from experiments.errors import UsageError
from experiments.inputs import pictures

STREAM = 5  # of scenes, beside those of training, assessment and pictures of objects
BATCH = 64


@dataclass(frozen=True)
class Renderings:
    """`count` scenes of the bundled model, which no other program has drawn."""

    count: int
    seed: int
    image_size: int

    @property
    def identity(self) -> dict[str, str]:
        return {"images": f"renderings-{self.count}-{self.seed}-{self.image_size}px"}

    def batches(self) -> Iterator[Tensor]:
        """Yields (N, 3, H, W), uint8."""
        from experiments.bedrooms import render, sample_scene

        scenes = (
            sample_scene(np.random.default_rng((STREAM, self.seed, index)))
            for index in range(self.count)
        )
        images = [torch.from_numpy(render(scene, self.image_size)[0]) for scene in scenes]
        yield from torch.stack(images).permute(0, 3, 1, 2).split(BATCH)


@dataclass(frozen=True)
class PictureFolder:
    """The pictures in a folder, in the order of their names.

    Raises:
        UsageError: there are none, or one cannot be read.
    """

    path: str

    @cached_property
    def files(self) -> list[Path]:
        there = sorted(Path(self.path).rglob("*"))
        found = [path for path in there if path.suffix.lower() in pictures.READ]
        if not found:
            raise UsageError(f"metrics.reference.path = {self.path} has no pictures")
        return found

    @property
    def identity(self) -> dict[str, str]:
        digest = hashlib.sha256()
        for file in self.files:
            digest.update(hashlib.sha256(file.read_bytes()).digest())
        return {"images": f"{len(self.files)}-{digest.hexdigest()[:16]}"}

    def batches(self) -> Iterator[Tensor]:
        """Yields (1, 3, H, W), uint8; they may differ in size."""
        for file in self.files:
            pixels = pictures.read(file, of=self.path).pixels
            yield torch.from_numpy(pixels).permute(2, 0, 1).unsqueeze(0)
