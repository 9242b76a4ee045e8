"""Pictures inside a page, as data URIs: the page travels as one file."""

import base64
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from experiments.tables.finding import words

FIGURE_PIXELS = 1400  # the width of a figure on a page, at twice its density
THUMBNAIL_PIXELS = 640
WHITE = 250  # grey level, and above


@dataclass(frozen=True)
class Picture:
    """A picture with its size in pixels; `alt` says what it shows.

    drawing: of lines on white, which may be shown as light lines on dark.
    """

    uri: str
    width: int
    height: int
    alt: str
    drawing: bool


@dataclass(frozen=True)
class Plate:
    """A figure, what it shows in words, and the names of its files beside the page."""

    name: str
    caption: str
    picture: Picture
    files: tuple[str, ...]


def photo(image: np.ndarray, alt: str, *, pixels: int) -> Picture:
    """An image (H, W, 3) uint8 of a gallery, reduced to `pixels` on its longer side if larger."""
    reduced = Image.fromarray(image)
    reduced.thumbnail((pixels, pixels), Image.Resampling.LANCZOS)
    return _picture(reduced, alt, quality=88)


def thumbnail(path: Path, alt: str) -> Picture:
    """The upper left of a drawing of ours (PNG), small."""
    with Image.open(path) as image:
        cut = image.convert("RGB").crop(
            (0, 0, image.width, min(image.height, image.width * 5 // 8))
        )
    cut.thumbnail((THUMBNAIL_PIXELS, THUMBNAIL_PIXELS), Image.Resampling.LANCZOS)
    return _picture(cut, alt, quality=82)


def plate(path: Path, name: str) -> Plate:
    """A drawing of ours (PNG), and links to it and to its PDF."""
    with Image.open(path) as image:
        reduced = image.convert("RGB")
    if reduced.width > FIGURE_PIXELS:
        height = round(reduced.height * FIGURE_PIXELS / reduced.width)
        reduced = reduced.resize((FIGURE_PIXELS, height), Image.Resampling.LANCZOS)
    files = tuple(file.name for file in (path, path.with_suffix(".pdf")) if file.is_file())
    caption = words()["figures"].get(name, "")
    alt = f"Figure: {name}" + (f", {caption}" if caption else "")
    return Plate(name, caption, _picture(reduced, alt, quality=82), files)


def webp(image: Image.Image, **options: Any) -> str:
    """An image as a data URI; `options` are Pillow's for WebP."""
    buffer = io.BytesIO()
    image.save(buffer, format="WEBP", **options)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def _picture(image: Image.Image, alt: str, *, quality: int) -> Picture:
    drawing = bool((np.asarray(image.convert("L")) > WHITE).mean() > 0.5)  # most of it is white
    return Picture(webp(image, quality=quality, method=5), *image.size, alt, drawing)
