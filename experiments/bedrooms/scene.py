"""What a bedroom of the bundled model's training set holds.

A `Scene` is a list of named attributes (what a caption may mention) and of continuous nuisance
parameters (what no caption mentions: where the bed stands, how large the window is, where the
camera stands). Attributes are drawn independently and uniformly, so that a prompt which names some
of them leaves the others open; only the bed steps aside for a window.

The room is a box in metres: x to the right of the room's middle, y up from the floor, z away from
the camera. Its back wall is at z = `ROOM_DEPTH`, its side walls at x = -+`ROOM_HALF_WIDTH`.
"""

from dataclasses import dataclass

import numpy as np

ROOM_HALF_WIDTH = 1.95
ROOM_HEIGHT = 2.5
ROOM_DEPTH = 4.2

# Named colours as sRGB in [0, 1]; beds and rugs use them as they are.
PALETTE: dict[str, tuple[float, float, float]] = {
    "red": (0.82, 0.13, 0.14),
    "yellow": (0.95, 0.83, 0.20),
    "green": (0.20, 0.60, 0.25),
    "teal": (0.08, 0.58, 0.58),
    "blue": (0.15, 0.35, 0.80),
    "purple": (0.47, 0.20, 0.68),
    "pink": (0.95, 0.50, 0.68),
    "white": (0.95, 0.94, 0.92),
    "grey": (0.52, 0.53, 0.55),
}
BED_COLOURS = ("red", "yellow", "green", "teal", "blue", "purple", "pink", "white")
WALL_COLOURS = ("white", "grey", "yellow", "green", "blue", "pink")
RUG_COLOURS = ("red", "yellow", "green", "blue", "purple", "white")
FLOORS = ("wooden", "dark", "tiled", "grey")
SIDES = ("left", "right")
TIMES = ("day", "sunset", "night")


@dataclass(frozen=True)
class Scene:
    """One bedroom. Lengths are metres; `None` stands for a thing that is not there."""

    bed: str
    wall: str
    floor: str
    window: str | None
    lamp: str | None
    picture: bool
    rug: str | None
    time: str
    bed_x: float
    bed_width: float
    bed_length: float
    bed_height: float
    headboard_height: float
    window_x: float
    window_width: float
    window_height: float
    picture_width: float
    picture_height: float
    picture_hue: float
    rug_x: float
    rug_radius: float
    camera_x: float
    camera_y: float
    exposure: float


def sample_scene(rng: np.random.Generator) -> Scene:
    """Draw a scene: a window in two of three, a lamp, a picture and a rug in half of them."""

    def pick(names: tuple[str, ...]) -> str:
        return names[rng.integers(len(names))]

    window = (None, "left", "right")[rng.integers(3)]
    lamp = pick(SIDES) if rng.random() < 0.5 else None
    window_sign = {None: 0.0, "left": -1.0, "right": 1.0}[window]
    bed_x = rng.uniform(-0.5, 0.5) if window is None else -window_sign * rng.uniform(0.15, 0.55)
    return Scene(
        bed=pick(BED_COLOURS),
        wall=pick(WALL_COLOURS),
        floor=pick(FLOORS),
        window=window,
        lamp=lamp,
        picture=bool(rng.random() < 0.5),
        rug=pick(RUG_COLOURS) if rng.random() < 0.5 else None,
        time=pick(TIMES),
        bed_x=bed_x,
        bed_width=rng.uniform(1.25, 1.6),
        bed_length=rng.uniform(1.7, 2.0),
        bed_height=rng.uniform(0.45, 0.6),
        headboard_height=rng.uniform(0.95, 1.2),
        window_x=window_sign * rng.uniform(1.1, 1.22),
        window_width=rng.uniform(0.95, 1.25),
        window_height=rng.uniform(1.1, 1.35),
        picture_width=rng.uniform(0.5, 0.75),
        picture_height=rng.uniform(0.4, 0.6),
        picture_hue=rng.random(),
        rug_x=bed_x - np.sign(bed_x) * rng.uniform(0.35, 0.7),
        rug_radius=rng.uniform(1.05, 1.3),
        camera_x=rng.uniform(-0.35, 0.35),
        camera_y=rng.uniform(1.5, 1.7),
        exposure=rng.uniform(0.94, 1.06),
    )
