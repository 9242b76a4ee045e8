"""Where images of an object come from: a picture, its object's mask and a prompt (paper, 4.2).

A source is a callable `count -> list of ObjectImage`, or of what says why there is none. The first
`n` of a source never depend on `count`, as with prompts.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from experiments.errors import UsageError
from experiments.inputs import pictures, text

CARD = "card.json"
# Training draws its scenes from stream 0, the bundled model's assessment from 1 and 2.
STREAM = 3
EXACT = "exact, from the renderer"


@dataclass(frozen=True, eq=False)
class ObjectImage:
    """A picture whose object is to be kept.

    Attributes:
        id: names the picture, and with it the galleries that are made of it.
        prompt: what a text-to-image model is told.
        image: (H, W, 3) uint8.
        mask: (H, W) bool, true on the object.
        segmenter: what made the mask, for the reader of a table.
    """

    id: str
    prompt: str
    image: np.ndarray
    mask: np.ndarray
    segmenter: str


@dataclass(frozen=True)
class Unusable:
    """A picture that is left out, and why."""

    id: str
    reason: str


def rendered(count: int, *, seed: int, image_size: int, prompt: str) -> list[ObjectImage]:
    """Held-out scenes of the bundled models: drawn at the model's size, with the bed's exact mask.

    No seed gives a scene of the training set.
    """
    from experiments.bedrooms import render, sample_scene

    images = []
    for index in range(count):
        image, mask = render(sample_scene(np.random.default_rng((STREAM, seed, index))), image_size)
        images.append(ObjectImage(f"scene-{seed}-{index}", prompt, image, mask, EXACT))
    return images


def from_folder(
    count: int, *, path: str, image_size: int, prompt: str, remedy: str
) -> list[ObjectImage | Unusable]:
    """The first `count` pictures of a folder that `scripts/prepare_lsun.py` has written.

    Its card.json lists them: {"segmenter": {"segmenter": NAME, "implementation": ...}, "images":
    [{"id": ..., "image": FILE, "mask": FILE}, ...], "failures": [ID, ...]}, masks white on the
    object. Failures, in which the segmenter found no object, come last. `remedy` is what to do when
    there is no such folder.

    A file that cannot be read, or of another size, makes its picture unusable, and no other.

    Raises:
        UsageError: no card, or too few pictures.
    """
    folder = Path(path)
    if not (folder / CARD).is_file():
        raise UsageError(f"{folder / CARD} does not exist: {remedy}")
    try:
        card = json.loads("\n".join(text.lines(folder / CARD)))
        made_by = card["segmenter"]
        segmenter = ", ".join(made_by[k] for k in ("segmenter", "implementation") if k in made_by)
        rows = [(row["id"], folder / row["image"], folder / row["mask"]) for row in card["images"]]
        failures = [Unusable(name, f"{segmenter} found no object") for name in card["failures"]]
    except (ValueError, KeyError, TypeError):
        raise UsageError(f"{folder / CARD} is no card of object images: {remedy}") from None
    if (there := len(rows) + len(failures)) < count:
        raise UsageError(
            f"{path} has {there} object images, {count} were asked for: "
            f"ask for {there}, or prepare more"
        )
    found: list[ObjectImage | Unusable] = []
    for name, image, mask in rows[:count]:
        try:
            pixels = _sized(image, pictures.read(image, of=path).pixels, image_size)
            object_mask = _sized(mask, pictures.read(mask, of=path).grey, image_size)
        except UsageError as error:
            found.append(Unusable(name, str(error)))
        else:
            found.append(ObjectImage(name, prompt, pixels, object_mask > 127, segmenter))
    return [*found, *failures][:count]


def _sized(path: Path, pixels: np.ndarray, size: int) -> np.ndarray:
    if pixels.shape[:2] != (size, size):
        height, width = pixels.shape[:2]
        raise UsageError(f"{path.name} is {height} x {width}, the model's images {size} x {size}")
    return pixels
