"""What a coupling is learned from: a model, prompts, a reward.

Step t takes the next `prompts_per_step` jobs of the list, round and round. Base noise is a pure
function of (seed, step, job), and of (seed, job) alone where a coupling is evaluated, so that all
couplings are evaluated on the same base noises.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from coupling import Coupling, base_noise
from coupling.learned import Batch
from experiments.models.condition import repeat_rows
from experiments.models.model import Model
from experiments.tasks.job import Job

Generate = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Problem:
    """Maximise the mean reward of the galleries that a model makes for `jobs`.

    Attributes:
        load: loads the model, once however often it is called.
        reward: (G, K, 3, H, W) in [0, 1] -> (G,).
        estimator: (sample, decode) -> X (N, C, h, w) to images (N, 3, H, W), with a gradient:
            `coupling.learned.skip_gradient` or `full_gradient`.
    """

    load: Callable[[], Model]
    jobs: Sequence[Job]
    reward: Callable[[Tensor], Tensor]
    estimator: Callable[[Generate, Generate], Generate]
    prompts_per_step: int
    seed: int

    def batch(self, step: int, *, base_size: int) -> Batch:
        """The base noises and the generator of a step."""
        first = step * self.prompts_per_step
        jobs = [self.jobs[(first + i) % len(self.jobs)] for i in range(self.prompts_per_step)]
        model = self.load()
        draw = partial(base_noise, model.noise_shape, seed=self.seed, members=range(base_size))
        base = torch.stack([draw(job=f"step {step}: {job.id}") for job in jobs])
        return base, self._generator(model, jobs)

    @property
    def prompts(self) -> dict[str, Any]:
        """How many prompts there are, and a hash of them in their order."""
        text = "\n".join(job.prompt for job in self.jobs)
        return {"count": len(self.jobs), "sha256": hashlib.sha256(text.encode()).hexdigest()}

    @torch.no_grad()
    def evaluate(self, coupling: Coupling, jobs: Sequence[Job]) -> list[float]:
        """The reward of one gallery for each of `jobs`."""
        model, rewards = self.load(), []
        for start in range(0, len(jobs), self.prompts_per_step):
            some = jobs[start : start + self.prompts_per_step]
            noises = [
                coupling.sample(model.noise_shape, seed=self.seed, job=job.id) for job in some
            ]
            rewards += self.reward(self._generator(model, some)(torch.stack(noises))).tolist()
        return rewards

    def _generator(self, model: Model, jobs: Sequence[Job]) -> Generate:
        """Galleries of noises (G, K, C, h, w) -> images (G, K, 3, H, W), for these G jobs."""

        def generate(noise: Tensor) -> Tensor:
            groups, size = noise.shape[:2]
            with torch.no_grad():
                prompts = model.encode_prompts([job.prompt for job in jobs])
            condition = repeat_rows(prompts, size)
            sample = partial(model.sample, condition=condition, checkpointed=True)
            decode = partial(model.decode, checkpointed=True)
            images = self.estimator(sample, decode)(noise.flatten(0, 1).to(model.device))
            return images.unflatten(0, (groups, size))

        return generate
