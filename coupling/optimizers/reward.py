"""Direct reward optimisation: Adam on a gallery's spread itself, in the space of clean estimates.

    loss = - mean_{i<j} mean_p |x_i(p) - x_j(p)|^2
           + lambda mean_i ( |z_i|^2 / 2 - (D - 1) ln |z_i| )

x_i is the clean estimate of noise z_i at the first sampler step, pooled to (w, w). The second term
is minus the log density of the norm of a standard normal (chi) and keeps z_i on its shell: Eyring
et al. (ReNO), NeurIPS 2024, arXiv:2406.04312; whole galleries optimised directly:
arXiv:2601.00090. Both refine samples of a one-step model; here the first step's estimate stands for
the image, and the gradient is stopped at the network, so S steps cost S network passes.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from coupling.optimizers.base import Denoiser, Refinement, State, descend, pooled, require_descent
from coupling.validation import require_number


def squared_distances(x: Tensor, window: int) -> Tensor:
    """Mean squared difference of every pair of pooled estimates: (..., n, C, H, W) -> (..., n, n).

    Raises ValueError for a window larger than H or W.
    """
    flat = pooled(x, window).flatten(-3)
    return (flat.unsqueeze(-2) - flat.unsqueeze(-3)).square().mean(-1)


def of_pairs(distances: Tensor) -> Tensor:
    """Those of the pairs i < j: (..., n, n) -> (..., n (n - 1) / 2)."""
    size = distances.shape[-1]
    i, j = torch.triu_indices(size, size, offset=1, device=distances.device)
    return distances[..., i, j]


def chi_penalty(noise: Tensor) -> Tensor:
    """Minus the log density of each norm, up to a constant: (..., C, h, w) -> (...)."""
    norm = noise.flatten(-3).norm(dim=-1)
    return norm.square() / 2 - (noise.shape[-3:].numel() - 1) * norm.log()


@dataclass(frozen=True)
class PairwiseDistance(Refinement):
    """Moves the noises so that the clean estimates lie further apart.

    num_steps: of Adam, and of network passes; learning_rate: in units of the noise (standard
    deviation 1); window: w, the side that the estimates are pooled to; norm_weight: lambda of the
    chi penalty (ReNO: 0.01).
    """

    num_steps: int
    learning_rate: float
    window: int
    norm_weight: float

    def __post_init__(self) -> None:
        require_descent(self)
        require_number(self.norm_weight, "norm_weight")

    def refine(self, noise: Tensor, first: Denoiser) -> Iterator[State]:
        size = noise.shape[1]
        if size < 2:
            raise ValueError(f"a gallery of {size} has no pairs; use at least 2")

        def loss_of(z: Tensor) -> Tensor:
            with torch.no_grad():
                output = first.output(z)
            distances = squared_distances(first.clean(z, output), self.window)
            penalty = chi_penalty(z).mean(-1).to(distances.device)
            return self.norm_weight * penalty - of_pairs(distances).mean(-1)

        return descend(noise, loss_of, num_steps=self.num_steps, learning_rate=self.learning_rate)
