"""What all methods of the task share: a device batch of pictures in, a gallery for each out."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from experiments.errors import UsageError
from experiments.galleries.gallery import Gallery
from experiments.methods.method import Method
from experiments.methods.objects.given import Given, coupled_noise
from experiments.methods.stopwatch import Stopwatch
from experiments.models.model import Condition, Model, to_uint8
from experiments.tasks.objects import ObjectJob


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
        """Makes the galleries of pictures, a row each in `given`, from the coupling's noises
        (G K, C, h, w).
        """

    @torch.no_grad()
    def make(
        self, model: Model, jobs: Sequence[ObjectJob], *, seed: int, members: range
    ) -> list[Gallery]:
        """One gallery for each job, all in one device batch. They are made whole: `members` is
        all of them.
        """
        timed = Stopwatch(model.device)
        with timed("encode"):
            given = Given.of(model, jobs)
        with timed("couple"):
            noise = coupled_noise(self.coupling, jobs, shape=model.noise_shape, seed=seed)
        edit = self.edit(model, given, noise.to(model.device), timed)
        galleries = (len(jobs), -1)
        return self.galleries(
            jobs,
            to_uint8(edit.images).cpu().unflatten(0, galleries),
            edit.noise.cpu().unflatten(0, galleries),
            torch.empty(len(jobs), 0) if edit.loss is None else edit.loss,
            seconds=timed.seconds,
            passes=edit.passes,
        )


def sample(model: Model, noise: Tensor, condition: Condition, timed: Stopwatch) -> Tensor:
    """Noises (N, C, h, w) -> images (N, 3, H, W) in [0, 1]."""
    with timed("denoise"):
        latents = model.sample(noise, condition)
    with timed("decode"):
        return model.decode(latents)
