"""Boards: galleries of several prompts under several methods, side by side."""

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image, ImageOps

from experiments.figures.style import DPI, canvas, save, style
from experiments.tables.results import Results

TILE = 256  # pixels of an image's longer side on a board, as near as whole factors come
MARGIN, GUTTER, BETWEEN = 24, 6, 40  # pixels: around the board, between images, between methods
FRAME, APART = 5, 18  # pixels: from an image to its frame, and more between images of two frames
TITLE, CAPTION_LINE, ROW_GAP = 60, 30, 34


def gallery_board(
    results: Results,
    path: Path,
    *,
    num_prompts: int,
    rows: Sequence[str] | None,
    framed: int | None,
) -> tuple[Path, Path]:
    """The galleries of a table's first prompts, none chosen, less those that a method lacks.

    Images stand in the order of their members. rows: the methods shown; None for all. framed: how
    many members at a time share a frame, from the first; None for no frames.
    """
    labels = [label for label in results.table.spec.rows if rows is None or label in rows]
    committed = [results.committed(label) for label in labels]
    first = results.jobs[:num_prompts]
    jobs = [job for job in first if all(job.id in there for there in committed)]
    columns = {label: results.images(label, jobs) for label in labels}
    shape = columns[labels[0]][0].shape[1:3] if jobs else (1, 1)
    galleries = [
        (job.prompt, {label: _fitted(images[k], shape) for label, images in columns.items()})
        for k, job in enumerate(jobs)
    ]
    return comparison_board(galleries, path, framed=framed)


def comparison_board(
    galleries: Sequence[tuple[str, Mapping[str, np.ndarray]]],
    path: Path,
    *,
    framed: int | None = None,
) -> tuple[Path, Path]:
    """Galleries of several prompts side by side: a prompt a row, a method a block of columns.

    galleries: (prompt, {label: (K, H, W, 3) uint8}) with the same labels, K, H and W in every row;
    labels stand from left to right as in the first row. path: where to write; its suffix gives way
    to .png and .pdf. framed: how many images at a time share a frame.

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
    lefts = [k * (width + GUTTER) + (k // framed * APART if framed else 0) for k in range(shape[0])]
    block = lefts[-1] + width
    board_width = 2 * MARGIN + len(labels) * block + (len(labels) - 1) * BETWEEN
    characters = int((board_width - 2 * MARGIN) / 13)  # of 8 pt DejaVu Sans at 200 dpi
    captions = [textwrap.wrap(prompt, characters) or [""] for prompt, _ in galleries]
    heights = [len(lines) * CAPTION_LINE + GUTTER + height for lines in captions]
    board_height = 2 * MARGIN + TITLE + sum(heights) + (len(heights) - 1) * ROW_GAP
    with style():
        figure = canvas(board_width / DPI, board_height / DPI, layout=None)
        for j, label in enumerate(labels):
            left = MARGIN + j * (block + BETWEEN)
            _write(figure, left, MARGIN, label, weight="bold", size=10)
            rule = _axis(figure, left, MARGIN + TITLE - 22, block, 2)
            rule.axhline(0, color="#999999", linewidth=0.8)
        top = MARGIN + TITLE
        for lines, row_height, (_, methods) in zip(captions, heights, galleries, strict=True):
            _write(figure, MARGIN, top, "\n".join(lines))
            for j, label in enumerate(labels):
                start, bottom = MARGIN + j * (block + BETWEEN), top + row_height
                for left, image in zip(lefts, methods[label], strict=True):
                    axis = _axis(figure, start + left, bottom, width, height)
                    axis.imshow(_tile(image), interpolation="none", aspect="auto")
                for left in lefts[::framed] if framed else ():
                    right = min(left + framed * (width + GUTTER) - GUTTER, block)
                    _frame(figure, start + left, bottom - height, right - left, height)
            top += row_height + ROW_GAP
        return save(figure, path)


def _fitted(images: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Images (K, H, W, 3) at the height and width `shape`, on white where proportions differ."""
    if images.shape[1:3] == shape:
        return images
    return np.stack([
        np.asarray(ImageOps.pad(Image.fromarray(image), shape[::-1], color="white"))
        for image in images
    ])  # fmt: skip


def _tile(image: np.ndarray) -> np.ndarray:
    """The image as it stands on a board: repeated pixels when small, Lanczos when large."""
    height, width = image.shape[:2]
    longer = max(height, width)
    if longer > TILE:
        size = (round(width * TILE / longer), round(height * TILE / longer))
        return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.LANCZOS))
    factor = max(1, round(TILE / longer))
    return image.repeat(factor, axis=0).repeat(factor, axis=1)


def _axis(figure: Figure, left: int, bottom: int, columns: int, rows: int) -> Axes:
    """Bare axes of columns x rows pixels, whose lower left corner is so far from the upper left."""
    width, height = (round(side * DPI) for side in figure.get_size_inches())
    box = (left / width, 1 - bottom / height, columns / width, rows / height)
    axis = figure.add_axes(box)
    axis.set_axis_off()
    return axis


def _frame(figure: Figure, left: int, top: int, across: int, down: int) -> None:
    """Draws a frame around what is placed there."""
    width, height = (round(side * DPI) for side in figure.get_size_inches())
    corner = ((left - FRAME) / width, 1 - (top + down + FRAME) / height)
    size = ((across + 2 * FRAME) / width, (down + 2 * FRAME) / height)
    frame = Rectangle(corner, *size, transform=figure.transFigure, fill=False)
    frame.set(edgecolor="#444444", linewidth=1.0)
    figure.add_artist(frame)


def _write(figure: Figure, left: int, top: int, text: str, **font: Any) -> None:
    width, height = (round(side * DPI) for side in figure.get_size_inches())
    figure.text(left / width, 1 - top / height, text, va="top", parse_math=False, **font)
