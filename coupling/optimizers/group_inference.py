"""Scaling Group Inference: candidates are judged and pruned while they are denoised.

Parmar et al., ICLR 2026, arXiv:2508.15773. All candidates of a gallery go through the sampler side
by side. In each step the n that are left are judged by their clean estimates, and max(m, ceil(keep
n)) of them are kept, until there are m: those that maximise

    sum_i u_i + lambda sum_{i<j} D_ij

with u_i how well estimate i shows the prompt and D_ij how far two are apart. Theirs goes on from
the states of the last m; here their noises are coupled, as base noises are, so sampling starts
again, and every step is guided, where their first is not. With an iid coupling the images are those
of the candidates that were kept. Subsets are found by `select`, without a solver of integer
programs.

Selection shifts the law: see `preview`, which is the case keep = 0 without a judge.
"""

from dataclasses import dataclass
from math import ceil

import torch
from torch import Tensor

from coupling.optimizers.base import Denoiser, Judge
from coupling.optimizers.preview import Preview, taken
from coupling.optimizers.reward import squared_distances
from coupling.validation import require_number


@dataclass(frozen=True)
class GroupInference(Preview):
    """Prunes the candidates step by step, and couples those that are left.

    keep: of the candidates in a step, in [0, 1); the last of the sampler's steps leaves m.
    diversity: lambda (the paper: 1.5).
    judge: says u and D (the paper: CLIP's cosine of text and image; 1 - DINOv2's of two images);
    None: u = 0, and D is the mean squared difference of the estimates, pooled to `window`.
    Otherwise as `Preview`.
    """

    keep: float
    diversity: float
    judge: Judge | None

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number(self.keep, "keep")
        require_number(self.diversity, "diversity")
        if self.keep >= 1:
            raise ValueError(f"keep = {self.keep} must be below 1: else none is pruned")

    def kept(self, base: Tensor, size: int, first: Denoiser) -> tuple[Tensor, Tensor]:
        x, worths = base, torch.zeros(len(base))
        kept = torch.arange(base.shape[1]).expand(base.shape[:2])
        for step in range(first.num_steps):
            if kept.shape[1] == size:
                break
            last = step + 1 == first.num_steps
            left = size if last else max(size, ceil(self.keep * kept.shape[1]))
            clean, x = first.ahead(x, step)
            if self.judge:
                quality, distances = (said.cpu() for said in first.judged(clean, self.judge))
            else:
                quality, distances = None, squared_distances(clean.float(), self.window).cpu()
            chosen, worths = self.chosen(self.diversity * distances, left, quality)
            x, kept = taken(x, chosen), kept.gather(1, chosen)
        return kept, worths
