"""What a method is given of a device batch of pictures: tensors on the model's device."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from coupling import Coupling, base_noise
from coupling.optimizers.base import couple
from experiments.errors import UsageError
from experiments.models.model import Condition, Model, repeat_rows
from experiments.tasks.objects import ObjectJob


@dataclass(frozen=True, eq=False)
class Given:
    """N rows of pictures, one a picture or one an image of its gallery.

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
        """The pictures of jobs, a row a job.

        Raises:
            UsageError: pictures of another size than the model's images, or a patch that is not
                what a pixel of its noise stands for.
        """
        for job in jobs:
            if job.picture.image.shape[:2] != (model.image_size, model.image_size):
                height, width = job.picture.image.shape[:2]
                raise UsageError(
                    f"{job.picture.id} is {height} x {width}, the model's images are "
                    f"{model.image_size} x {model.image_size}: prepare them at that size"
                )
            if job.region.shape != model.noise_shape[1:]:
                raise UsageError(
                    f"task.patch: a pixel of this model's noise stands for "
                    f"{model.image_size // model.noise_shape[1]} pixels of an image to a side"
                )
        pixels = np.stack([job.picture.image for job in jobs])
        images = torch.from_numpy(pixels).to(model.device).permute(0, 3, 1, 2) / 255
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


def coupled_noise(
    coupling: Coupling, jobs: Sequence[ObjectJob], *, shape: Sequence[int], seed: int
) -> Tensor:
    """The coupling's noises of every job, (G K, C, h, w), float32 on the CPU.

    Every method starts from the same base noises, so methods are compared in pairs.
    """
    streams = range(coupling.base_size)
    base = [base_noise(shape, seed=seed, job=job.id, members=streams) for job in jobs]
    return couple(torch.stack(base), coupling).flatten(0, 1)
