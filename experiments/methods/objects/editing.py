"""Baselines that edit the picture instead of its noise.

    SDEdit        noised to `strength`, sampled from there, the object pasted back
    Blending      the object's latents put back after every step of the sampler
    Inpainting    a network that was trained to fill in what is masked

The first two are in `experiments.models.editing`, the third in `experiments.models.inpainting`.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from experiments.errors import UsageError
from experiments.methods.objects.given import Given
from experiments.methods.objects.method import Edit, ObjectMethod, sample
from experiments.methods.stopwatch import Stopwatch
from experiments.models.editing import blend, sdedit
from experiments.models.inpainting import StableDiffusionInpainting
from experiments.models.model import Model


@dataclass(frozen=True)
class SDEdit(ObjectMethod):
    """SDEdit; the object's pixels are the picture's."""

    strength: float

    def edit(self, model: Model, given: Given, noise: Tensor, timed: Stopwatch) -> Edit:
        rows = given.repeated(self.size)
        with timed("denoise"):
            latents = sdedit(model, rows.clean, noise, rows.condition, strength=self.strength)
        with timed("decode"):
            images = model.decode(latents)
        pasted = torch.where(rows.masks.unsqueeze(1), rows.images, images)
        steps = int(model.process.num_steps * self.strength)
        return Edit(pasted, noise, passes={"sample": steps * self.size})


@dataclass(frozen=True)
class Blending(ObjectMethod):
    """Latent blending; the object is what the decoder makes of its latents."""

    def edit(self, model: Model, given: Given, noise: Tensor, timed: Stopwatch) -> Edit:
        rows = given.repeated(self.size)
        with timed("denoise"):
            latents = blend(model, rows.clean, noise, rows.condition, keep=rows.regions)
        with timed("decode"):
            images = model.decode(latents)
        return Edit(images, noise, passes={"sample": model.process.num_steps * self.size})


@dataclass(frozen=True)
class Inpainting(ObjectMethod):
    """An inpainting model at strength 1, the mask's inverse to be filled in."""

    def check(self, model: Model) -> None:
        """Raises UsageError if the model is no inpainting model."""
        super().check(model)
        if not isinstance(model, StableDiffusionInpainting):
            raise UsageError("method=inpainting needs an inpainting model: set model=sd15_inpaint")

    def edit(self, model: Model, given: Given, noise: Tensor, timed: Stopwatch) -> Edit:
        assert isinstance(model, StableDiffusionInpainting)  # see `check`
        rows = given.repeated(self.size)
        condition = model.with_known(rows.condition, images=rows.images, keep=rows.masks)
        images = sample(model, noise, condition, timed)
        return Edit(images, noise, passes={"sample": model.process.num_steps * self.size})
