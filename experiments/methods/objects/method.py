"""What all methods of the task share: a device batch of pictures in, a gallery for each out."""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from coupling.optimizers.base import couple
from experiments.errors import UsageError
from experiments.galleries.gallery import Gallery
from experiments.methods.method import Method, Stopwatch, base_noises
from experiments.models.condition import Condition, repeat_rows
from experiments.models.model import Model
from experiments.models.pixels import to_uint8
from experiments.tasks.objects import ObjectJob


@dataclass(frozen=True, eq=False)
class Given:
    """N rows of pictures, one a picture or one an image of its gallery; on the model's device.

    Attributes:
        condition: of the prompts.
        images: (N, 3, H, W) in [0, 1].
        masks: (N, H, W) boolean, true on the object.
        regions: the masks on the noise's pixels, (N, h, w) boolean.
        clean: the images' clean latents, (N, C, h, w).
    """

    condition: Condition
    images: Tensor
    masks: Tensor
    regions: Tensor
    clean: Tensor

    @classmethod
    def of(cls, model: Model, jobs: Sequence[ObjectJob]) -> "Given":
        """The pictures of jobs, a row a job, that fit the model (`ObjectMethod.check`)."""
        pixels = torch.from_numpy(np.stack([job.picture.image for job in jobs]))
        images = pixels.to(model.device).permute(0, 3, 1, 2) / 255
        masks = torch.from_numpy(np.stack([job.picture.mask for job in jobs]))
        return cls(
            condition=model.encode_prompts([job.prompt for job in jobs]),
            images=images,
            masks=masks.to(model.device),
            regions=torch.stack([job.region for job in jobs]).to(model.device),
            clean=model.encode_images(images),
        )

    def repeated(self, count: int) -> "Given":
        """Every row `count` times in a row: a row for each image of a gallery."""
        tensors = {name: value for name, value in vars(self).items() if name != "condition"}
        return Given(repeat_rows(self.condition, count), **repeat_rows(tensors, count))


@dataclass(frozen=True, eq=False)
class Edit:
    """What a method has made of G pictures.

    Attributes:
        images: (G n, 3, H, W) in [0, 1]; n = K, or K for each of its checkpoints.
        noise: what the sampler started from, at last, (G K, C, h, w).
        passes: network passes of one gallery, by kind.
        loss: of every picture, (G, s), where there is an optimiser.
    """

    images: Tensor
    noise: Tensor
    passes: Mapping[str, int]
    loss: Tensor | None = None


@dataclass(frozen=True)
class ObjectMethod(Method[ObjectJob]):
    """Makes galleries around objects, from the noises of a coupling."""

    around_objects: ClassVar[bool] = True

    def check(self, model: Model, jobs: Sequence[ObjectJob]) -> None:
        """Raises UsageError, too, for pictures of another size than the model's images, and for a
        patch that is not what a pixel of its noise stands for.
        """
        super().check(model, jobs)
        side = model.image_size
        for job in jobs:
            height, width = job.picture.image.shape[:2]
            if (height, width) != (side, side):
                raise UsageError(
                    f"{job.picture.id} is {height} x {width}, the model's images are "
                    f"{side} x {side}: prepare them at that size"
                )
            if job.region.shape != model.noise_shape[1:]:
                raise UsageError(
                    f"task.patch: a pixel of this model's noise stands for "
                    f"{side // model.noise_shape[1]} pixels of an image to a side"
                )

    def part(self, checkpoint: int | None) -> slice | None:
        """The images of a gallery that stand for it at a checkpoint; None for all.

        Raises:
            UsageError: there is no such checkpoint.
        """
        if checkpoint is not None:
            raise UsageError(
                f"task.checkpoint = {checkpoint}, but {type(self).__name__} has none; "
                "set it to null"
            )
        return None

    @abstractmethod
    def edit(self, model: Model, given: Given, noise: Tensor, timed: Stopwatch) -> Edit:
        """Makes the galleries of G given pictures from the coupling's noises, (G K, C, h, w)."""

    @torch.no_grad()
    def make(
        self, model: Model, jobs: Sequence[ObjectJob], *, seed: int, members: range
    ) -> list[Gallery]:
        """One gallery for each job, all in one device batch; `members` is all of them."""
        timed = Stopwatch(model.device)
        with timed("encode"):
            given = Given.of(model, jobs)
        with timed("couple"):
            base = base_noises(model, jobs, seed=seed, count=self.coupling.base_size)
            noise = couple(base, self.coupling).flatten(0, 1)
        edit = self.edit(model, given, noise.to(model.device), timed)
        galleries = (len(jobs), -1)
        return self.galleries(
            jobs,
            to_uint8(edit.images).cpu().unflatten(0, galleries),
            edit.noise.cpu().unflatten(0, galleries),
            torch.empty(len(jobs), 0) if edit.loss is None else edit.loss,
            seconds=timed.seconds,
            passes=edit.passes,
            rows=sum(edit.passes.values()) * model.rows_per_image(model.guidance),
        )


def decoded(model: Model, sampler: Callable[[], Tensor], timed: Stopwatch) -> Tensor:
    """The images of the latents that a sampler gives, (N, 3, H, W) in [0, 1]."""
    with timed("denoise"):
        latents = sampler()
    with timed("decode"):
        return model.decode(latents)
