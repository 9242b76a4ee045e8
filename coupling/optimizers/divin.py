"""DivIn: a Langevin step away from noises whose image the prompt decides already.

arXiv:2606.02453 (ICML 2026). With U(x) = |x_0(x, y) - x_0(x, null)|, the distance of Tweedie's
estimates at the first sampler step with the prompt and without,

    x <- x - eta (tau grad U(x) + x) + sqrt(2 eta) xi,    xi ~ N(0, I)

The gradient goes through the network: a forward and a backward pass of both branches. At tau = 0 it
is an Ornstein-Uhlenbeck step, of variance (1 - eta)^2 + 2 eta = 1 + eta^2.

Coupled noises X of correlation R stay coupled if xi is drawn by the same coupling (ours): the
covariance is then (1 - eta)^2 R + 2 eta R = (1 + eta^2) R, and the design survives the step.
Independent xi, as in the paper, leave (1 - eta)^2 R + 2 eta I.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from coupling.law import Coupling
from coupling.optimizers.base import Denoiser, NoiseOptimizer, State, couple
from coupling.validation import require_a, require_number


@dataclass(frozen=True)
class DivIn(NoiseOptimizer):
    """One Langevin step.

    eta: of the step (the paper: 0.05 for SD1, 0.01 for SD3); tau: of the gradient (0.6, 0.1);
    coupled: xi is drawn by the coupling of the noises, not independently.
    """

    eta: float
    tau: float
    coupled: bool

    through_network: ClassVar[bool] = True

    def __post_init__(self) -> None:
        require_number(self.eta, "eta")
        require_number(self.tau, "tau")
        require_a(bool, self.coupled, "coupled")

    def base_size(self, coupling: Coupling) -> int:
        """Those of the noises, then those of xi."""
        return coupling.base_size + (coupling.base_size if self.coupled else coupling.size)

    def optimize(self, base: Tensor, coupling: Coupling, first: Denoiser) -> Iterator[State]:
        """The one state; its loss is U, the mean over a gallery.

        Raises FloatingPointError where the gradient is not finite.
        """
        x, rest = couple(base, coupling), base[:, coupling.base_size :]
        xi = couple(rest, coupling) if self.coupled else rest
        with torch.enable_grad():
            z = x.clone().requires_grad_(True)
            null, prompted = first.branches(z)
            apart = (first.clean(z, prompted) - first.clean(z, null)).flatten(2).norm(dim=-1)
            (gradient,) = torch.autograd.grad(apart.sum(), z)
        if not gradient.isfinite().all():
            raise FloatingPointError("DivIn: the gradient is not finite; set model.dtype=float32")
        moved = x - self.eta * (self.tau * gradient + x) + math.sqrt(2 * self.eta) * xi
        yield State(noise=moved, loss=apart.detach().mean(1))
