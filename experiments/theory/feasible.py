"""Proposition 3.1: which equicorrelations exist, and that no coupling repels more.

R(rho) = (1 - rho) I + rho 11^T has the eigenvalues 1 - rho and 1 + (K - 1) rho, so it is a
correlation matrix iff -1/(K-1) <= rho <= 1. And 0 <= E|sum_i X_i|^2 / D = K + 2 sum_{i<j} R_ij, so
that max_{i<j} R_ij >= -1/(K-1) for every coupling, with equality for the repulsive one.
"""

from pathlib import Path

import torch

from coupling import from_correlation, repulsive
from coupling.learned import near_repulsive, random_coupling
from coupling.optimizers.reward import of_pairs
from experiments.figures.style import canvas, save, style
from experiments.theory.evidence import Evidence, require

STATEMENT = "Proposition 3.1"
SIZES = (2, 3, 4, 6)
RHO = torch.linspace(-1.2, 1.2, 145, dtype=torch.float64)
DRAWS = 500  # random couplings of each size: of every rank 1 .. K, and around the repulsive one


def check(folder: Path) -> Evidence:
    """Exactly the feasible interval is accepted; no random coupling beats the repulsive one."""
    smallest, worst = {}, {size: _worst_pairs(size) for size in SIZES}
    for size in SIZES:
        lowest = -1 / (size - 1)
        feasible = (lowest <= RHO + 1e-9) & (RHO <= 1 + 1e-9)
        matrices = torch.where(torch.eye(size, dtype=torch.bool), 1.0, RHO[:, None, None])
        smallest[size] = torch.linalg.eigvalsh(matrices)[:, 0]
        accepted = torch.tensor([_is_accepted(matrix) for matrix in matrices])
        require(
            bool((accepted == feasible).all() and ((smallest[size] >= -1e-9) == feasible).all()),
            STATEMENT,
            f"at K = {size} the accepted rho are not [{lowest:.4g}, 1]",
        )
        attained = of_pairs(repulsive(size).correlation).max().item()
        require(
            abs(attained - lowest) < 1e-12 and worst[size].min().item() >= lowest - 1e-12,
            STATEMENT,
            f"at K = {size} repulsive has {attained}, random ones at least {worst[size].min()}",
        )
    measured = "; ".join(
        f"K = {size}: bound {-1 / (size - 1):+.4f}, best of {len(worst[size])} random "
        f"{worst[size].min():+.4f}, repulsive {of_pairs(repulsive(size).correlation).max():+.4f}"
        for size in SIZES
    )
    return Evidence(STATEMENT, measured, _draw(smallest, worst, folder / "feasible"))


def _is_accepted(correlation: torch.Tensor) -> bool:
    try:
        from_correlation(correlation)
    except ValueError:
        return False
    return True


def _worst_pairs(size: int) -> torch.Tensor:
    """The largest correlation of a pair, max_{i<j} R_ij, of every random coupling."""
    half = range(DRAWS // 2)
    couplings = [random_coupling(size, 1 + seed % size, seed=seed) for seed in half]
    couplings += [near_repulsive(size, noise=seed / DRAWS, seed=seed) for seed in half]
    return torch.stack([of_pairs(coupling.correlation).max() for coupling in couplings])


def _draw(smallest: dict, worst: dict, path: Path) -> Path:
    with style():
        figure = canvas(7, 2.6)
        left, right = figure.subplots(1, 2)
        for number, size in enumerate(SIZES):
            colour = f"C{number}"
            left.plot(RHO, smallest[size], color=colour, label=f"K = {size}")
            left.plot(-1 / (size - 1), 0, "o", color=colour, markersize=4)
            jitter = torch.arange(DRAWS) * 0.6180339887 % 1 * 0.6 - 0.3
            right.scatter(number + jitter, worst[size], s=3, color=colour, alpha=0.4, linewidth=0)
            right.plot([number - 0.4, number + 0.4], [-1 / (size - 1)] * 2, color="#222222")
        left.axhline(0, color="#222222", linewidth=0.8)
        left.set(xlabel="rho", ylabel="smallest eigenvalue", ylim=(-1, 1.1))
        left.set_title("Feasible equicorrelations")
        left.legend()
        right.set_xticks(range(len(SIZES)), [f"K = {size}" for size in SIZES])
        right.set(ylabel="largest correlation of a pair")
        right.set_title("Random couplings; line: repulsive")
        return save(figure, path)[0]
