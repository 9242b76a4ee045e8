"""Baselines that edit the picture instead of its noise (see `experiments.models`)."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor

from experiments.errors import UsageError
from experiments.methods.method import Stopwatch
from experiments.methods.objects.method import Edit, Given, ObjectMethod, decoded
from experiments.models.editing import blend, sdedit, steps_taken
from experiments.models.inpainting import StableDiffusionInpainting
from experiments.models.model import Model
from experiments.tasks.objects import ObjectJob


@dataclass(frozen=True)
class SDEdit(ObjectMethod):
    """The picture noised to `strength`, and sampled from there; its object's pixels pasted back."""

    strength: float

    def check(self, model: Model, jobs: Sequence[ObjectJob]) -> None:
        """Raises UsageError for a strength that this sampler cannot take."""
        super().check(model, jobs)
        steps_taken(model, self.strength)

    def edit(self, model: Model, given: Given, noise: Tensor, timed: Stopwatch) -> Edit:
        rows = given.repeated(self.size)
        start = model, rows.clean, noise, rows.condition
        images = decoded(model, partial(sdedit, *start, strength=self.strength), timed)
        pasted = torch.where(rows.masks.unsqueeze(1), rows.images, images)
        steps = steps_taken(model, self.strength)
        return Edit(pasted, noise, passes={"sample": steps * self.size})


@dataclass(frozen=True)
class Blending(ObjectMethod):
    """Latent blending; the object is what the decoder makes of its latents."""

    def edit(self, model: Model, given: Given, noise: Tensor, timed: Stopwatch) -> Edit:
        rows = given.repeated(self.size)
        start = model, rows.clean, noise, rows.condition
        images = decoded(model, partial(blend, *start, keep=rows.regions), timed)
        return Edit(images, noise, passes={"sample": model.process.num_steps * self.size})


@dataclass(frozen=True)
class Inpainting(ObjectMethod):
    """A network trained to fill in what is masked, here all but the object, at strength 1."""

    fills_in: ClassVar[bool] = True

    def check(self, model: Model, jobs: Sequence[ObjectJob]) -> None:
        """Raises UsageError if the model is no inpainting model."""
        if not isinstance(model, StableDiffusionInpainting):
            raise UsageError("method=inpainting needs an inpainting model: set model=sd15_inpaint")
        super().check(model, jobs)

    def edit(self, model: Model, given: Given, noise: Tensor, timed: Stopwatch) -> Edit:
        assert isinstance(model, StableDiffusionInpainting)  # see `check`
        rows = given.repeated(self.size)
        condition = model.with_known(rows.condition, images=rows.images, keep=rows.masks)
        images = decoded(model, partial(model.sample, noise, condition), timed)
        return Edit(images, noise, passes={"sample": model.process.num_steps * self.size})
