"""Figure 1: the named couplings of two noises, seen in one and in two dimensions.

Under every one of them X_1 and X_2 are N(0, I), and their covariance in each dimension is what the
coupling says: R_12, or, of a subspace coupling, that of the subspace.
"""

from pathlib import Path

import torch
from matplotlib.axes import Axes
from torch import Tensor

from coupling import Coupling, channels, equicorrelated, identical, iid, repulsive, subspace
from experiments.figures.style import canvas, save, style
from experiments.theory.evidence import Evidence, require

STATEMENT = "Figure 1"
SAMPLES, SHOWN, JOINED = 20_000, 400, 14
FIRST, SECOND = "#0072B2", "#D55E00"
LAWS: dict[str, tuple[Coupling, tuple[float, float]]] = {  # the covariance in either dimension
    "identical": (identical(2), (1, 1)),
    "independent": (iid(2), (0, 0)),
    "equicorrelated, ρ = –½": (equicorrelated(2, -0.5), (-0.5, -0.5)),
    "antithetic, repulsive": (repulsive(2), (-1, -1)),
    "subspace: one of each": (
        subspace(channels([0], of=2), inside=identical(2), outside=repulsive(2)),
        (1, -1),
    ),
}


def check(folder: Path) -> Evidence:
    """Marginals are standard normal, and covariances the coupling's, within 4 standard errors."""
    drawn = torch.randn(SAMPLES, 2, 2, generator=torch.Generator().manual_seed(0))
    base = drawn.permute(1, 2, 0)[..., None]  # two dimensions as channels, a sample as a pixel
    pairs = {
        name: law.couple(base[: law.base_size]).flatten(2).permute(2, 0, 1).double()
        for name, (law, _) in LAWS.items()
    }
    worst = max(_errors(pairs[name], covariance) for name, (_, covariance) in LAWS.items())
    require(worst < 4, STATEMENT, f"a moment is {worst:.1f} standard errors off")
    measured = (
        f"{SAMPLES} pairs under each of {len(LAWS)} couplings: means, variances and covariances "
        f"within {worst:.1f} standard errors of the law's"
    )
    return Evidence(STATEMENT, measured, _draw(pairs, folder / "named"))


def _errors(pairs: Tensor, covariance: tuple[float, float]) -> float:
    """How far the moments of (X_1, X_2), (N, 2, D), are from the law's, in standard errors."""
    n, r = len(pairs), torch.tensor(covariance, dtype=torch.float64)
    means = pairs.mean(0).abs() * n**0.5
    variances = (pairs.square().mean(0) - 1).abs() * (n / 2) ** 0.5
    across = (pairs.prod(1).mean(0) - r).abs() * (n / (1 + r**2)) ** 0.5
    return max(found.max().item() for found in (means, variances, across))


def _draw(pairs: dict[str, Tensor], path: Path) -> Path:
    with style():
        figure = canvas(1.6 * len(pairs) + 0.4, 3.9)
        axes = figure.subplots(2, len(pairs), squeeze=False)
        for (line, plane), (name, found) in zip(axes.T, pairs.items(), strict=True):
            either = found[: SHOWN // 2].transpose(0, 1).flatten(1)
            line.scatter(*either, s=5, color="#444444", alpha=0.35, linewidth=0)
            line.set_title(name, fontsize=8, loc="center")
            _joined(plane, found[:JOINED])
        axes[0, 0].set_ylabel("$X_2$, either dimension", labelpad=2)
        axes[1, 0].set_ylabel("both dimensions", labelpad=2)
        for axis in axes.flat:
            axis.set(xlim=(-3.3, 3.3), ylim=(-3.3, 3.3), xticks=[], yticks=[], aspect="equal")
            axis.axhline(0, color="#e6e6e6", linewidth=0.6, zorder=0)
            axis.axvline(0, color="#e6e6e6", linewidth=0.6, zorder=0)
            axis.spines[:].set_visible(False)
        for axis in axes[0]:
            axis.set_xlabel("$X_1$", labelpad=1)
        handles = axes[1, 0].get_legend_handles_labels()
        figure.legend(*handles, loc="outside lower center", ncols=3, fontsize=7)
        return save(figure, path)[0]


def _joined(axis: Axes, pairs: Tensor) -> None:
    """Pairs (N, 2, 2) in the plane, each joined; circles at one and two standard deviations."""
    turn = torch.linspace(0, 2 * torch.pi, 100)
    for radius in (1, 2):
        axis.plot(radius * turn.cos(), radius * turn.sin(), color="#e6e6e6", linewidth=0.6)
    for pair in pairs:
        axis.plot(*pair.T, color="#999999", linewidth=0.5, zorder=1)
    own = ((22, FIRST, "$X_1$"), (9, SECOND, "$X_2$, joined to its $X_1$"))
    for of, (size, colour, label) in zip(pairs.unbind(1), own, strict=True):
        axis.scatter(of[:, 0], of[:, 1], s=size, color=colour, linewidth=0, zorder=2, label=label)
