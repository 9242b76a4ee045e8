"""Galleries from coupled noises: base noise -> coupling -> optimiser -> sampler -> images."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch

from coupling.optimizers.base import NoiseOptimizer, couple
from experiments.errors import UsageError
from experiments.galleries.gallery import Gallery
from experiments.methods.first_step import FirstStep
from experiments.methods.method import Method, Stopwatch, base_noises
from experiments.models.model import Model, repeat_rows, to_uint8
from experiments.tasks.job import Job


@dataclass(frozen=True)
class Coupled(Method[Job]):
    """The paper's method, and with an iid coupling everybody's.

    The noise of a gallery is a function of (seed, job, coupling, optimizer, model) alone, and
    without an optimiser of the first three.
    """

    optimizer: NoiseOptimizer | None

    around_objects: ClassVar[bool] = False

    def __post_init__(self) -> None:
        try:
            if self.optimizer:
                self.optimizer.base_size(self.coupling)
        except ValueError as error:
            raise UsageError(f"optimizer: {error}") from error

    @torch.no_grad()
    def make(
        self, model: Model, jobs: Sequence[Job], *, seed: int, members: range
    ) -> list[Gallery]:
        timed = Stopwatch(model.device)
        with timed("encode"):
            condition = model.encode_prompts([job.prompt for job in jobs])
        first = FirstStep(model, condition, rows_per_pass=len(jobs) * self.coupling.size)
        coupling, optimizer = self.coupling, self.optimizer
        with timed("couple"):
            count = optimizer.base_size(coupling) if optimizer else coupling.base_size
            base = base_noises(model, jobs, seed=seed, count=count)
            if not optimizer:
                noise, losses = couple(base, coupling), torch.empty(len(jobs), 0)
        if optimizer:
            with timed("optimize"):
                states = list(optimizer.optimize(base, coupling, first))
            noise = states[-1].noise
            losses = torch.stack([state.loss for state in states], dim=1)
        started = noise[:, members.start : members.stop].flatten(0, 1)
        rows = repeat_rows(condition, len(members))
        with timed("denoise"):
            latents = model.sample(started, rows)
        with timed("decode"):
            pixels = to_uint8(model.decode(latents)).cpu()
        passes = {kind: count // len(jobs) for kind, count in first.passes.items()}
        return self.galleries(
            jobs,
            pixels.unflatten(0, (len(jobs), len(members))),
            noise[:, : members.stop],  # of a plan, the members that there are by now
            losses,
            first=members.start,
            seconds=timed.seconds,
            passes={"sample": model.process.num_steps * len(members), **passes},
        )
