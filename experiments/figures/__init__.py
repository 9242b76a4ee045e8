"""Figures in one style (house.mplstyle), each as PNG and PDF, the same bytes for the same input.

A figure is a function of a table's results and a path; an experiment's configuration names those
that it wants. Figures are drawn on their own canvas: pyplot, its backend and its settings are never
touched.
"""

from experiments.figures.board import comparison_board, gallery_board
from experiments.figures.compute import equal_compute
from experiments.figures.curve import effect_curve
from experiments.figures.effects import paired_effect
from experiments.figures.noise import noise_drift
from experiments.figures.objects import object_board, reconstructions
from experiments.figures.style import save, style
from experiments.figures.tradeoff import tradeoff

__all__ = [
    "comparison_board",
    "effect_curve",
    "equal_compute",
    "gallery_board",
    "noise_drift",
    "object_board",
    "paired_effect",
    "reconstructions",
    "save",
    "style",
    "tradeoff",
]
