"""Theorem 3.3: every correlation matrix R has a matrix A of unit rows with A A^T = R, and back.

Two constructions are tried on random R of every rank: the symmetric square root, which
`coupling.from_correlation` takes, and Cholesky's, where pivots of a singular R are zero. X = A Z
must then be distributed as asked: its sample covariance is compared with R.
"""

from pathlib import Path

import torch
from torch import Tensor

from coupling import from_correlation, from_matrix
from coupling.learned import random_coupling
from experiments.figures.style import canvas, save, style
from experiments.theory.evidence import Evidence, require

STATEMENT = "Theorem 3.3"
SIZES, DRAWS = (2, 3, 5, 8), 40
ROUND_TRIP = 1e-7  # a clipped eigenvalue of -1e-16 leaves its square root, 1e-8
COORDINATES = 200_000
STANDARD_ERRORS = 5  # of the largest of some thousand deviations


def check(folder: Path) -> Evidence:
    """Both constructions lead from R to A and back; samples have the covariance R."""
    errors: dict[str, list[float]] = {"square root": [], "Cholesky": []}
    laws, products = [], []
    for size in SIZES:
        for seed in range(DRAWS):
            r = random_coupling(size, 1 + seed % size, seed=seed).correlation
            for name, law in (
                ("square root", from_correlation(r)),
                ("Cholesky", from_matrix(cholesky(r))),
            ):
                rows = (law.matrix.norm(dim=1) - 1).abs().max().item()
                error = (law.correlation - r).abs().max().item()
                errors[name].append(error)
                require(max(rows, error) < ROUND_TRIP, STATEMENT, f"{name} is off by {error:.1e}")
        generator = torch.Generator().manual_seed(size)
        base = torch.randn(size, COORDINATES, dtype=torch.float64, generator=generator)
        x = from_correlation(r).couple(base)
        laws.append(r.flatten())
        products.append((x @ x.T / COORDINATES).flatten())
    asked, sampled = torch.cat(laws), torch.cat(products)
    # Var(X_i X_j) = 1 + R_ij^2
    deviation = ((sampled - asked) / ((1 + asked.square()) / COORDINATES).sqrt()).abs().max().item()
    require(deviation < STANDARD_ERRORS, STATEMENT, f"a covariance is {deviation:.1f} errors off")
    measured = (
        f"{DRAWS * len(SIZES)} random R: |A A^T - R| at most {max(errors['square root']):.0e} "
        f"(square root) and {max(errors['Cholesky']):.0e} (Cholesky); sample covariances within "
        f"{deviation:.1f} standard errors"
    )
    return Evidence(STATEMENT, measured, _draw(errors, asked, sampled, folder / "factors"))


def cholesky(correlation: Tensor) -> Tensor:
    """Lower triangular A, (K, K), with A A^T = R and a zero column for every zero pivot."""
    size = len(correlation)
    matrix = torch.zeros_like(correlation)
    for j in range(size):
        rest = correlation[j:, j] - matrix[j:, :j] @ matrix[j, :j]
        if rest[0] > 1e-12:
            matrix[j:, j] = rest / rest[0].sqrt()
    return matrix


def _draw(errors: dict[str, list[float]], asked: Tensor, sampled: Tensor, path: Path) -> Path:
    with style():
        figure = canvas(6, 2.6)
        left, right = figure.subplots(1, 2)
        for name, values in errors.items():
            # an exact reconstruction is drawn at the rounding of float64
            left.plot(torch.tensor(values).clamp(min=1e-17).sort().values, label=name)
        left.set(yscale="log", xlabel="random R, in order", ylabel="largest |A A^T - R|")
        left.legend()
        right.plot([-1, 1], [-1, 1], color="#222222", linewidth=0.8)
        right.scatter(asked, sampled, s=8, alpha=0.6, linewidth=0)
        right.set(xlabel="R asked for", ylabel="covariance of samples")
        return save(figure, path)[0]
