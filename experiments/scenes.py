"""Where images of an object come from: a picture, its object's mask and a prompt (paper, 4.2).

A source is a callable `count -> list of ObjectImage`. The first `n` of a source never depend on
`count`, as with prompts.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from experiments.errors import UsageError

CARD = "card.json"
# Training draws its scenes from stream 0, the bundled model's assessment from 1 and 2.
STREAM = 3


@dataclass(frozen=True, eq=False)
class ObjectImage:
    """A picture whose object is to be kept.

    Attributes:
        id: names the picture, and with it the galleries that are made of it.
        prompt: what a text-to-image model is told.
        image: (H, W, 3) uint8.
        mask: (H, W) bool, true on the object.
    """

    id: str
    prompt: str
    image: np.ndarray
    mask: np.ndarray


def rendered(count: int, *, seed: int, image_size: int, prompt: str) -> list[ObjectImage]:
    """Held-out scenes of the bundled models: drawn at the model's size, with the bed's exact mask.

    No seed gives a scene of the training set.
    """
    from experiments.bedrooms import render, sample_scene

    images = []
    for index in range(count):
        image, mask = render(sample_scene(np.random.default_rng((STREAM, seed, index))), image_size)
        images.append(ObjectImage(f"scene-{seed}-{index}", prompt, image, mask))
    return images


def from_folder(
    count: int, *, path: str, image_size: int, prompt: str, remedy: str
) -> list[ObjectImage]:
    """The first `count` pictures of a folder that `scripts/prepare_lsun.py` has written.

    Its card.json lists them: {"images": [{"id": ..., "image": FILE, "mask": FILE}, ...]}, masks
    white on the object. `remedy` is what to do when there is no such folder.

    Raises:
        UsageError: no card, too few pictures, a file that cannot be read or is of another size.
    """
    folder = Path(path)
    try:
        rows = json.loads((folder / CARD).read_text(encoding="utf-8"))["images"]
        rows = [(row["id"], folder / row["image"], folder / row["mask"]) for row in rows]
    except OSError:
        raise UsageError(f"{folder / CARD} does not exist: {remedy}") from None
    except (ValueError, KeyError, TypeError):
        raise UsageError(f"{folder / CARD} is no card of object images: {remedy}") from None
    if len(rows) < count:
        raise UsageError(
            f"{path} has {len(rows)} object images, {count} were asked for: "
            f"ask for {len(rows)}, or prepare more"
        )
    return [
        ObjectImage(
            name,
            prompt,
            image=_read(image, "RGB", image_size, remedy),
            mask=_read(mask, "L", image_size, remedy) > 127,
        )
        for name, image, mask in rows[:count]
    ]


def _read(path: Path, mode: str, size: int, remedy: str) -> np.ndarray:
    try:
        with Image.open(path) as image:
            pixels = np.asarray(image.convert(mode))
    except (UnidentifiedImageError, OSError) as error:
        raise UsageError(f"{path} cannot be read ({error}): {remedy}") from None
    if pixels.shape[:2] != (size, size):
        height, width = pixels.shape[:2]
        raise UsageError(
            f"{path} is {height} x {width}, the model's images are {size} x {size}: {remedy}"
        )
    return pixels
