"""Galleries from the noise that an image is inverted to: of all of it, or of its object alone.

    X_i = m z* + (1 - m) R_i

z* is the DDIM inversion of the picture (Song, Meng & Ermon, arXiv:2010.02502), m its mask on the
noise's pixels, R_i what a coupling drew. The object's noise is bitwise the same in the whole
gallery, until the paper's method refines it (4.2, equation 3).
"""

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from coupling.optimizers.foreground import refine_foreground
from experiments.errors import UsageError
from experiments.methods.method import Stopwatch
from experiments.methods.objects.method import Edit, Given, ObjectMethod, decoded
from experiments.models.model import Model
from experiments.tasks.objects import ObjectJob


def invert(model: Model, given: Given, timed: Stopwatch) -> Tensor:
    """z* of every picture, (G, C, h, w), float32."""
    with timed("invert"):
        return model.invert(given.clean, given.condition).float()


@dataclass(frozen=True)
class Inversion(ObjectMethod):
    """DDIM inversion of the whole picture: K times its reconstruction, K the coupling's size."""

    def edit(self, model: Model, given: Given, noise: Tensor, timed: Stopwatch) -> Edit:
        inverted = invert(model, given, timed)
        sampler = partial(model.sample, inverted, given.condition)  # once: K times would be equal
        images = decoded(model, sampler, timed)
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
        start = self.start(model, given, noise, timed)
        condition = given.repeated(self.size).condition
        images = decoded(model, partial(model.sample, start, condition), timed)
        steps = model.process.num_steps
        return Edit(images, start, passes={"invert": steps, "sample": steps * self.size})

    def start(self, model: Model, given: Given, noise: Tensor, timed: Stopwatch) -> Tensor:
        """X_i, (G K, C, h, w): the inverted noise on the objects, outside them the coupling's."""
        rows = invert(model, given, timed), given.regions.unsqueeze(1)
        inverted, regions = (each.repeat_interleave(self.coupling.size, 0) for each in rows)
        return torch.where(regions, inverted, noise)

    def target(self, job: ObjectJob) -> Tensor:
        """The correlation of X_i, (K, K): 1 on the object, the coupling's outside, by area."""
        share = job.region.double().mean()
        return share + (1 - share) * self.coupling.correlation


@dataclass(frozen=True)
class Refined(ObjectInversion):
    """The paper's method: object inversion, then Adam on the object's noise through the whole
    sampler, until the object is the picture's; the background stays what the coupling drew.

    One run gives the gallery after each of several numbers of steps: they are committed together,
    K images for each, and a table shows one of them.

    Attributes:
        learning_rate: Adam's.
        checkpoints: the numbers of steps after which the gallery is kept, growing.
        checkpointed: of the gradient: keep x of every sampler step alone and compute the rest again
            (`Model.sample`), for models whose graph of all steps would not fit the device.
    """

    learning_rate: float
    checkpoints: tuple[int, ...]
    checkpointed: bool

    def __post_init__(self) -> None:
        steps = list(self.checkpoints)
        if not steps or steps != sorted(set(steps)) or steps[0] < 0:
            raise UsageError(f"method.checkpoints = {steps} must be numbers of steps that grow")

    @property
    def size(self) -> int:
        return self.coupling.size * len(self.checkpoints)

    def differentiated(self, galleries: int) -> int:
        return galleries * self.coupling.size

    def part(self, checkpoint: int | None) -> slice:
        if checkpoint is None:
            checkpoint = self.checkpoints[-1]
        if checkpoint not in self.checkpoints:
            raise UsageError(
                f"task.checkpoint = {checkpoint} is none of method.checkpoints: "
                f"{', '.join(map(str, self.checkpoints))}"
            )
        first = list(self.checkpoints).index(checkpoint) * self.coupling.size
        return slice(first, first + self.coupling.size)

    def edit(self, model: Model, given: Given, noise: Tensor, timed: Stopwatch) -> Edit:
        count, last = self.coupling.size, self.checkpoints[-1]
        start = self.start(model, given, noise, timed)
        rows = given.repeated(count)
        kept, losses = [], []
        with timed("optimize"):
            for state in refine_foreground(
                partial(self._images, model, rows),
                start,
                references=rows.images,
                masks=rows.masks,
                regions=rows.regions,
                learning_rate=self.learning_rate,
                num_steps=last,
            ):
                losses.append(state.loss)
                if state.step in self.checkpoints:
                    kept.append(state.images.unflatten(0, (-1, count)))
        pixels = 3 * given.masks.sum((1, 2))  # so that the loss is the object's mean squared error
        steps = model.process.num_steps
        again = 2 if self.checkpointed else 1
        return Edit(
            images=torch.cat(kept, dim=1).flatten(0, 1),
            noise=state.noise,
            passes={
                "invert": steps,
                "forward": steps * count * (again * last + 1),
                "backward": steps * count * last,
            },
            loss=torch.stack(losses, -1).unflatten(0, (-1, count)).mean(1) / pixels.unsqueeze(1),
        )

    def _images(self, model: Model, rows: Given, noise: Tensor) -> Tensor:
        """G: noises (N, C, h, w) -> images (N, 3, H, W), differentiable; not clamped."""
        checkpointed = self.checkpointed and noise.requires_grad and torch.is_grad_enabled()
        latents = model.sample(noise, rows.condition, checkpointed=checkpointed)
        return model.unclamped(latents, checkpointed=checkpointed)
