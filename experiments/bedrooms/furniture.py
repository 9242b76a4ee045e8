"""What stands in a room: each function draws one thing of a canvas's scene, far things first."""

import numpy as np

from experiments.bedrooms.canvas import BED, PANE, SHADE, Canvas, Colour, facing, lying, upright
from experiments.bedrooms.scene import PALETTE, ROOM_DEPTH, ROOM_HALF_WIDTH, ROOM_HEIGHT, Scene

SILL = 1.0  # height of a window's lower edge
FLOOR_COLOURS: dict[str, Colour] = {
    "wooden": (0.74, 0.53, 0.33),
    "dark": (0.36, 0.24, 0.17),
    "tiled": (0.80, 0.77, 0.72),
    "grey": (0.55, 0.56, 0.59),
}
WOOD: Colour = (0.48, 0.31, 0.19)
LINEN: Colour = (0.97, 0.96, 0.93)
LAMP_SHADE = {"day": (0.93, 0.88, 0.76), "sunset": (1.0, 0.90, 0.62), "night": (1.0, 0.90, 0.60)}


def mix(a: Colour, b: Colour, share: float) -> Colour:
    """`a` with a `share` in [0, 1] of `b`."""
    red, green, blue = (x + share * (y - x) for x, y in zip(a, b, strict=True))
    return red, green, blue


def shade(colour: Colour, factor: float) -> Colour:
    red, green, blue = (min(1.0, factor * x) for x in colour)
    return red, green, blue


def draw_room(canvas: Canvas) -> None:
    scene, near = canvas.scene, 0.6
    side, top, back = ROOM_HALF_WIDTH, ROOM_HEIGHT, ROOM_DEPTH
    wall = mix(PALETTE[scene.wall], (0.97, 0.95, 0.92), 0.45)
    canvas.polygon(lying(-side, side, top, near, back), mix(wall, (0.97, 0.96, 0.95), 0.75))
    canvas.polygon(facing(-side, side, 0, top, back), wall)
    canvas.polygon(upright(-side, 0, top, near, back), shade(wall, 0.88))
    canvas.polygon(upright(side, 0, top, near, back), shade(wall, 0.84))
    floor = FLOOR_COLOURS[scene.floor]
    canvas.polygon(lying(-side, side, 0, near, back), floor)
    if scene.floor in ("wooden", "dark"):
        for plank in range(0, 8, 2):
            x = -side + plank * side / 4
            canvas.polygon(lying(x, x + side / 4, 0, near, back), shade(floor, 0.91))
    if scene.floor == "tiled":
        for column in range(6):
            for row in range(column % 2, 6, 2):
                x, z = -side + column * side / 3, back - (row + 1) * side / 3
                tile = lying(x, x + side / 3, 0, max(z, near), z + side / 3)
                canvas.polygon(tile, shade(floor, 0.88))
    canvas.polygon(facing(-side, side, 0, 0.1, back), mix(wall, LINEN, 0.7))


def draw_window(canvas: Canvas) -> None:
    scene, z = canvas.scene, ROOM_DEPTH
    x, half, low = scene.window_x, scene.window_width / 2, SILL
    high = low + scene.window_height
    canvas.polygon(facing(x - half, x + half, low, high, z), LINEN)
    for x0, x1 in ((x - half + 0.06, x - 0.03), (x + 0.03, x + half - 0.06)):
        canvas.polygon(facing(x0, x1, low + 0.07, high - 0.07, z), LINEN, PANE)


def draw_picture(canvas: Canvas) -> None:
    scene, z = canvas.scene, ROOM_DEPTH
    x, half, low = scene.bed_x, scene.picture_width / 2, 1.45
    high = low + scene.picture_height
    canvas.polygon(facing(x - half, x + half, low, high, z), shade(WOOD, 0.8))
    art = facing(x - half + 0.06, x + half - 0.06, low + 0.06, high - 0.06, z)
    hue = mix((0.85, 0.55, 0.40), (0.45, 0.65, 0.75), scene.picture_hue)
    canvas.polygon(art, mix(hue, LINEN, 0.5))
    hill = [(x - half + 0.06, low + 0.06, z), (x + half - 0.06, low + 0.06, z),
            (x + half - 0.06, low + 0.3 * scene.picture_height, z),
            (x - 0.1 * half, low + 0.65 * scene.picture_height, z),
            (x - half + 0.06, low + 0.35 * scene.picture_height, z)]  # fmt: skip
    canvas.polygon(hill, shade(hue, 0.8))


