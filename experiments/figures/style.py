"""What all figures share: the house style, and files without accidents of the moment in them."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Literal

import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure, SubFigure

DPI = 200
PANELS_ABREAST = 3

Layout = Literal["constrained"]


def style() -> AbstractContextManager:
    """The house style, for the length of a `with` block."""
    return matplotlib.style.context(Path(__file__).with_name("house.mplstyle"))


def canvas(width: float, height: float, *, layout: Layout | None = "constrained") -> Figure:
    """An empty figure of the given size in inches; without a layout, nothing is moved on it."""
    figure = Figure(figsize=(width, height), dpi=DPI, layout=layout)
    FigureCanvasAgg(figure)
    return figure


def panels(
    count: int, *, size: tuple[float, float], margin: tuple[float, float]
) -> tuple[Figure, list[Axes]]:
    """A figure of `count` panels, three abreast, each of `size` inches, and their axes."""
    across = min(count, PANELS_ABREAST)
    down = -(-count // across)
    width, height = (side * n + m for side, n, m in zip(size, (across, down), margin, strict=True))
    figure = canvas(width, height)
    return figure, axes_of(figure, count, across)


def axes_of(figure: Figure | SubFigure, count: int, across: int) -> list[Axes]:
    """Axes for `count` panels, `across` abreast, row by row; what is left of the grid is empty."""
    axes = list(figure.subplots(-(-count // across), across, squeeze=False).flat)
    for axis in axes[count:]:
        axis.set_axis_off()
    return axes[:count]


def save(figure: Figure, path: Path) -> tuple[Path, Path]:
    """Writes `path` with the suffixes .png and .pdf, without dates or versions in them."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    png, pdf = path.with_suffix(".png"), path.with_suffix(".pdf")
    figure.savefig(png, metadata={"Software": None})
    figure.savefig(pdf, metadata={"Creator": None, "Producer": None, "CreationDate": None})
    return png, pdf
