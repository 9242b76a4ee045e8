"""The paper's method: the object's noise is refined in a coupled background (4.2, equation 3).

From the start of object inversion, Adam moves the object's noise until the object is the picture's
(`coupling.optimizers.foreground`); the background stays what the coupling drew. One run gives the
gallery after each of several numbers of steps: they are committed together, K images for each, and
a table shows one of them.
"""

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from coupling.optimizers.foreground import refine_foreground
from experiments.errors import UsageError
from experiments.methods.objects.given import Given
from experiments.methods.objects.inversion import around_object, invert, shared_object
from experiments.methods.objects.method import Edit, ObjectMethod
from experiments.methods.stopwatch import Stopwatch
from experiments.models.model import Model
from experiments.tasks.objects import ObjectJob


@dataclass(frozen=True)
class Refined(ObjectMethod):
    """Object inversion, then Adam on the object's noise through the whole sampler.

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
        start = around_object(invert(model, given, timed), given.regions, noise)
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

    def target(self, job: ObjectJob) -> Tensor:
        return shared_object(job, self.coupling.correlation)

    def _images(self, model: Model, rows: Given, noise: Tensor) -> Tensor:
        """G: noises (N, C, h, w) -> images (N, 3, H, W), differentiable."""
        checkpointed = self.checkpointed and noise.requires_grad and torch.is_grad_enabled()
        latents = model.sample(noise, rows.condition, checkpointed=checkpointed)
        return model.decode(latents)