def draw_rug(canvas: Canvas) -> None:
    scene, angles = canvas.scene, np.linspace(0, 2 * np.pi, 28, endpoint=False).tolist()
    if scene.rug is None:
        return
    colour = PALETTE[scene.rug]
    for radius, fill in ((scene.rug_radius, shade(colour, 0.8)), (scene.rug_radius - 0.14, colour)):
        x, z = scene.rug_x, 2.75
        ring = [(x + radius * np.cos(a), 0.0, z + 0.62 * radius * np.sin(a)) for a in angles]
        canvas.polygon(ring, fill)


def lamp_x(scene: Scene) -> float:
    sign = -1 if scene.lamp == "left" else 1
    return scene.bed_x + sign * (scene.bed_width / 2 + 0.27)


def draw_lamp(canvas: Canvas) -> None:
    scene, x = canvas.scene, lamp_x(canvas.scene)
    front, back = ROOM_DEPTH - 0.45, ROOM_DEPTH - 0.03
    inner = x + 0.2 if x < scene.camera_x else x - 0.2
    canvas.polygon(upright(inner, 0, 0.5, front, back), shade(WOOD, 0.75))
    canvas.polygon(facing(x - 0.2, x + 0.2, 0, 0.5, front), shade(WOOD, 0.95))
    canvas.polygon(lying(x - 0.2, x + 0.2, 0.5, front, back), shade(WOOD, 1.25))
    z = ROOM_DEPTH - 0.25
    canvas.polygon(facing(x - 0.04, x + 0.04, 0.5, 0.8, z), (0.35, 0.30, 0.26))
    shade_shape = [(x - 0.2, 0.78, z), (x + 0.2, 0.78, z), (x + 0.12, 1.12, z), (x - 0.12, 1.12, z)]
    canvas.polygon(shade_shape, LAMP_SHADE[scene.time], SHADE)


def draw_bed(canvas: Canvas) -> None:
    scene = canvas.scene
    colour, linen = PALETTE[scene.bed], LINEN
    x0, x1 = scene.bed_x - scene.bed_width / 2, scene.bed_x + scene.bed_width / 2
    back, top = ROOM_DEPTH - 0.06, scene.bed_height
    front = back - scene.bed_length
    fold, pillow = back - 0.62, back - 0.1
    canvas.polygon(facing(x0 - 0.05, x1 + 0.05, 0, scene.headboard_height, back), WOOD, BED)
    inner = facing(x0 + 0.05, x1 - 0.05, 0, scene.headboard_height - 0.1, back)
    canvas.polygon(inner, shade(WOOD, 1.18), BED)
    for x in (x0, x1):
        if (x - scene.camera_x) * (x - scene.bed_x) < 0:  # only the side that faces the camera
            canvas.polygon(upright(x, 0.0, top, front, back), shade(colour, 0.66), BED)
    canvas.polygon(lying(x0, x1, top, front, back), linen, BED)
    canvas.polygon(lying(x0, x1, top, front, fold), colour, BED)
    canvas.polygon(lying(x0, x1, top, fold - 0.16, fold), mix(colour, linen, 0.55), BED)
    canvas.polygon(facing(x0, x1, 0.1, top, front), shade(colour, 0.78), BED)
    canvas.polygon(facing(x0, x1, 0.0, 0.1, front), shade(WOOD, 0.7), BED)
    half = scene.bed_width / 4
    for x in (scene.bed_x - half, scene.bed_x + half):
        w = half - 0.07
        low, seam, high = top + 0.03, top + 0.2, top + 0.27
        cushion = [
            (x - w, low, fold + 0.1),
            (x + w, low, fold + 0.1),
            (x + 1.02 * w, seam, pillow - 0.08),
            (x + 0.8 * w, high, pillow),
            (x - 0.8 * w, high, pillow),
            (x - 1.02 * w, seam, pillow - 0.08),
        ]
        canvas.polygon(cushion, shade(linen, 0.93), BED)
