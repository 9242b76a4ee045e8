"""The course of learning: reward and correlations step by step, and the correlation at the end."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from experiments.figures.correlation import heat_map
from experiments.figures.style import canvas, save, style
from experiments.learning.card import RECENT, Card


def course(
    groups: Mapping[str, Mapping[str, Card]], path: Path, *, target: bool
) -> tuple[Path, Path]:
    """For each group its rewards, its correlations and the correlation matrix of its last card.

    Several groups stand side by side, a column each; the three panels of one alone are a row.

    groups: group -> start -> card, all cards of a group of one size K; target: whether to draw the
    repulsive correlation, -1/(K-1), as what is aimed at.
    """
    with style():
        shape = (3, len(groups)) if len(groups) > 1 else (1, 3)
        figure = canvas(0.6 + 2.3 * shape[1], 0.2 + 2.0 * shape[0])
        axes = figure.subplots(*shape, squeeze=False).reshape(3, -1)
        for column, (group, cards) in enumerate(groups.items()):
            rewards, correlations, heat = axes[:, column]
            for number, (start, card) in enumerate(cards.items()):
                _rewards(rewards, card, label=start, colour=f"C{number}")
                lines = card.correlations[:, *np.triu_indices(card.matrix.shape[0], 1)].numpy()
                correlations.plot(lines, color=f"C{number}", linewidth=1)
            size = next(iter(cards.values())).matrix.shape[0]
            if target:
                correlations.axhline(-1 / (size - 1), color="#222222", linestyle="--", linewidth=1)
            correlations.set_ylim(-1.05, 1.05)
            rewards.set_title(group, parse_math=False)
            if len(cards) > 1:
                rewards.legend(fontsize=7, loc="lower right")
            for axis in (rewards, correlations):
                axis.set_xlabel("step")
            start, card = list(cards.items())[-1]
            heat_map(heat, card.correlations[-1].numpy(), fontsize=8)
            heat.set_title(f"R, {start}" if start else "R", parse_math=False, weight="normal")
        axes[0, 0].set_ylabel(f"reward, mean of {RECENT} steps")
        axes[1, 0].set_ylabel("correlations of all pairs")
        return save(figure, path)


def _rewards(axis: Axes, card: Card, *, label: str, colour: str) -> None:
    values = card.rewards.numpy()
    sums = np.cumsum(np.insert(values, 0, 0.0))
    width = min(RECENT, len(values))
    steps = np.arange(width, len(values) + 1)
    axis.plot(steps, (sums[width:] - sums[:-width]) / width, color=colour, label=label)
