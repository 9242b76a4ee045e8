"""Matrix couplings (Theorem 3.3): X_i = sum_j A_ij Z_j with A in R^{K x m} and unit-norm rows.

Then X_i ~ N(0, I) and Cov(X_i, X_j) = (A A^T)_ij I, and every correlation matrix arises so.

The sum is formed term by term with elementwise products and sums in the precision of Z, not by a
matrix product: each step is rounded as IEEE 754 prescribes, so the result depends on no BLAS,
number of threads or processor. Zero weights are skipped, so a row of A with a single 1 or -1 gives
Z_j or -Z_j bit for bit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import torch
from torch import Tensor

from coupling.law import Coupling

# How far a matrix may be from what it should be and still be accepted, and then made exact. Six
# decimals written by hand, or a matrix stored in float32, pass.
TOLERANCE = 1e-6
ROUNDING = 1e-12  # nearer than this is exact: the matrix of a coupling is taken as it is

BLOCK = 2**17  # coordinates summed at a time, so that the running sum stays in the cache

MatrixLike = Tensor | Sequence[Sequence[float]]


@dataclass(frozen=True, eq=False, repr=False)
class MatrixCoupling(Coupling):
    """X = A Z for `matrix` A (K, m), whose rows have norm 1 within 1e-6 and are then rescaled.

    Two are equal if their matrices are, whatever their names. Raises ValueError if A is not a
    matrix or a row is not of unit norm.

    >>> from coupling import equicorrelated, repulsive
    >>> repulsive(4), repulsive(3) == equicorrelated(3, rho=-0.5)
    (repulsive(K=4, rho=-0.3333), True)
    """

    matrix: Tensor
    name: str = "from_matrix"

    def __post_init__(self) -> None:
        matrix = _float64_matrix(self.matrix, "matrix")
        norms = torch.linalg.vector_norm(matrix, dim=1, keepdim=True)
        for row, norm in enumerate(norms.flatten().tolist()):
            if not abs(norm - 1) <= TOLERANCE:
                raise ValueError(
                    f"row {row} of the matrix has norm {norm:.7g}; valid is 1 within {TOLERANCE:g}"
                )
        norms[(norms - 1).abs() <= ROUNDING] = 1
        object.__setattr__(self, "matrix", matrix / norms)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MatrixCoupling) and torch.equal(self.matrix, other.matrix)

    def __hash__(self) -> int:
        return hash(tuple(self.matrix.flatten().tolist()))

    def __repr__(self) -> str:
        pairs = self.correlation[~torch.eye(self.size, dtype=torch.bool)]
        alike = len(pairs) and (pairs - pairs[0]).abs().max() < TOLERANCE
        rho = f", rho={pairs.mean().item():.4g}" if alike else ""
        return f"{self.name}(K={self.size}{rho})"

    @property
    def size(self) -> int:
        return self.matrix.shape[0]

    @property
    def base_size(self) -> int:
        return self.matrix.shape[1]

    @property
    def correlation(self) -> Tensor:
        return self.matrix @ self.matrix.T

    def transform(self, base: Tensor) -> Tensor:
        return weighted_sums(self.matrix.tolist(), base)


def from_matrix(matrix: MatrixLike) -> MatrixCoupling:
    """The coupling X = A Z (Theorem 3.3).

    `matrix`: A, (K, m), K >= 1, as a tensor or nested lists. Raises ValueError unless every row has
    norm 1 within 1e-6.

    >>> from_matrix([[1, 0], [0.6, 0.8]]).correlation
    tensor([[1.0000, 0.6000],
            [0.6000, 1.0000]], dtype=torch.float64)
    """
    return MatrixCoupling(_float64_matrix(matrix, "matrix"))


def from_correlation(correlation: MatrixLike) -> MatrixCoupling:
    """The coupling with Cov(X_i, X_j) = R_ij I, made by A = R^(1/2), the symmetric square root.

    `correlation`: R, (K, K), K >= 1, as a tensor or nested lists. Of all K x K matrices with
    A A^T = R the symmetric one stays closest to Z: it minimises sum_i E|X_i - Z_i|^2. Raises
    ValueError unless R is symmetric with unit diagonal and no negative eigenvalue, all within 1e-6.

    >>> from_correlation([[1, -0.5, -0.5], [-0.5, 1, -0.5], [-0.5, -0.5, 1]]).correlation
    tensor([[ 1.0000, -0.5000, -0.5000],
            [-0.5000,  1.0000, -0.5000],
            [-0.5000, -0.5000,  1.0000]], dtype=torch.float64)
    """
    correlation = _float64_matrix(correlation, "correlation")
    rows, columns = correlation.shape
    if rows != columns:
        raise ValueError(f"correlation is {rows} x {columns}; valid is K x K")
    asymmetry = (correlation - correlation.T).abs().max().item()
    if not asymmetry <= TOLERANCE:
        raise ValueError(
            f"correlation differs from its transpose by {asymmetry:.3g}; "
            f"valid is symmetric within {TOLERANCE:g}"
        )
    for row, value in enumerate(correlation.diagonal().tolist()):
        if not abs(value - 1) <= TOLERANCE:
            raise ValueError(
                f"correlation[{row}][{row}] = {value:.7g}; "
                f"valid on the diagonal is 1 within {TOLERANCE:g}"
            )
    eigenvalues, eigenvectors = torch.linalg.eigh((correlation + correlation.T) / 2)
    smallest = eigenvalues[0].item()
    if not smallest >= -TOLERANCE:
        raise ValueError(
            f"correlation has the eigenvalue {smallest:.3g}; valid is >= 0 within {TOLERANCE:g}"
        )
    root = (eigenvectors * eigenvalues.clamp(min=0).sqrt()) @ eigenvectors.T
    # What was clipped or tolerated is small, but marginals are to be exact.
    rows = root / torch.linalg.vector_norm(root, dim=1, keepdim=True)
    return MatrixCoupling(rows, "from_correlation")


def weighted_sums(weights: list[list[float]], noises: Tensor) -> Tensor:
    """Weights (K, m) and noises (m, *shape) -> (K, *shape), term by term in the order of m."""
    sums = []
    for block in noises.reshape(len(noises), -1).split(BLOCK, dim=1):
        terms = ([a * z for a, z in zip(row, block, strict=True) if a != 0] for row in weights)
        sums.append(torch.stack([reduce(torch.add, term) for term in terms]))
    return torch.cat(sums, dim=1).reshape(len(weights), *noises.shape[1:])


def _float64_matrix(values: MatrixLike, name: str) -> Tensor:
    """A copy that the caller cannot change, on the CPU."""
    try:
        matrix = torch.as_tensor(values, dtype=torch.float64, device="cpu").detach().clone()
    except (TypeError, ValueError, RuntimeError):
        raise ValueError(
            f"{name} is no matrix; valid is a 2-d tensor, or lists of numbers of equal length"
        ) from None
    if matrix.dim() != 2 or matrix.numel() == 0:
        raise ValueError(
            f"{name} has the shape {tuple(matrix.shape)}; valid is a matrix with K >= 1 rows"
        )
    return matrix
