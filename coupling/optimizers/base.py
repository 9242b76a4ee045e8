"""What happens between the coupling and the sampler: noise optimisation, as a slot.

An optimiser turns base noises and a coupling into the noises that the sampler starts from. It sees
the model through its sampler's steps, mostly the first alone: the guided network output there, and
Tweedie's estimate of the clean image. Each is a generator of its states; the last state holds the
result.

Tensors are (G, n, C, h, w): n noises of each of G galleries. Galleries never see each other: the
losses are summed and Adam is elementwise, so a gallery's result does not depend on its neighbours.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from coupling.law import Coupling
from coupling.validation import require_number, require_size


class Judge(Protocol):
    """What an image is worth."""

    def prepare(self) -> None:
        """Has all that it needs on this machine; raises an error that says what is not."""

    def __call__(self, images: Tensor, prompts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Images (G, n, 3, H, W) in [0, 1] of G prompts -> how well each shows its prompt, (G, n),
        and how far two of a gallery are apart, (G, n, n)."""


class Denoiser(Protocol):
    """The model in the sampler, for G galleries; without a step, at its first."""

    @property
    def num_steps(self) -> int:
        """Of the sampler."""

    def output(self, noise: Tensor, *, checkpointed: bool = False) -> Tensor:
        """The guided network output at noise (G, n, C, h, w), of the same shape.

        `checkpointed` recomputes the network in the backward pass instead of keeping it.
        """

    def branches(self, noise: Tensor) -> tuple[Tensor, Tensor]:
        """The outputs for the empty prompt and for the prompt, each of the shape of the noise."""

    def clean(self, noise: Tensor, output: Tensor) -> Tensor:
        """Tweedie's estimate."""

    def ahead(self, x: Tensor, step: int) -> tuple[Tensor, Tensor]:
        """Tweedie's estimate where a step begins, and x where it ends, from x (G, n, C, h, w)."""

    def judged(self, clean: Tensor, judge: Judge) -> tuple[Tensor, Tensor]:
        """What is said of estimates (G, n, C, h, w), decoded: (G, n) and (G, n, n)."""


@dataclass(frozen=True)
class State:
    """An optimiser after a step: the noises (G, K, C, h, w) and, before the step, the loss (G,)."""

    noise: Tensor
    loss: Tensor


class NoiseOptimizer(ABC):
    """From base noises and a coupling to the noises of a gallery."""

    @property
    def shifts(self) -> bool:
        """Whether the model is to read alpha one training step earlier than its network is told,
        here and in sampling."""
        return False

    def base_size(self, coupling: Coupling) -> int:
        """How many base noises a gallery is made from."""
        return coupling.base_size

    @abstractmethod
    def optimize(self, base: Tensor, coupling: Coupling, first: Denoiser) -> Iterator[State]:
        """Yields a state a step, from base noises (G, base_size, C, h, w)."""


class Refinement(NoiseOptimizer):
    """An optimiser that starts from the coupled noises and moves them."""

    def optimize(self, base: Tensor, coupling: Coupling, first: Denoiser) -> Iterator[State]:
        return self.refine(couple(base, coupling), first)

    @abstractmethod
    def refine(self, noise: Tensor, first: Denoiser) -> Iterator[State]:
        """Yields a state a step, from coupled noises (G, K, C, h, w)."""


def require_descent(optimizer: Any) -> None:
    """Raises ValueError unless it has numbers for Adam and for pooling."""
    require_size(optimizer.num_steps, "num_steps", least=0)
    require_number(optimizer.learning_rate, "learning_rate")
    require_size(optimizer.window, "window", least=1)


def couple(base: Tensor, coupling: Coupling) -> Tensor:
    """Base noises (G, >= m, C, h, w) -> coupled noises (G, K, C, h, w)."""
    return torch.stack([coupling.couple(gallery) for gallery in base])


def pooled(x: Tensor, window: int) -> Tensor:
    """Estimates (..., C, H, W) pooled to (..., C, window, window).

    Raises ValueError for a window larger than H or W.
    """
    if not 1 <= window <= min(x.shape[-2:]):
        raise ValueError(
            f"window = {window} must be from 1 to the latent's side: {x.shape[-2]} x {x.shape[-1]}"
        )
    return adaptive_avg_pool2d(x.flatten(end_dim=-4), window).unflatten(0, x.shape[:-3])


def descend(
    noise: Tensor,
    loss_of: Callable[[Tensor], Tensor],
    *,
    num_steps: int,
    learning_rate: float,
    project: Callable[[Tensor], Tensor] | None = None,
    scale: float = 1.0,
) -> Iterator[State]:
    """Adam on the noises (Kingma & Ba, arXiv:1412.6980, betas 0.9 and 0.999), a state a step.

    `loss_of` gives each gallery's loss, (G, K, C, h, w) -> (G,). It is called once a step.
    `project` replaces the noises after every step. What runs backwards through the network is
    `scale` times the loss, for the range of half precision; Adam sees the gradient itself.

    Raises FloatingPointError where a loss or its gradient is not finite.
    """
    variable = noise.detach().clone().requires_grad_(True)
    adam = torch.optim.Adam([variable], lr=learning_rate)
    for step in range(num_steps):
        with torch.enable_grad():
            loss = loss_of(variable)
            (gradient,) = torch.autograd.grad(scale * loss.sum(), variable)
        variable.grad = gradient / scale
        for name, value in (("loss", loss), ("gradient", gradient)):
            if not value.isfinite().all():
                raise FloatingPointError(
                    f"step {step} of noise optimisation: the {name} is not finite; "
                    "set model.dtype=bfloat16 or float32"
                )
        adam.step()
        if project is not None:
            with torch.no_grad():
                variable.copy_(project(variable))
        yield State(noise=variable.detach().clone(), loss=loss.detach())
