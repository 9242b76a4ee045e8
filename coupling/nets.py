"""Randomised quasi-Monte-Carlo in the low frequencies: a gallery that covers them evenly.

Let c_i = Q^T Z_i, i < K, be the coefficients of base noise i in the lowest frequencies of the DCT
of every channel, d of them, Q orthonormal. They give way to a scrambled net, and nothing else does:

    X_i = Z_i + Q (x_i - c_i),   x_ik = Phi^{-1}((a_ik + v_ik) / K),   v_ik = 2 Phi(|c_ik|) - 1

a_ik in {0, ..., K-1} is the stratum of point p(i) of Sobol's net of K = 2^m points in coordinate k,
under Owen's nested scrambling (1995): each of the m bits of a stratum is flipped by a random bit of
its own for every choice of the bits before it, K - 1 flips a coordinate; p is a random permutation.

The law. The sign of c_ik is a fair bit, and v_ik uniform on [0, 1) and independent of it. Signs
of the first K - 1 noises are the flips, so a_ik is uniform whatever the net and p, in each k by
itself; hence (a_ik + v_ik) / K is uniform, x_i ~ N(0, I_d), independent of the rest of Z_i, and
X_i ~ N(0, I) exactly. Each coordinate of a gallery has one member in each stratum of probability
1/K. p is the order of the first K values of a base noise of its own, so members are exchangeable:
two of them are in any two strata alike, and with the strata's means mu_s, which sum to zero,

    Cov(x_ik, x_jk) = -sum_s mu_s^2 / (K (K - 1)),   mu_s = K (phi(z_s) - phi(z_{s+1})),

z_s = Phi^{-1}(s / K): somewhat above -1/(K-1), which repulsive noises have. The gain is beyond
second moments; for the same reason the joint law is not Gaussian, so such a gallery cannot grow.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from coupling.law import Coupling
from coupling.projection import Projection, span
from coupling.validation import require_items, require_size

LEAST = 2.0**-53  # a uniform number is kept this far from 0 and 1


@dataclass(frozen=True)
class Quasirandom(Coupling):
    """See `quasirandom`."""

    members: int
    shape: tuple[int, int]
    frequencies: int

    gaussian = False

    def __repr__(self) -> str:
        return f"quasirandom(K={self.size}, shape={self.shape}, frequencies={self.frequencies})"

    @property
    def size(self) -> int:
        return self.members

    @property
    def base_size(self) -> int:
        return self.members + 1

    @cached_property
    def basis(self) -> Tensor:
        """The lowest frequencies of the DCT-II, orthonormal, (frequencies, h, w), float64."""
        height, width = self.shape
        order = sorted(
            (math.hypot(u / height, v / width), u, v) for u in range(height) for v in range(width)
        )[: self.frequencies]
        return torch.stack(
            [torch.outer(_cosine(height, u), _cosine(width, v)) for _, u, v in order]
        )

    @cached_property
    def _low(self) -> Projection:
        return span(self.basis)

    @property
    def parts(self) -> list[tuple[tuple[Projection, ...], Tensor]]:
        identity = torch.eye(self.size, dtype=torch.float64)
        return [((self._low,), self.evenly), ((self._low.complement,), identity)]

    @property
    def evenly(self) -> Tensor:
        """The correlation in the low frequencies, (K, K)."""
        size = self.size
        ends = torch.special.ndtri(torch.arange(size + 1, dtype=torch.float64) / size)
        density = torch.exp(-ends.square() / 2) / math.sqrt(2 * math.pi)
        means = size * (density[:-1] - density[1:])
        rho = -float(means.square().sum()) / (size * (size - 1))
        identity = torch.eye(size, dtype=torch.float64)
        return rho + (1 - rho) * identity

    @property
    def correlation(self) -> Tensor:
        share = self.frequencies / math.prod(self.shape)
        return share * self.evenly + (1 - share) * torch.eye(self.size, dtype=torch.float64)

    def transform(self, base: Tensor) -> Tensor:
        size, q = self.size, self.basis.to(base.device)
        self._low(base)  # refuses another shape
        noises, order = base[:size].double(), base[size].flatten()[:size].argsort()
        if len(order) < size:
            raise ValueError(f"noises of {len(order)} values are too small for K = {size}")
        c = torch.einsum("k...hw,fhw->k...f", noises, q)
        flips = (c[:-1] < 0).flatten(1).long()
        strata = scrambled(flips)[order].view(c.shape)
        u = (strata + torch.erf(c.abs() / math.sqrt(2))) / size
        x = torch.special.ndtri(u.clamp(LEAST, 1 - LEAST))
        return (noises + torch.einsum("k...f,fhw->k...hw", x - c, q)).to(base.dtype)


def quasirandom(size: int, *, shape: Sequence[int], frequencies: int) -> Quasirandom:
    """K = `size` noises, a power of 2, that cover the low frequencies of each channel evenly.

    shape: (h, w) of the noise; frequencies: how many of the lowest, in each channel. Raises
    ValueError for another K, and for more frequencies than there are.

    >>> law = quasirandom(4, shape=(8, 8), frequencies=4)
    >>> means = law.sample((1, 8, 8), seed=7).mean((1, 2, 3)) * 8  # the lowest coefficient
    >>> (torch.special.ndtr(means) * 4).long().sort().values
    tensor([0, 1, 2, 3])
    """
    size = require_size(size, "K", least=2)
    if size & (size - 1):
        raise ValueError(f"K = {size} is no power of 2; valid are 2, 4, 8, 16, ...")
    sides = [require_size(n, "a side of the shape", least=1) for n in require_items(shape, "shape")]
    if len(sides) != 2:
        raise ValueError(f"the shape is {tuple(sides)}; valid is (h, w)")
    frequencies = require_size(frequencies, "frequencies", least=1)
    if frequencies > math.prod(sides):
        raise ValueError(f"frequencies = {frequencies}; {sides[0]} x {sides[1]} has not as many")
    return Quasirandom(size, (sides[0], sides[1]), frequencies)


def scrambled(flips: Tensor) -> Tensor:
    """The strata of Sobol's first K points in d coordinates, scrambled: flips (K - 1, d) of 0 and 1
    -> (K, d), each column an order of 0, ..., K-1. flips[2^l - 1 + b] is of bit l after bits b.
    """
    size, dimension = len(flips) + 1, flips.shape[1]
    points = torch.quasirandom.SobolEngine(dimension).draw(size, dtype=torch.float64)
    strata = (points * size).long().to(flips.device)
    found, bits = torch.zeros_like(strata), size.bit_length() - 1
    for level in range(bits):
        before = strata >> (bits - level)
        flip = flips.gather(0, 2**level - 1 + before)
        found = 2 * found + ((strata >> (bits - level - 1)) & 1 ^ flip)
    return found


def _cosine(length: int, frequency: int) -> Tensor:
    places = (torch.arange(length, dtype=torch.float64) + 0.5) * (math.pi / length)
    return torch.cos(frequency * places) * math.sqrt((2 if frequency else 1) / length)
