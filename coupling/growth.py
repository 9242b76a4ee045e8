"""Growth: members added to a gallery that exists, by the exact conditional law.

Let X_1, ..., X_K be the leading members of a law with Cov(X_i, X_j) = R_ij I, i, j <= N, N > K. The
next one given those before it is Gaussian with

    X_k = sum_{j in I} beta_j X_j + s Z_k,   R_II beta = R_Ik,   s^2 = 1 - beta^T R_Ik

where Z_k ~ N(0, I) is its own, and I are the members before it that are no combination of earlier
ones. So a singular R (identical, antithetic, repulsive) needs no pseudo-inverse, and a weight that
ought to be 1, -1 or 0 is so to the bit. A law of several parts (`Coupling.parts`) is conditioned in
each: X_k = sum_p Q_p (...) with one Z_k, which needs the Q_p to be orthogonal projections.

Members are added one at a time, each from those before it and its own Z_k alone, so growing from
2 to 3 to 5 gives the very noises of growing from 2 to 5.

Z_k is not the base noise of member k: a coupling may mix every base noise into every member, as the
symmetric square root of N = 5 does into its first three. Growth therefore draws from streams that
no coupling reaches, `FIRST_STREAM` + k, still a pure function of (seed, job, member).
"""

import math
from collections.abc import Sequence
from functools import reduce
from itertools import combinations

import torch
from torch import Tensor

from coupling.law import Coupling
from coupling.matrix import weighted_sums
from coupling.noise import base_noise
from coupling.projection import Projection, commute
from coupling.validation import require_a, require_size

FIRST_STREAM = 2**32  # beyond the base noises of any coupling

SINGULAR = 1e-9  # a member with less variance of its own, s^2, is a combination of those before it
DOUBT = 32.0  # noises of the law are refused with a probability below 2 exp(-DOUBT), 3e-14 a pair


def grow(coupling: Coupling, noises: Tensor, size: int, *, seed: int, job: str = "") -> Tensor:
    """The gallery `noises` (K, *shape) grown to `size` members of the law `coupling`.

    `coupling` is the larger law, of `size` noises or more, whose first K the given ones are; how
    they were drawn does not matter. They come back bit for bit, followed by the new ones, whose
    dtype and device are theirs. The result is a pure function of the arguments, and the law is
    exact:

    >>> from coupling import equicorrelated, grow
    >>> three = equicorrelated(3, rho=-0.2).sample((4, 64, 64), seed=7)
    >>> five = grow(equicorrelated(5, rho=-0.2), three, 5, seed=7)
    >>> torch.equal(five[:3], three), abs((five[0] * five[4]).mean().item() + 0.2) < 0.05
    (True, True)

    Raises ValueError if no law of `size` noises is given (repulsive noises leave no room for
    another), if the noises are not the leading members of `coupling`, told by their inner products,
    or if its nested projections do not commute, for then no part can be conditioned by itself.
    """
    require_a(Coupling, coupling, "coupling")
    require_a(Tensor, noises, "noises")
    if noises.dim() < 2 or not len(noises) or not noises.is_floating_point():
        raise ValueError(f"noises are {noises.dtype} {tuple(noises.shape)}; valid is (K, *shape)")
    size = require_size(size, "the gallery's new size", least=len(noises))
    if coupling.size < size:
        raise ValueError(_no_room(coupling, size))
    if not coupling.gaussian:
        raise ValueError(f"{coupling!r} is not jointly Gaussian, so its galleries cannot grow")
    _require_leading(coupling, noises)
    if not all(commute(p, q) for path, _ in coupling.parts for p, q in combinations(path, 2)):
        raise ValueError(
            "this coupling nests projections that do not commute, as a mask and a frequency band; "
            "valid are masks in masks, bands in bands, and channels with either"
        )
    parts = [(path, _conditional(r[:size, :size])) for path, r in coupling.parts]
    for k in range(len(noises), size):
        z = base_noise(noises.shape[1:], seed=seed, job=job, members=[FIRST_STREAM + k])
        known = torch.cat([noises, z.to(noises)])
        member = [_project(path, weighted_sums([weights[k]], known)) for path, weights in parts]
        noises = torch.cat([noises, reduce(torch.add, member)])
    return noises


def _conditional(correlation: Tensor) -> list[list[float]]:
    """For every k the weights of X_0, ..., X_{k-1} and, last, of Z_k."""
    rows: list[list[float]] = []
    independent: list[int] = []
    for k in range(len(correlation)):
        covariance = correlation[independent, k]
        beta = torch.linalg.solve(correlation[independent][:, independent], covariance)
        variance = 1 - (beta @ covariance).item()
        row = torch.zeros(k + 1, dtype=torch.float64)
        row[independent] = beta
        if variance > SINGULAR:
            row[k] = math.sqrt(variance)
            independent.append(k)
        rows.append(row.tolist())
    return rows


def _project(path: Sequence[Projection], x: Tensor) -> Tensor:
    return reduce(lambda y, projection: projection(y), reversed(path), x)


def _require_leading(coupling: Coupling, noises: Tensor) -> None:
    """Raises ValueError where an inner product is further off its mean than any of true noises.

    <X_i, X_j> of D coordinates is a quadratic form in Gaussians whose matrix has a Frobenius norm
    of at most sqrt(D) and a spectral norm of at most 1, so it is off its mean by more than
    2 sqrt(D t) + 2 t with a probability below 2 exp(-t), in both tails and at any D (Laurent and
    Massart, Annals of Statistics 2000, lemma 1).
    """
    x = noises.detach().cpu().flatten(1).double()
    dimension = x.shape[1]
    measured = x @ x.T / dimension
    stated = coupling.correlation[: len(x), : len(x)]
    tolerance = 2 * math.sqrt(DOUBT / dimension) + 2 * DOUBT / dimension
    wrong = ~((measured - stated).abs() <= tolerance)
    if wrong.any():
        i, j = wrong.nonzero()[0].tolist()
        raise ValueError(
            f"noises {i} and {j} have the inner product {measured[i, j]:.3f} a coordinate, but "
            f"{stated[i, j]:.3f} in this coupling; valid are its own leading members"
        )


def _no_room(coupling: Coupling, size: int) -> str:
    line = f"the coupling has K = {coupling.size} noises and none beyond; valid is K >= {size}"
    off_diagonal = coupling.correlation[~torch.eye(coupling.size, dtype=torch.bool)]
    lowest = -1 / (size - 1)
    if len(off_diagonal) and off_diagonal.max() < lowest - SINGULAR:
        rho = off_diagonal.max()
        line += f", which no law with rho = {rho:.6g} has: rho >= {lowest:.6g} has room"
    return line
