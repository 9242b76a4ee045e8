"""Galleries around a given object: a job is a picture, its object's mask and a prompt.

A job's id ends with a hash of all of them, so that another picture, or another mask of it, is
another gallery. Pictures that cannot be used are left out, each with a line that says why, and the
others go on.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from experiments.errors import UsageError
from experiments.inputs.settings import require_whole
from experiments.tasks.job import Job
from experiments.tasks.making import Making
from experiments.tasks.masks import latent_mask
from experiments.tasks.scenes import ObjectImage, Unusable


@dataclass(frozen=True)
class ObjectJob(Job):
    """A gallery that is to keep an object.

    Attributes:
        picture: the image and its mask.
        region: the mask on the pixels of the noise, (h, w) boolean.
    """

    picture: ObjectImage = field(compare=False, repr=False)
    region: Tensor = field(compare=False, repr=False)

    @property
    def title(self) -> str:
        """The name of the picture; all may have the same prompt."""
        return self.picture.id


@dataclass(frozen=True)
class Objects:
    """Galleries of `gallery_size` images, one around the object of each of `num_pictures`.

    Attributes:
        checkpoint: of a method that shows its gallery after several steps, the one to be shown;
            None for the last.
        patch: how many pixels of the image, to a side, one pixel of the model's noise stands for.
        threshold: how much of such a patch the object covers if it is to belong to it.
        source: count -> pictures, usable or not, as in `experiments.tasks.scenes`.
    """

    num_pictures: int
    gallery_size: int
    checkpoint: int | None
    patch: int
    threshold: float
    source: Callable[[int], list[ObjectImage | Unusable]]

    made_elsewhere = False

    def __post_init__(self) -> None:
        for name in ("num_pictures", "gallery_size", "patch"):
            require_whole(f"task.{name}", getattr(self, name), least=1)

    def jobs(self) -> list[ObjectJob]:
        """Raises UsageError if no picture can be used."""
        return self._usable[0]

    def making(self, method: Any) -> Making:
        """How `method` (see `experiments.methods`) answers these jobs.

        Raises:
            UsageError: it knows nothing of objects, or couples another number of noises.
        """
        if not method.around_objects:
            raise UsageError(
                "task=objects needs a method, such as method=refined; --help lists them"
            )
        if method.coupling.size != self.gallery_size:
            raise UsageError(
                f"coupling: it couples {method.coupling.size} noises, but task.gallery_size is "
                f"{self.gallery_size}; make them equal"
            )
        part = method.part(self.checkpoint)
        return Making(groups=("method",), gallery_size=method.size, part=part)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know of the pictures: who made the masks, and which are left out."""
        jobs, left_out = self._usable
        segmenters = dict.fromkeys(job.picture.segmenter for job in jobs)
        return (f"Masks of the objects: {'; '.join(segmenters)}.", *left_out)

    @cached_property
    def _usable(self) -> tuple[list[ObjectJob], tuple[str, ...]]:
        jobs, left_out = [], []
        for picture in self.source(self.num_pictures):
            try:
                jobs.append(self._job(picture))
            except UsageError as error:
                left_out.append(f"Left out: {error}.")
        if not jobs:
            raise UsageError(f"no picture can be used. {[*left_out, 'The source has none.'][0]}")
        return jobs, tuple(left_out)

    def _job(self, picture: ObjectImage | Unusable) -> ObjectJob:
        if isinstance(picture, Unusable):
            raise UsageError(f"{picture.id}: {picture.reason}")
        height, width = picture.image.shape[:2]
        if picture.mask.shape != (height, width):
            raise UsageError(
                f"{picture.id}: its mask is {' x '.join(map(str, picture.mask.shape))}, "
                f"the image {height} x {width}"
            )
        region = latent_mask(
            torch.from_numpy(picture.mask),
            shape=(height // self.patch, width // self.patch),
            threshold=self.threshold,
            name=picture.id,
        )
        name = f"{picture.id}-{_digest(picture, region)}"
        return ObjectJob(id=name, prompt=picture.prompt, picture=picture, region=region)


def _digest(picture: ObjectImage, region: Tensor) -> str:
    parts = [picture.prompt.encode()]
    for array in (picture.image, picture.mask, region.numpy()):
        parts += [str(array.shape).encode(), array.tobytes()]
    return hashlib.sha256(b"\n".join(parts)).hexdigest()[:8]
