"""The one reader of pictures: as a viewer shows them, in 8 bits of RGB.

Depths and modes are converted by value, EXIF's orientation is applied, transparency is composed on
white. ICC profiles are not applied. A file that cannot be read so is refused.
"""

import io
import sys
import warnings
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from experiments.errors import UsageError
from experiments.inputs.text import shown

READ = {".png", ".jpg", ".jpeg", ".jfif", ".webp", ".bmp", ".tif", ".tiff"}
NOT_READ = {
    *(".gif", ".apng", ".avif", ".heic", ".heif", ".jxl", ".jp2", ".j2k", ".svg", ".ico", ".tga"),
    *(".psd", ".exr", ".hdr", ".dng", ".cr2", ".nef", ".arw", ".ppm", ".pgm", ".pbm", ".pnm"),
    *(".pcx", ".dds", ".qoi", ".eps", ".xcf"),
}
"""Suffixes of pictures, in lower case."""

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF")
SIXTEEN = 65535
MOST_PIXELS = 100_000_000
"""More is taken for a decompression bomb."""


@dataclass(frozen=True, eq=False)
class Picture:
    """What is seen: pixels (H, W, 3) uint8; `composed`: whether white shows through them."""

    pixels: np.ndarray
    composed: bool

    @property
    def grey(self) -> np.ndarray:
        """The luma (ITU-R 601), (H, W) uint8."""
        return np.asarray(Image.fromarray(self.pixels).convert("L"))


def read(path: Path, *, of: str = "") -> Picture:
    """The picture in a file. That it was composed on white is told once for all `of` a place.

    Raises:
        UsageError: it is not there, broken, too large, of several frames or of numbers without an
            agreed white.
    """
    try:
        picture = _decoded(path.read_bytes())
    except Exception as error:  # decoders raise whatever they like
        raise UsageError(f"{shown(path)} is no image that can be read: {_why(error)}") from None
    if picture.composed:
        _tell(of or str(path.parent))
    return picture


@cache
def _tell(place: str) -> None:
    note = f"note: {place} has pictures with transparency; they are composed on white"
    print(note, file=sys.stderr)


def _why(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return f"it is none of {', '.join(FORMATS)}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).split()) or type(error).__name__


def _decoded(data: bytes) -> Picture:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of bombs and broken metadata; what matters is checked
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            width, height = image.size
            if width * height > MOST_PIXELS:
                raise ValueError(f"{width} x {height} pixels are more than {MOST_PIXELS:,}")
            if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":  # phones save these
                raise ValueError("it has several frames; save one of them")
            image.load()
            return seen(image)


def seen(image: Image.Image) -> Picture:
    """What a viewer shows of an image. Raises ValueError for numbers without an agreed white."""
    return _composed(_eight_bits(ImageOps.exif_transpose(image)))


def _eight_bits(image: Image.Image) -> Image.Image:
    """The image in 8 bits a channel, by value, in any mode."""
    if image.mode.startswith("I;16"):
        values = np.asarray(image.convert("I"))
        grey = Image.fromarray(np.rint(values * (255 / SIXTEEN)).astype(np.uint8))
        if (clear := image.info.get("transparency")) is None:
            return grey
        return Image.merge("LA", (grey, Image.fromarray((values != clear) * np.uint8(255))))
    if image.mode == "I":
        raise ValueError("integers of 32 bits have no agreed white; save 8 or 16 bits")
    if image.mode == "F":
        values = np.asarray(image)
        if not (np.isfinite(values).all() and values.min() >= 0 and values.max() <= 1):
            raise ValueError("its floats leave [0, 1], so white is unknown; save 8 or 16 bits")
        return Image.fromarray(np.rint(values * 255).astype(np.uint8))
    return image


def _composed(image: Image.Image) -> Picture:
    if not image.has_transparency_data:
        return Picture(np.asarray(image.convert("RGB")), composed=False)
    with_alpha = image.convert("RGBA")
    if np.asarray(with_alpha)[..., 3].min() == 255:  # opaque all over
        return Picture(np.asarray(with_alpha.convert("RGB")), composed=False)
    white = Image.new("RGBA", image.size, "white")
    seen = Image.alpha_composite(white, with_alpha).convert("RGB")
    return Picture(np.asarray(seen), composed=True)
