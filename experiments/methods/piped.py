"""Galleries of any pipeline: base noise -> coupling -> optimiser -> pipeline -> images."""

from collections import Counter
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from coupling.optimizers.base import Judge
from experiments.errors import UsageError
from experiments.galleries.gallery import Gallery
from experiments.methods.coupled import Coupled
from experiments.methods.method import Method, Stopwatch
from experiments.models.first_step import estimate
from experiments.models.model import Model
from experiments.models.pipeline import Pipeline
from experiments.models.pixels import to_uint8
from experiments.tasks.job import Job


class Piped(Coupled):
    """`Coupled` for a model that is a black box, in which nothing steers."""

    opaque: ClassVar[bool] = True

    def check(self, model: Model, jobs: Sequence[Job]) -> None:
        """Raises UsageError, too, for an optimiser that wants a gradient through the network, or
        a scheduler that tells no clean estimate.
        """
        Method.check(self, model, jobs)
        if self.steering:
            raise UsageError("steering: it acts inside a black box; choose steering=none")
        if not (self.optimizer and isinstance(model, Pipeline)):
            return
        if self.optimizer.shifts or self.differentiated(1):
            raise UsageError(
                f"optimizer: {model.kind.__name__} is a black box, without a gradient or a table "
                "of alphas: choose optimizer=cno, preview, reward or none"
            )
        if not model.noise_shape:  # a sketch, whose scheduler is at its start
            estimate(model.pipe.scheduler, model.pipe.scheduler.timesteps[0], **model.eta)
            return
        shape, side = model.noise_shape, len(model.noise_shape)
        if side < 3 or abs(shape[-2] / shape[-1] / model.aspect - 1) > 0.01:
            raise UsageError(
                f"optimizer: {model.kind.__name__} draws {shape}, which does not end in the rows "
                "and columns of an image: choose optimizer=none"
            )
        self._try(self.optimizer, shape, Silent(model, jobs, rows=self.coupling.size))

    def cost(self, model: Model) -> None:
        """Nobody can tell: what a pipeline calls is its own."""

    @torch.no_grad()
    def make(
        self, model: Model, jobs: Sequence[Job], *, seed: int, members: range
    ) -> list[Gallery]:
        assert isinstance(model, Pipeline)  # `check`
        timed, size = Stopwatch(model.device), self.coupling.size
        first = FirstStep(model, jobs, rows=size)
        noise, losses = self._noises(model, jobs, first, timed, seed=seed)
        made = slice(members.start, members.stop)
        with timed("denoise"):
            images = model.images(jobs, noise[:, made], self.coupling, seed=seed, members=made)
            pixels = to_uint8(images.flatten(0, 1)).cpu()
        return self.galleries(
            jobs,
            pixels.unflatten(0, images.shape[:2]),
            _picture(noise[:, : members.stop]),
            losses,
            first=members.start,
            seconds=timed.seconds,
            passes={"sample": model.num_steps * len(members), **first.passes},
            rows=None,
        )


class FirstStep:
    """A pipeline's first step as noise optimisers see it, for the galleries of `jobs`.

    rows: the most images in one call; passes: guided network passes of one gallery's images.
    """

    def __init__(self, model: Pipeline, jobs: Sequence[Job], *, rows: int) -> None:
        self._model, self._jobs, self._rows = model, jobs, rows
        self.num_steps = model.num_steps
        self.passes: Counter[str] = Counter()

    def output(self, noise: Tensor, *, checkpointed: bool = False) -> Tensor:
        """The guided output at noise (G, n, ...), of the same shape, without a gradient."""
        self.passes["forward"] += noise.shape[1]
        outputs = []
        for job, gallery in zip(self._jobs, noise.detach(), strict=True):
            for rows in gallery.split(self._rows):
                self._entry, output = self._model.first_output(job, rows)
                outputs.append(output)
        return torch.cat(outputs).view(noise.shape)

    def branches(self, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Raises UsageError: a pipeline guides within its call."""
        raise UsageError("optimizer: a black box does not tell its two branches apart")

    def ahead(self, x: Tensor, step: int) -> tuple[Tensor, Tensor]:
        """Raises UsageError: a pipeline runs through its steps within its call."""
        raise UsageError("optimizer: a black box shows its first step alone; choose preview")

    def judged(self, clean: Tensor, judge: Judge) -> tuple[Tensor, Tensor]:
        """Raises UsageError: a pipeline decodes within its call."""
        raise UsageError("optimizer: a black box does not decode its estimates")

    def clean(self, noise: Tensor, output: Tensor) -> Tensor:
        """Tweedie's estimate as a picture, (G, n, C, h, w)."""
        return _picture(self._entry.clean(noise, output))


class Silent(FirstStep):
    """The same with a network that always says 0."""

    def output(self, noise: Tensor, *, checkpointed: bool = False) -> Tensor:
        return torch.zeros_like(noise)

    def clean(self, noise: Tensor, output: Tensor) -> Tensor:
        return _picture(noise)


def _picture(x: Tensor) -> Tensor:
    """Drawn noises as (G, n, C, h, w): what comes before h is channels."""
    return x.flatten(2, -3)
