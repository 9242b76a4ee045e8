"""Galleries from the noise that an image is inverted to: of all of it, or of its object alone.

    X_i = m z* + (1 - m) R_i

z* is the DDIM inversion of the picture (Song, Meng & Ermon, arXiv:2010.02502), m its mask on the
noise's pixels, R_i what a coupling drew. The object's noise is bitwise the same in the whole
gallery.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from experiments.methods.objects.given import Given
from experiments.methods.objects.method import Edit, ObjectMethod, sample
from experiments.methods.stopwatch import Stopwatch
from experiments.models.model import Model
from experiments.tasks.objects import ObjectJob


def invert(model: Model, given: Given, timed: Stopwatch) -> Tensor:
    """z* of every picture, (G, C, h, w), float32."""
    with timed("invert"):
        return model.invert(given.clean, given.condition).float()


def around_object(inverted: Tensor, regions: Tensor, noise: Tensor) -> Tensor:
    """X_i: inverted noises (G, C, h, w) on the objects of regions (G, h, w), and (G K, C, h, w) of
    the coupling's noise outside them.
    """
    count = len(noise) // len(inverted)
    inverted, regions = (x.repeat_interleave(count, 0) for x in (inverted, regions))
    return torch.where(regions.unsqueeze(1), inverted, noise)


def shared_object(job: ObjectJob, outside: Tensor) -> Tensor:
    """The correlation of X_i, (K, K): 1 on the object, the coupling's outside, by their areas."""
    share = job.region.double().mean()
    return share + (1 - share) * outside


@dataclass(frozen=True)
class Inversion(ObjectMethod):
    """DDIM inversion of the whole picture: a gallery of K times its reconstruction.

    Nothing of the coupling is used but its size.
    """

    def edit(self, model: Model, given: Given, noise: Tensor, timed: Stopwatch) -> Edit:
        inverted = invert(model, given, timed)
        images = sample(model, inverted, given.condition, timed)  # once: K times would be the same
        steps = model.process.num_steps
        return Edit(
            images=images.repeat_interleave(self.size, 0),
            noise=inverted.repeat_interleave(self.size, 0),
            passes={"invert": steps, "sample": steps},
        )


@dataclass(frozen=True)
class ObjectInversion(ObjectMethod):
    """The object's inverted noise in a background that the coupling draws; nothing is optimised."""

    def edit(self, model: Model, given: Given, noise: Tensor, timed: Stopwatch) -> Edit:
        start = around_object(invert(model, given, timed), given.regions, noise)
        images = sample(model, start, given.repeated(self.size).condition, timed)
        steps = model.process.num_steps
        return Edit(images, start, passes={"invert": steps, "sample": steps * self.size})

    def target(self, job: ObjectJob) -> Tensor:
        return shared_object(job, self.coupling.correlation)
