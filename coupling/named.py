"""The couplings that have names: iid, identical, antithetic, equicorrelated, repulsive.

For the equicorrelated family R = (1 - rho) I + rho 11^T, valid iff -1/(K-1) <= rho <= 1, A is the
symmetric square root of R in closed form:

    A = a (I - 11^T/K) + b 11^T/K,   a = sqrt(1 - rho),   b = sqrt(1 + (K-1) rho).

At rho = 0 it is I exactly. At rho = -1/(K-1) it is Algorithm 1, X_i = sqrt(K/(K-1)) (Z_i - Zbar).
"""

import math
from collections.abc import Callable

import torch

from coupling.matrix import MatrixCoupling
from coupling.validation import as_number, require_size

# rho = -1/(K-1) has no exact decimal; this near to an end of the range, the end is meant.
ENDPOINT_TOLERANCE = 1e-9


def iid(size: int) -> MatrixCoupling:
    """K = `size` >= 1 independent noises, X_i = Z_i: what everybody does, and the baseline.

    >>> iid(2).correlation
    tensor([[1., 0.],
            [0., 1.]], dtype=torch.float64)
    """
    size = require_size(size, "K", least=1)
    return MatrixCoupling(torch.eye(size, dtype=torch.float64), "iid")


def identical(size: int) -> MatrixCoupling:
    """K = `size` >= 1 times the same noise, X_i = Z_1, R = 11^T.

    Useful on a subspace, or where galleries differ by something other than noise.

    >>> first, second = identical(2).sample((4, 8, 8), seed=7)
    >>> torch.equal(first, second)
    True
    """
    size = require_size(size, "K", least=1)
    return MatrixCoupling(torch.ones(size, 1, dtype=torch.float64), "identical")


def antithetic(size: int, half: Callable[[int], MatrixCoupling] = iid) -> MatrixCoupling:
    """K/2 pairs, X_{2j-1} = Y_j and X_{2j} = -Y_j; K = `size` even, else ValueError.

    half: the law of the Y_j, independent or another, given their number K/2.

    >>> antithetic(2).correlation
    tensor([[ 1., -1.],
            [-1.,  1.]], dtype=torch.float64)
    >>> antithetic(4, half=repulsive).correlation[0].round()
    tensor([ 1., -1., -1.,  1.], dtype=torch.float64)
    """
    size = require_size(size, "K", least=2)
    if size % 2:
        raise ValueError(f"K = {size} is odd; antithetic noises come in pairs: valid is an even K")
    pair = torch.tensor([[1.0], [-1.0]], dtype=torch.float64)
    return MatrixCoupling(torch.kron(half(size // 2).matrix, pair), "antithetic")


def equicorrelated(size: int, rho: float) -> MatrixCoupling:
    """K = `size` >= 2 noises, every two with the correlation `rho` in [-1/(K-1), 1].

    Raises ValueError outside this range, where no such law exists.

    >>> equicorrelated(3, rho=0.5).correlation[0]
    tensor([1.0000, 0.5000, 0.5000], dtype=torch.float64)
    >>> equicorrelated(3, rho=-0.9)
    Traceback (most recent call last):
    ValueError: rho = -0.9 is outside [-0.5, 1], the valid range at K = 3
    """
    size = require_size(size, "K", least=2)
    rho, lowest = as_number(rho, "rho"), -1 / (size - 1)
    if not lowest - ENDPOINT_TOLERANCE <= rho <= 1 + ENDPOINT_TOLERANCE:  # true of nan, too
        raise ValueError(f"rho = {rho} is outside [{lowest:.6g}, 1], the valid range at K = {size}")
    at_lowest = rho <= lowest + ENDPOINT_TOLERANCE
    at_highest = rho >= 1 - ENDPOINT_TOLERANCE
    a = 0.0 if at_highest else math.sqrt(1 - (lowest if at_lowest else rho))
    b = 0.0 if at_lowest else math.sqrt(1 + (size - 1) * (1 if at_highest else rho))
    # a I + (b - a)/K 11^T: the same matrix, but without rounding where a = b.
    matrix = a * torch.eye(size, dtype=torch.float64) + (b - a) / size
    return MatrixCoupling(matrix, "equicorrelated")


def repulsive(size: int) -> MatrixCoupling:
    """K = `size` >= 2 noises as negatively correlated as K noises can be: rho = -1/(K-1).

    Algorithm 1. sum_i X_i = 0, and max_{i<j} E<X_i, X_j>/D attains the lower bound of
    Proposition 3.1, so no coupling keeps its closest two members further apart.

    >>> repulsive(3).sample((4, 8, 8), seed=7).sum(dim=0).abs().max().item() < 1e-5
    True
    """
    size = require_size(size, "K", least=2)
    return MatrixCoupling(equicorrelated(size, -1 / (size - 1)).matrix, "repulsive")
