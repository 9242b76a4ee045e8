"""Proposition A.2: for linear features the repulsive coupling separates most, at every bandwidth.

For features L x, lambda_k the eigenvalues of L^T L, and r_ij = 1 - R_ij:

    separation  mean_{i<j} E|L (X_i - X_j)|^2               = 2 tr(L^T L) mean_{i<j} r_ij
    similarity  mean_{i<j} E exp(-|L (X_i - X_j)|^2 / 2h^2) = mean_{i<j} prod_k
                                                              (1 + 2 r_ij lambda_k / h^2)^(-1/2)

as X_i - X_j ~ N(0, 2 r_ij I). Both formulas are compared with samples, then used: over random
correlation matrices none has a larger separation or a smaller similarity than the repulsive one,
whose separation is 2K/(K-1) tr(L^T L).
"""

from pathlib import Path

import torch
from torch import Tensor

from coupling import Coupling, iid, repulsive
from coupling.learned import random_coupling
from coupling.optimizers.reward import of_pairs
from experiments.figures.style import canvas, save, style
from experiments.theory.evidence import Evidence, mean_and_error, require, squared_distances

STATEMENT = "Proposition A.2"
SIZE, DIMENSION, FEATURES = 4, 32, 8
DRAWS, SAMPLES = 400, 20_000
SAMPLED = 0.01  # smaller similarities are means of rare events, which samples cannot tell
BANDWIDTHS = torch.logspace(-1, 2, 25, dtype=torch.float64)


def check(folder: Path) -> Evidence:
    """Samples agree with both formulas; no random coupling beats the repulsive one."""
    generator = torch.Generator().manual_seed(0)
    linear = torch.randn(FEATURES, DIMENSION, dtype=torch.float64, generator=generator)
    eigenvalues = torch.linalg.eigvalsh(linear @ linear.T)
    trace = eigenvalues.sum().item()
    best = repulsive(SIZE)
    error = max(_largest_error(law, linear, eigenvalues) for law in (iid(SIZE), best))
    require(error < 4, STATEMENT, f"samples are {error:.1f} standard errors off the formulas")
    optimum, found = 2 * SIZE / (SIZE - 1) * trace, separation(best.correlation, trace)
    attained = abs(found / optimum - 1) < 1e-12
    require(attained, STATEMENT, f"repulsive separates by {found}, not {optimum}")
    drawn = [random_coupling(SIZE, 1 + seed % SIZE, seed=seed).correlation for seed in range(DRAWS)]
    separations = torch.tensor([separation(r, trace) for r in drawn])
    similarities = torch.stack([similarity(r, eigenvalues) for r in drawn])
    lowest = similarity(best.correlation, eigenvalues)
    require(
        bool((separations <= optimum * (1 + 1e-9)).all()),
        STATEMENT,
        f"a random coupling separates by {separations.max()}, repulsive by {optimum}",
    )
    require(
        bool((similarities >= lowest * (1 - 1e-9)).all()),
        STATEMENT,
        "a random coupling has a smaller similarity than repulsive",
    )
    measured = (
        f"K = {SIZE}, {DRAWS} random couplings, {len(BANDWIDTHS)} bandwidths: separation at most "
        f"{separations.max() / optimum:.3f} of the repulsive one's, similarity at least "
        f"{(similarities / lowest).min():.4f} of it; samples within {error:.1f} standard errors "
        "of the formulas"
    )
    figure = _draw(similarities, lowest, similarity(iid(SIZE).correlation, eigenvalues), folder)
    return Evidence(STATEMENT, measured, figure)


def separation(correlation: Tensor, trace: float) -> float:
    """Mean pairwise squared distance of linear features with tr(L^T L) = `trace`."""
    return 2 * trace * (1 - of_pairs(correlation)).mean().item()


def similarity(correlation: Tensor, eigenvalues: Tensor, bandwidths: Tensor = BANDWIDTHS) -> Tensor:
    """Mean pairwise RBF similarity of linear features at every bandwidth, (len(bandwidths),)."""
    repelled = (1 - of_pairs(correlation)).clamp(min=0)[:, None, None]
    factors = 1 + 2 * repelled * eigenvalues / bandwidths[:, None].square()
    return factors.rsqrt().prod(-1).mean(0)


def _largest_error(law: Coupling, linear: Tensor, eigenvalues: Tensor) -> float:
    """Deviation of sample means from the formulas, in standard errors."""
    generator = torch.Generator().manual_seed(1)
    shape = (law.base_size, SAMPLES, DIMENSION)
    features = law.couple(torch.randn(shape, dtype=torch.float64, generator=generator)) @ linear.T
    squared = squared_distances(features)
    compared = [(squared, separation(law.correlation, eigenvalues.sum().item()))]
    for h, expected in zip(BANDWIDTHS, similarity(law.correlation, eigenvalues), strict=True):
        if expected > SAMPLED:
            compared.append(((-squared / (2 * h**2)).exp(), expected.item()))
    found = [(*mean_and_error(values.mean(0)), expected) for values, expected in compared]
    return max(abs(mean - expected) / error for mean, error, expected in found)


def _draw(similarities: Tensor, lowest: Tensor, independent: Tensor, folder: Path) -> Path:
    with style():
        figure = canvas(5, 2.8)
        axis = figure.subplots()
        axis.plot(BANDWIDTHS, similarities.T, color="#999999", linewidth=0.3, alpha=0.5)
        axis.plot([], [], color="#999999", label=f"{len(similarities)} random couplings")
        axis.plot(BANDWIDTHS, independent, color="#D55E00", label="independent")
        axis.plot(BANDWIDTHS, lowest, color="#0072B2", linewidth=2, label="repulsive")
        axis.set(xscale="log", xlabel="bandwidth h", ylabel="mean RBF similarity of pairs")
        axis.legend(loc="upper left")
        return save(figure, folder / "separation")[0]
