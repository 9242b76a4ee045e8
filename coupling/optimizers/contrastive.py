"""Contrastive noise optimisation (CNO): a gallery's noises pushed apart, each held near itself.

Kim, Um & Ye, ICLR 2026, arXiv:2510.03813. With x_i the clean estimate of noise z_i at the first
sampler step, r_i the same estimate before optimisation, both pooled to (w, w) and normalised over
the channels at each place p, c_ij = <x_i, x_j> and a_i = <r_i, x_i>:

    loss = - mean_{i,p} log  exp(a_i / (gamma tau)) / ( exp(a_i / (gamma tau))
                                                        + sum_{j != i} exp(c_ij / tau) )

The gradient reaches z through Tweedie's formula alone, or through the network as well. The first
estimate is the reference, so S steps cost S network passes. The noises are not renormalised.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize

from coupling.optimizers.base import Denoiser, Refinement, State, descend, pooled, require_descent
from coupling.validation import require_a, require_number


def balanced_gamma(temperature: float, size: int) -> float:
    """gamma = 1 / (tau ln(B - 1) + 1), which balances attraction against B - 1 repulsions.

    >>> [round(balanced_gamma(0.1, size), 3) for size in (2, 3, 4, 5)]
    [1.0, 0.935, 0.901, 0.878]
    """
    if size < 2:
        raise ValueError(f"a contrastive batch of {size} has nothing to repel; use at least 2")
    return 1 / (temperature * math.log(size - 1) + 1)


def contrastive_loss(
    clean: Tensor,
    reference: Tensor,
    *,
    temperature: float,
    gamma: float,
    window: int,
    epsilon: float = 0.0,
) -> Tensor:
    """The loss of a gallery: clean and reference (B, C, H, W), B >= 2 -> a scalar.

    Leading dimensions are galleries of their own: (G, B, C, H, W) -> (G,). The settings are those
    of `Contrastive`. Raises ValueError: shapes that differ, B < 2, a window that does not fit.
    """
    if clean.shape != reference.shape or clean.dim() < 4:
        raise ValueError(
            f"clean {tuple(clean.shape)} and reference {tuple(reference.shape)} must be "
            "(..., B, C, H, W) and the same"
        )
    if clean.shape[-4] < 2:
        raise ValueError(f"a gallery of {clean.shape[-4]} has nothing to contrast; use at least 2")
    x, r = directions(clean, window), directions(reference, window)
    positive = (r * x).sum(-2) / (gamma * temperature)  # (..., B, P)
    negative = torch.einsum("...icp,...jcp->...ijp", x, x) / temperature
    itself = torch.eye(x.shape[-3], dtype=torch.bool, device=x.device).unsqueeze(-1)
    terms = [positive.unsqueeze(-2), negative.masked_fill(itself, -torch.inf)]
    if epsilon:
        terms.append(torch.full_like(terms[0], math.log(epsilon)))
    return (torch.cat(terms, dim=-2).logsumexp(-2) - positive).mean((-2, -1))


def directions(x: Tensor, window: int) -> Tensor:
    """(..., C, H, W) pooled to (window, window), unit vectors over C at each place: (..., C, P)."""
    return normalize(pooled(x, window).flatten(-2), dim=-2)


@dataclass(frozen=True)
class Contrastive(Refinement):
    """CNO with Adam.

    num_steps: S, the number of Adam steps and of network passes.
    learning_rate: of Adam, in units of the noise (standard deviation 1).
    temperature: tau > 0.
    gamma: > 0; below 1 it strengthens the attraction to the reference. None for `balanced_gamma` of
    the gallery's size (the paper).
    window: w, the side that the estimates are pooled to, at most H and W.
    through_network: backpropagate through the network too (the authors' release).
    checkpointed: recompute the network in the backward pass; saves memory, costs a pass a step.
    shifted: read alpha one training step earlier than the network is told, in sampling, too (the
    release).
    epsilon: added to the loss's denominator (the release: 1e-8).
    """

    num_steps: int
    learning_rate: float
    temperature: float
    gamma: float | None
    window: int
    through_network: bool
    checkpointed: bool
    shifted: bool
    epsilon: float

    def __post_init__(self) -> None:
        require_descent(self)
        require_number(self.temperature, "temperature", open_end=True)
        require_number(self.epsilon, "epsilon")
        if self.gamma is not None:
            require_number(self.gamma, "gamma", open_end=True)
        for name in ("through_network", "checkpointed", "shifted"):
            require_a(bool, getattr(self, name), name)

    @property
    def shifts(self) -> bool:
        return self.shifted

    def reference(self, noise: Tensor, first: Denoiser) -> Tensor | None:
        """What the estimates are held near; None for the first of them, which costs nothing."""
        return None

    def refine(self, noise: Tensor, first: Denoiser) -> Iterator[State]:
        gamma = self.gamma or balanced_gamma(self.temperature, noise.shape[1])
        reference = self.reference(noise, first)

        def loss_of(z: Tensor) -> Tensor:
            nonlocal reference
            with torch.set_grad_enabled(self.through_network):
                output = first.output(z, checkpointed=self.through_network and self.checkpointed)
            clean = first.clean(z, output)
            if reference is None:
                reference = clean.detach()
            return contrastive_loss(
                clean,
                reference,
                temperature=self.temperature,
                gamma=gamma,
                window=self.window,
                epsilon=self.epsilon,
            )

        return descend(noise, loss_of, num_steps=self.num_steps, learning_rate=self.learning_rate)


@dataclass(frozen=True)
class ReleasedContrastive(Contrastive):
    """CNO as its authors' release counts: the reference is a pass of its own, S + 1 in all.

    What else the release does otherwise (gamma, gradient, alpha, epsilon) are settings.
    """

    @torch.no_grad()
    def reference(self, noise: Tensor, first: Denoiser) -> Tensor:
        return first.clean(noise, first.output(noise))
