"""What all figures share: the house style, and files without accidents of the moment in them."""

from contextlib import AbstractContextManager
from pathlib import Path

import matplotlib.style
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

DPI = 200


def style() -> AbstractContextManager:
    """The house style, for the length of a `with` block."""
    return matplotlib.style.context(Path(__file__).with_name("house.mplstyle"))


def canvas(width: float, height: float, **options: object) -> Figure:
    """An empty figure of the given size in inches."""
    figure = Figure(figsize=(width, height), **options)
    FigureCanvasAgg(figure)
    return figure


def save(figure: Figure, path: Path) -> tuple[Path, Path]:
    """Write `path` with the suffixes .png and .pdf, without dates or versions in them."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    png, pdf = path.with_suffix(".png"), path.with_suffix(".pdf")
    figure.savefig(png, metadata={"Software": None})
    figure.savefig(pdf, metadata={"Creator": None, "Producer": None, "CreationDate": None})
    return png, pdf
