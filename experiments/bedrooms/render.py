"""Draw a `Scene`: flat polygons (see `canvas` and `furniture`), lit smoothly.

Light is computed on the small grid: an ambient level set by the time of day, Gaussian pools of
light round the window and a lit lamp, soft shadows. Panes and lit shades emit and take no light.
Few hard edges and no texture finer than a plank, so that a small autoencoder can do it justice.
"""

from functools import lru_cache

import numpy as np

from experiments.bedrooms.canvas import Canvas, Point, lying
from experiments.bedrooms.furniture import (
    SILL,
    draw_bed,
    draw_lamp,
    draw_picture,
    draw_room,
    draw_rug,
    draw_window,
    lamp_x,
)
from experiments.bedrooms.scene import ROOM_DEPTH, Scene

# Per time of day: ambient light, light that a window lets in, sky at the pane's top and bottom.
AMBIENT = {"day": (0.93, 0.94, 0.96), "sunset": (0.90, 0.76, 0.67), "night": (0.40, 0.43, 0.58)}
WINDOW_LIGHT = {
    "day": (0.22, 0.22, 0.20),
    "sunset": (0.36, 0.17, 0.03),
    "night": (0.06, 0.08, 0.14),
}
SKY = {
    "day": ((0.42, 0.69, 0.97), (0.86, 0.94, 1.00)),
    "sunset": ((0.55, 0.33, 0.60), (1.00, 0.62, 0.22)),
    "night": ((0.03, 0.05, 0.16), (0.12, 0.16, 0.36)),
}
LAMP_LIGHT = {"day": (0.0, 0.0, 0.0), "sunset": (0.35, 0.25, 0.10), "night": (0.75, 0.55, 0.25)}


@lru_cache(maxsize=4)
def grid(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Pixel centres (u, v) in units of the image's side, each (size, size)."""
    centres = (np.arange(size, dtype=np.float32) + 0.5) / size
    return np.meshgrid(centres, centres, indexing="xy")


def pool(canvas: Canvas, centre: Point, width: float) -> np.ndarray:
    """A round Gaussian pool of light, (size, size, 1)."""
    u, v = grid(canvas.size)
    u0, v0 = canvas.project(centre)
    return np.exp(-((u - u0) ** 2 + (v - v0) ** 2) / (2 * width**2))[..., None]


def lighting(canvas: Canvas, bed: np.ndarray) -> np.ndarray:
    """Light that falls on each pixel, (size, size, 3); `bed` is its coverage (size, size, 1)."""
    scene = canvas.scene
    u, v = grid(canvas.size)
    vignette = 1.04 - 0.32 * ((u - 0.5) ** 2 + (v - 0.5) ** 2)
    light = np.asarray(AMBIENT[scene.time], np.float32) * vignette[..., None]
    x0, x1 = scene.bed_x - scene.bed_width / 2, scene.bed_x + scene.bed_width / 2
    front = ROOM_DEPTH - 0.06 - scene.bed_length
    shadow = canvas.soft(lying(x0 - 0.12, x1 + 0.12, 0, front - 0.1, ROOM_DEPTH), 0.025)
    light *= 1 - 0.45 * shadow[..., None] * (1 - bed)
    if scene.window is not None:
        centre_y = SILL + scene.window_height / 2
        strength = np.asarray(WINDOW_LIGHT[scene.time], np.float32)
        light += strength * pool(canvas, (scene.window_x, centre_y, ROOM_DEPTH), 0.28)
        x, half = scene.window_x * 0.7, scene.window_width / 2
        beam = canvas.soft(lying(x - half, x + half, 0, 2.1, 3.3), 0.035)
        light += 1.2 * strength * beam[..., None]
    if scene.lamp is not None:
        glow = np.asarray(LAMP_LIGHT[scene.time], np.float32)
        light += glow * pool(canvas, (lamp_x(scene), 0.95, ROOM_DEPTH - 0.25), 0.20)
    return light


def render(scene: Scene, size: int = 64) -> tuple[np.ndarray, np.ndarray]:
    """Draw a scene.

    Returns the image, (size, size, 3) uint8 sRGB, and the bed's mask, (size, size) bool: the pixels
    at least half of which show the bed (headboard, frame, bedding).
    """
    canvas = Canvas(scene, size)
    draw_room(canvas)
    if scene.window is not None:
        draw_window(canvas)
    if scene.picture:
        draw_picture(canvas)
    draw_rug(canvas)
    if scene.lamp is not None:
        draw_lamp(canvas)
    draw_bed(canvas)
    kind = canvas.reduced(canvas.kind)
    bed, pane, lamp = kind[..., :1], kind[..., 1:2], kind[..., 2:]
    image = canvas.reduced(canvas.colour)
    lit = image * lighting(canvas, bed) * scene.exposure
    if scene.time != "day":
        lit += lamp * (image - lit)  # a lit shade shows its own colour
    if scene.window is not None:
        _, v = grid(size)
        _, v0 = canvas.project((0, SILL + scene.window_height, ROOM_DEPTH))
        _, v1 = canvas.project((0, SILL, ROOM_DEPTH))
        height = np.clip((v - v0) / (v1 - v0), 0, 1)[..., None]
        high, low = (np.asarray(c, np.float32) for c in SKY[scene.time])
        lit += pane * (high + height * (low - high) - lit)
    return (255 * np.clip(lit, 0, 1) + 0.5).astype(np.uint8), bed[..., 0] >= 0.5
