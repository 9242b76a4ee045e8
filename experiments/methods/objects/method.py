"""What all methods of the task share: a device batch of pictures in, a gallery for each out."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from coupling import Coupling
from coupling.drift import drift
from experiments.errors import UsageError
from experiments.galleries.gallery import Gallery
from experiments.methods.method import check_coupling
from experiments.methods.objects.given import Given, coupled_noise
from experiments.methods.stopwatch import Stopwatch
from experiments.models.model import Condition, Model, to_uint8
from experiments.tasks.objects import ObjectJob


@dataclass(frozen=True, eq=False)
class Edit:
    """What a method has made of G pictures.

    Attributes:
        images: (G, n, 3, H, W) in [0, 1]; n = K, or K for each of its checkpoints.
        noise: what the sampler started from, at last, (G, K, C, h, w).
        passes: network passes of one gallery, by kind.
        loss: of every picture, (G, s), where there is an optimiser.
    """

    images: Tensor
    noise: Tensor
    passes: Mapping[str, int]
    loss: Tensor | None = None

    @classmethod
    def of_rows(
        cls, images: Tensor, noise: Tensor, *, size: int, passes: Mapping[str, int]
    ) -> "Edit":
        """From rows of one image and one noise each, `size` rows a picture."""
        return cls(images.unflatten(0, (-1, size)), noise.unflatten(0, (-1, size)), passes)


@dataclass(frozen=True)
class ObjectMethod(ABC):
    """Makes galleries around objects, from the noises of a coupling."""

    coupling: Coupling

    around_objects: ClassVar[bool] = True

    @property
    def size(self) -> int:
        """How many images are made for a picture."""
        return self.coupling.size

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

    def check(self, model: Model) -> None:
        """Raises UsageError if the coupling is made for another model's noise."""
        check_coupling(self.coupling, model)

    @abstractmethod
    def edit(self, model: Model, given: Given, noise: Tensor, timed: Stopwatch) -> Edit:
        """`given` has a row a picture; `noise` (G K, C, h, w) is what the coupling drew for it."""

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
        pixels = to_uint8(edit.images.flatten(0, 1)).cpu().unflatten(0, edit.images.shape[:2])
        losses = [()] * len(jobs) if edit.loss is None else map(tuple, edit.loss.tolist())
        return [
            Gallery(
                job=job,
                images=images,
                seconds=timed.share(len(jobs)),
                passes=edit.passes,
                loss=loss,
                drift=drift(started.cpu(), self.target(job)),
                galleries_per_batch=len(jobs),
            )
            for job, images, started, loss in zip(
                jobs, pixels.numpy(), edit.noise, losses, strict=True
            )
        ]

    def target(self, job: ObjectJob) -> Tensor:
        """The correlation of the noises that the sampler starts from, (K, K)."""
        return self.coupling.correlation


def sample(model: Model, noise: Tensor, condition: Condition, timed: Stopwatch) -> Tensor:
    """Noises (N, C, h, w) -> images (N, 3, H, W) in [0, 1]."""
    with timed("denoise"):
        latents = model.sample(noise, condition)
    with timed("decode"):
        return model.decode(latents)
