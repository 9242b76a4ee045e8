"""Learned couplings: the matrix A of Theorem 3.3 that maximises a reward of galleries.

    max_A  E[ reward(G(X_1), ..., G(X_K)) ],   X = A Z,   Z_1, ..., Z_m iid N(0, I_D),   |A_i| = 1

by stochastic gradient ascent (equation (2) and appendix B.1.5 of arXiv:2605.11311). A has K m
numbers and no prompt in it, so that what was learned once serves every prompt at no cost. `learn`
yields its state after every step; handed back, a state continues as if nothing had happened.

The gradient reaches A through X by one of two estimators. `full_gradient` differentiates the
sampler. `skip_gradient` runs the sampler without a gradient, z0 = sample(X), and decodes

    z~ = X + stopgrad(z0 - X),

which has the value of z0 and takes the sampler's Jacobian for the identity: cheap, and biased.

Where the paper is silent, we chose. The update is Adam (Kingma & Ba, ICLR 2015), whose rate falls
linearly to zero: at a constant one the matrix trembles about the optimum by as much as a step. The
gradient's part along each row, which the projection back to unit rows would undo, is removed before
Adam sees it: it would only swell the second moment. Adam is written out because a state holds its
moments; and it adds epsilon before the bias correction, as the end of Adam's section 2 does, where
torch adds it after.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from coupling.law import Coupling
from coupling.matrix import MatrixCoupling, from_matrix
from coupling.named import repulsive
from coupling.validation import as_number, require_integer, require_size

BETAS, EPSILON = (0.9, 0.999), 1e-8  # Adam's own defaults
GRADIENT_SCALE = 2.0**12  # a decoder in half precision would lose a mean's small gradients

Batch = tuple[Tensor, Callable[[Tensor], Tensor]]
"""Base noises (G, >= m, *shape), and a generator: noises (G, K, *shape) -> images (G, K, ...)."""


@dataclass(frozen=True)
class LearningState:
    """Where learning stands after `step` updates: A and Adam's moments, all (K, m), float64.

    The rows of A have norm 1; reward and gradient_norm (of the gradient tangent to the unit rows)
    are those of the minibatch that led here, nan at the start.
    """

    step: int
    matrix: Tensor
    first_moment: Tensor
    second_moment: Tensor
    reward: float = math.nan
    gradient_norm: float = math.nan

    @classmethod
    def start(cls, coupling: MatrixCoupling) -> "LearningState":
        """Before the first step, at the matrix of `coupling`."""
        zero = torch.zeros_like(coupling.matrix)
        return cls(0, coupling.matrix, zero, zero)

    @property
    def correlation(self) -> Tensor:
        """R = A A^T, (K, K), float64."""
        return self.matrix @ self.matrix.T


def random_coupling(size: int, base_size: int, *, seed: int) -> MatrixCoupling:
    """K = `size` unit vectors drawn uniformly from the sphere of R^m, m = `base_size` >= 1."""
    size = require_size(size, "K", least=1)
    return _unit_rows(_gaussian(size, require_size(base_size, "m", least=1), seed=seed))


def near_repulsive(size: int, *, noise: float, seed: int) -> MatrixCoupling:
    """The repulsive coupling, each entry of A moved by N(0, noise^2): off its saddle, if it is one.

    Raises ValueError for a negative `noise`.
    """
    noise = as_number(noise, "noise")
    if not noise >= 0:
        raise ValueError(f"noise = {noise:g} is not a standard deviation; valid is >= 0")
    matrix = repulsive(size).matrix
    return _unit_rows(matrix + noise * _gaussian(*matrix.shape, seed=seed))


def skip_gradient(
    sample: Callable[[Tensor], Tensor], decode: Callable[[Tensor], Tensor]
) -> Callable[[Tensor], Tensor]:
    """X -> decode(z~), the gradient skipping `sample`; noises and samples are of one shape."""

    def generate(noise: Tensor) -> Tensor:
        with torch.no_grad():
            shift = sample(noise).to(noise) - noise
        return decode(noise + shift)

    return generate


def full_gradient(
    sample: Callable[[Tensor], Tensor], decode: Callable[[Tensor], Tensor]
) -> Callable[[Tensor], Tensor]:
    """X -> decode(sample(X)), with the gradient through both."""
    return lambda noise: decode(sample(noise))


def learn(
    state: LearningState,
    *,
    batch: Callable[[int], Batch],
    reward: Callable[[Tensor], Tensor],
    num_steps: int,
    learning_rate: float,
    within: Callable[[Coupling], Coupling] = lambda learned: learned,
) -> Iterator[LearningState]:
    """Yields the state after every step up to `num_steps`, counted from the very start.

    batch: the base noises and the generator of step 0, 1, ...; a function of the step alone.
    reward: images (G, K, ...) -> (G,), to be large; differentiable. The rate of step t is
    learning_rate (1 - t / num_steps), about how far an entry of A moves at first. within: puts the
    learned coupling into a larger one, as `partial(subspace, P, outside=...)` with `inside` left
    open does; by default it acts on the whole noise.
    Raises FloatingPointError: the gradient is not finite.
    """
    for step in range(state.step, num_steps):
        base, generate = batch(step)
        matrix = state.matrix.clone().requires_grad_()
        with torch.enable_grad():
            law = within(_Differentiable(matrix))
            noise = law.couple(base.transpose(0, 1)).transpose(0, 1)  # all galleries in one call
            value = reward(generate(noise)).mean()
            (gradient,) = torch.autograd.grad(GRADIENT_SCALE * value, matrix)
        gradient = gradient / GRADIENT_SCALE
        if not gradient.isfinite().all():
            raise FloatingPointError(f"the reward's gradient at step {step} is not finite")
        gradient = gradient - (gradient * state.matrix).sum(1, keepdim=True) * state.matrix
        first = BETAS[0] * state.first_moment + (1 - BETAS[0]) * gradient
        second = BETAS[1] * state.second_moment + (1 - BETAS[1]) * gradient.square()
        unbiased = math.sqrt(1 - BETAS[1] ** (step + 1)) / (1 - BETAS[0] ** (step + 1))
        rate = learning_rate * (1 - step / num_steps)
        ascent = rate * unbiased * first / (second.sqrt() + EPSILON)
        state = LearningState(
            step=step + 1,
            matrix=_unit_rows(state.matrix + ascent).matrix,
            first_moment=first,
            second_moment=second,
            reward=value.item(),
            gradient_norm=gradient.norm().item(),
        )
        yield state


class _Differentiable(MatrixCoupling):
    """X = A Z, differentiable in A, too: as one matrix product, whose gradient is another."""

    def __post_init__(self) -> None:
        """A is the variable itself, no checked copy of it."""

    def transform(self, base: Tensor) -> Tensor:
        return torch.tensordot(self.matrix.to(base), base, dims=1)


def _unit_rows(matrix: Tensor) -> MatrixCoupling:
    return from_matrix(matrix / torch.linalg.vector_norm(matrix, dim=1, keepdim=True))


def _gaussian(rows: int, columns: int, *, seed: int) -> Tensor:
    generator = torch.Generator("cpu").manual_seed(require_integer(seed, "seed"))
    return torch.randn(rows, columns, dtype=torch.float64, generator=generator)
