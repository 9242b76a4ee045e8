"""What a coupling is learned from: a model, prompts, a reward.

Step t takes the next `prompts_per_step` jobs of the list, round and round. Base noise is a pure
function of (seed, step, job), and of (seed, job) alone where a coupling is evaluated, so that all
couplings are evaluated on the same base noises.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from coupling import Coupling, base_noise
from coupling.learned import Batch
from experiments.models.model import Condition, Model, repeat_rows
from experiments.tasks.job import Job

Generate = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Problem:
    """Maximise the mean reward of the galleries that `model` makes for `jobs`.

    Attributes:
        reward: (G, K, 3, H, W) in [0, 1] -> (G,).
        estimator: (sample, decode) -> X (N, C, h, w) to images (N, 3, H, W), with a gradient:
            `coupling.learned.skip_gradient` or `full_gradient`.
    """

    model: Model
    jobs: Sequence[Job]
    reward: Callable[[Tensor], Tensor]
    estimator: Callable[[Generate, Generate], Generate]
    prompts_per_step: int
    seed: int

    def batch(self, step: int, *, base_size: int) -> Batch:
        """The base noises and the generator of a step."""
        first = step * self.prompts_per_step
        jobs = [self.jobs[(first + i) % len(self.jobs)] for i in range(self.prompts_per_step)]
        shape, members = self.model.noise_shape, range(base_size)
        base = [
            base_noise(shape, seed=self.seed, job=f"step {step}: {job.id}", members=members)
            for job in jobs
        ]
        return torch.stack(base), self._generator(jobs)

    @torch.no_grad()
    def evaluate(self, coupling: Coupling, jobs: Sequence[Job]) -> list[float]:
        """The reward of one gallery for each of `jobs`."""
        values = []
        for start in range(0, len(jobs), self.prompts_per_step):
            some = jobs[start : start + self.prompts_per_step]
            shape, seed = self.model.noise_shape, self.seed
            noise = torch.stack([coupling.sample(shape, seed=seed, job=job.id) for job in some])
            values += self.reward(self._generator(some)(noise)).tolist()
        return values

    def _generator(self, jobs: Sequence[Job]) -> Generate:
        """Galleries of noises (G, K, C, h, w) -> images (G, K, 3, H, W), for these G jobs."""

        def generate(noise: Tensor) -> Tensor:
            groups, size = noise.shape[:2]
            with torch.no_grad():
                prompts = self.model.encode_prompts([job.prompt for job in jobs])
                condition = repeat_rows(prompts, size)
            make = self.estimator(lambda x: sample(self.model, x, condition), self.model.decode)
            return make(noise.flatten(0, 1).to(self.model.device)).unflatten(0, (groups, size))

        return generate


def sample(model: Model, noise: Tensor, condition: Condition) -> Tensor:
    """`model.sample`, whose gradient, where one is recorded, keeps one step in memory at a time."""
    x = noise.to(model.device, model.dtype)
    for step in range(model.process.num_steps):
        x = checkpoint(model.advance, x, step, condition, use_reentrant=False)
    return x
