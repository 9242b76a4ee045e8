"""Heat maps of correlation matrices: how the noises of a gallery hang together."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from experiments.figures.style import canvas, save, style

LEGIBLE = 8  # entries are written into matrices up to this size


def heat_map(axis: Axes, matrix: np.ndarray, *, fontsize: float | None) -> None:
    """Draws a matrix (K, K) with entries in [-1, 1], and writes them into it; None: does not."""
    axis.imshow(matrix, cmap="RdBu_r", vmin=-1, vmax=1)
    axis.set_xticks([])
    axis.set_yticks([])
    for (i, j), value in np.ndenumerate(matrix if fontsize else np.empty((0, 0))):
        axis.text(j, i, f"{value:+.2f}", ha="center", va="center", fontsize=fontsize,
                  color="white" if abs(value) > 0.8 else "#222222")  # fmt: skip


def furthest(correlation: np.ndarray, law: np.ndarray) -> float:
    """The largest distance of a correlation of a pair from what it is by law, both (K, K)."""
    return float(np.triu(np.abs(correlation - law), 1).max())


def heat_maps(matrices: Mapping[str, np.ndarray], path: Path) -> tuple[Path, Path]:
    """Draws matrices side by side under their titles."""
    with style():
        figure = canvas(0.4 + 2.4 * len(matrices), 2.7)
        axes = figure.subplots(1, len(matrices), squeeze=False)[0]
        for axis, (title, matrix) in zip(axes, matrices.items(), strict=True):
            heat_map(axis, matrix, fontsize=7 if len(matrix) <= LEGIBLE else None)
            axis.set_title(title, parse_math=False)
        return save(figure, path)
