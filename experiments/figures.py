"""Figures in one style (house.mplstyle), each as PNG and PDF, the same bytes for the same input.

Figures are drawn on their own canvas: pyplot, its backend and its settings are never touched.
"""

import textwrap
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import matplotlib.style
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image
from scipy.stats import gaussian_kde

from experiments.scorerows import pivot
from experiments.tables import Cell, Table
from experiments.typeset import ARROWS, verdict

DPI = 200
TILE = 256  # pixels of an image's longer side on a board, as near as whole factors come
MARGIN, GUTTER, BETWEEN = 24, 6, 40  # pixels: around the board, between images, between methods
TITLE, CAPTION_LINE, ROW_GAP = 60, 30, 34
COLOURS = {"better": "#0072B2", "worse": "#D55E00", "differs": "#009E73", "": "#767676"}
LEGEND = (
    "difference per prompt, mean with 95\N{NO-BREAK SPACE}% interval; "
    "blue better, orange worse, grey undecided (Holm-corrected t-test)"
)
PANELS_ABREAST = 3


def style() -> AbstractContextManager:
    """The house style, for the length of a `with` block."""
    return matplotlib.style.context(Path(__file__).with_name("house.mplstyle"))


def save(figure: Figure, path: Path) -> tuple[Path, Path]:
    """Write `path` with the suffixes .png and .pdf, without dates or versions in them."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    png, pdf = path.with_suffix(".png"), path.with_suffix(".pdf")
    figure.savefig(png, metadata={"Software": None})
    figure.savefig(pdf, metadata={"Creator": None, "Producer": None, "CreationDate": None})
    return png, pdf


def comparison_board(
    galleries: Sequence[tuple[str, Mapping[str, np.ndarray]]], path: Path
) -> tuple[Path, Path]:
    """Galleries of several prompts side by side: a prompt a row, a method a block of columns.

    Args:
        galleries: (prompt, {label: (K, H, W, 3) uint8}) with the same labels, K, H and W in every
            row; labels stand from left to right as in the first row.
        path: where to write; its suffix gives way to .png and .pdf.

    Images up to 256 pixels are enlarged by a whole factor and every pixel stays a square; larger
    ones are reduced by Lanczos. Raises ValueError where the shapes differ.
    """
    labels = list(galleries[0][1])
    shape = galleries[0][1][labels[0]].shape
    for prompt, methods in galleries:
        for label in labels:
            found = methods[label]
            if found.shape != shape or found.dtype != np.uint8:
                raise ValueError(
                    f"{label} of {prompt!r} is {found.shape} {found.dtype}; need {shape} uint8"
                )
    height, width = _tile(np.zeros(shape[1:], np.uint8)).shape[:2]
    block = shape[0] * width + (shape[0] - 1) * GUTTER
    board_width = 2 * MARGIN + len(labels) * block + (len(labels) - 1) * BETWEEN
    characters = int((board_width - 2 * MARGIN) / 13)  # of 8 pt DejaVu Sans at 200 dpi
    captions = [textwrap.wrap(prompt, characters) or [""] for prompt, _ in galleries]
    heights = [len(lines) * CAPTION_LINE + GUTTER + height for lines in captions]
    board_height = 2 * MARGIN + TITLE + sum(heights) + (len(heights) - 1) * ROW_GAP
    with style():
        figure = _canvas(board_width, board_height)
        for j, label in enumerate(labels):
            left = MARGIN + j * (block + BETWEEN)
            _write(figure, left, MARGIN, label, weight="bold", size=10)
            _rule(figure, left, MARGIN + TITLE - 22, block)
        top = MARGIN + TITLE
        for lines, row_height, (_, methods) in zip(captions, heights, galleries, strict=True):
            _write(figure, MARGIN, top, "\n".join(lines))
            for j, label in enumerate(labels):
                for k, image in enumerate(methods[label]):
                    left = MARGIN + j * (block + BETWEEN) + k * (width + GUTTER)
                    _place(figure, left, top + row_height - height, _tile(image))
            top += row_height + ROW_GAP
        return save(figure, path)


def paired_effect(table: Table, scores: pd.DataFrame, path: Path) -> tuple[Path, Path]:
    """What a method changes, prompt by prompt: a panel a metric, a strip a comparison.

    Each dot is one prompt's difference to the baseline row; the outline is their density, the dark
    line the mean with its 95 % interval. The colour says whether the Holm-corrected t-test finds
    the row better, worse, or (grey) finds nothing.

    Args:
        table: as built from `scores`, with at least one baseline (ValueError otherwise).
        path: where to write; its suffix gives way to .png and .pdf.
    """
    rows = [row for row in table.spec.rows if row in table.spec.baselines]
    if not rows:
        raise ValueError(
            f"{table.spec.name} has no baselines, so there is no paired effect to draw"
        )
    metrics = list(table.spec.columns)
    across = min(len(metrics), PANELS_ABREAST)
    down = -(-len(metrics) // across)
    panel = 0.75 + 0.62 * len(rows)
    with style():
        figure = Figure(figsize=(1.15 + 2.35 * across, panel * down + 0.3), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots(down, across, squeeze=False).flat
        for axis in axes[len(metrics) :]:
            axis.set_axis_off()
        for number, (axis, metric) in enumerate(zip(axes, metrics, strict=False)):
            column = table.spec.columns[metric]
            values = pivot(scores, metric, rows=table.spec.rows)
            for i, row in enumerate(rows):
                cell = table.cell(row, metric)
                if cell.comparison:
                    differences = (values[row] - values[cell.comparison.baseline]).dropna()
                    _strip(axis, -i, differences.to_numpy(), cell, verdict(cell, column))
            axis.axvline(0, color="#222222", linewidth=0.8, zorder=1)
            axis.set_title(f"{column.label} {ARROWS[column.better]}".strip(), parse_math=False)
            axis.set_ylim(-len(rows) + 0.45, 0.62)
            axis.set_yticks([-i for i in range(len(rows))])
            names = [f"{row}\nagainst {table.spec.baselines[row]}" for row in rows]
            axis.set_yticklabels(names if number % across == 0 else [], parse_math=False)
            axis.spines["left"].set_visible(False)
            axis.locator_params(axis="x", nbins=4)
        legend = textwrap.fill(LEGEND, 42 * across + 10, break_on_hyphens=False)
        figure.supxlabel(legend, fontsize=7)
        return save(figure, path)


def _strip(axis: Axes, y: float, differences: np.ndarray, cell: Cell, found: str) -> None:
    """One comparison: density above, dots below, mean and interval between, effect as text."""
    colour, test = COLOURS[found], cell.comparison.test
    if test.dz:  # a density needs a spread
        low, high = differences.min(), differences.max()
        grid = np.linspace(low - 0.1 * (high - low), high + 0.1 * (high - low), 200)
        density = gaussian_kde(differences)(grid)
        upper = y + 0.06 + 0.28 * density / density.max()
        axis.fill_between(grid, y + 0.06, upper, color=colour, alpha=0.22, linewidth=0)
    jitter = np.arange(len(differences)) * 0.6180339887 % 1  # even, and the same every time
    axis.scatter(differences, y - 0.12 - 0.22 * jitter, s=5, color=colour, alpha=0.45, linewidth=0)
    axis.plot([test.ci_low, test.ci_high], [y, y], color="#222222", linewidth=2.2, zorder=3)
    axis.plot(test.difference, y, "o", markersize=5, color=colour, zorder=4,
              markeredgecolor="white", markeredgewidth=0.8)  # fmt: skip
    percent = cell.comparison.percent
    effect = f"{test.difference:+z.3g}" if percent is None else f"{percent:+z.1f} %"
    axis.annotate(
        effect, (1, y + 0.45), xycoords=("axes fraction", "data"), ha="right", va="center",
        fontsize=8, color=colour, weight="bold" if found else "normal",
    )  # fmt: skip


def _tile(image: np.ndarray) -> np.ndarray:
    """The image as it stands on a board: repeated pixels when small, Lanczos when large."""
    height, width = image.shape[:2]
    longer = max(height, width)
    if longer > TILE:
        size = (round(width * TILE / longer), round(height * TILE / longer))
        return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.LANCZOS))
    factor = max(1, round(TILE / longer))
    return image.repeat(factor, axis=0).repeat(factor, axis=1)


def _canvas(width: int, height: int) -> Figure:
    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI)
    FigureCanvasAgg(figure)
    return figure


def _place(figure: Figure, left: int, top: int, image: np.ndarray) -> None:
    """Put an image pixel by pixel with its upper left corner at (left, top)."""
    width, height = (round(side * DPI) for side in figure.get_size_inches())
    rows, columns = image.shape[:2]
    box = (left / width, 1 - (top + rows) / height, columns / width, rows / height)
    axis = figure.add_axes(box)
    axis.set_axis_off()
    axis.imshow(image, interpolation="none", aspect="auto")


def _write(figure: Figure, left: int, top: int, text: str, **font: object) -> None:
    width, height = (round(side * DPI) for side in figure.get_size_inches())
    figure.text(left / width, 1 - top / height, text, va="top", parse_math=False, **font)


def _rule(figure: Figure, left: int, top: int, length: int) -> None:
    width, height = (round(side * DPI) for side in figure.get_size_inches())
    axis = figure.add_axes((left / width, 1 - top / height, length / width, 2 / height))
    axis.set_axis_off()
    axis.axhline(0, color="#999999", linewidth=0.8)
