"""A canvas for flat polygons in one-point perspective.

Polygons are filled on a canvas `SUPERSAMPLING` times as large as the image, once with their own
colour and once with what they are (bed, window pane, lamp shade); a box filter reduces both.
"""

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from experiments.bedrooms.scene import Scene

SUPERSAMPLING = 3
FOCAL_LENGTH = 0.86
HORIZON = 0.27

Colour = tuple[float, float, float]
Point = tuple[float, float, float]

# What a pixel shows, as channels of the second canvas.
BED, PANE, SHADE, OTHER = (255, 0, 0), (0, 255, 0), (0, 0, 255), (0, 0, 0)


class Canvas:
    """Two supersampled images in step: colours, and which pixels are bed, pane or lamp shade."""

    def __init__(self, scene: Scene, size: int) -> None:
        self.scene, self.size = scene, size
        self.extent = size * SUPERSAMPLING
        self.colour = Image.new("RGB", (self.extent, self.extent))
        self.kind = Image.new("RGB", (self.extent, self.extent))
        self.draw_colour, self.draw_kind = ImageDraw.Draw(self.colour), ImageDraw.Draw(self.kind)

    def project(self, point: Point) -> tuple[float, float]:
        """Image coordinates in units of the image's side, (0, 0) top left."""
        x, y, z = point
        scale = FOCAL_LENGTH / z
        return (
            0.5 + scale * (x - self.scene.camera_x),
            HORIZON + scale * (self.scene.camera_y - y),
        )

    def polygon(self, points: list[Point], colour: Colour, kind: tuple = OTHER) -> None:
        flat = [tuple(self.extent * c for c in self.project(p)) for p in points]
        self.draw_colour.polygon(flat, fill=tuple(round(255 * c) for c in colour))
        self.draw_kind.polygon(flat, fill=kind)

    def soft(self, points: list[Point], radius: float) -> np.ndarray:
        """A blurred polygon, (size, size) in [0, 1]; radius in units of the image's side."""
        image = Image.new("L", (self.size, self.size))
        flat = [tuple(self.size * c for c in self.project(p)) for p in points]
        ImageDraw.Draw(image).polygon(flat, fill=255)
        blurred = image.filter(ImageFilter.GaussianBlur(radius * self.size))
        return np.asarray(blurred, np.float32) / 255

    def reduced(self, image: Image.Image) -> np.ndarray:
        """An image of `size`, (size, size, 3) float32 in [0, 1]."""
        return np.asarray(image.reduce(SUPERSAMPLING), np.float32) / 255


def facing(x0: float, x1: float, y0: float, y1: float, z: float) -> list[Point]:
    """A rectangle parallel to the back wall."""
    return [(x0, y0, z), (x1, y0, z), (x1, y1, z), (x0, y1, z)]


def lying(x0: float, x1: float, y: float, z0: float, z1: float) -> list[Point]:
    """A rectangle parallel to the floor."""
    return [(x0, y, z0), (x1, y, z0), (x1, y, z1), (x0, y, z1)]


def upright(x: float, y0: float, y1: float, z0: float, z1: float) -> list[Point]:
    """A rectangle parallel to the side walls."""
    return [(x, y0, z0), (x, y0, z1), (x, y1, z1), (x, y1, z0)]
