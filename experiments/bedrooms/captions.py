"""Captions of scenes, each of which mentions a random part of what is there.

Grammar: "a bedroom", then "with" and a list of things in a fixed order (bed, walls, floor, window,
lamp, picture, rug), then the time of day: "a bedroom with a red bed and a rug at night". What a
caption does not mention is open: nothing is said about it, not that it is missing.
"""

import numpy as np

from experiments.bedrooms.scene import Scene, sample_scene

TIME_PHRASES = {"day": "in daylight", "sunset": "at sunset", "night": "at night"}
# How often a training caption mentions 0, 1, ... attributes, and how often a prompt does.
CAPTION_WEIGHTS = (0.04, 0.20, 0.22, 0.22, 0.18, 0.14)
PROMPT_WEIGHTS = (0.02, 0.20, 0.40, 0.38)


def mentions(scene: Scene, rng: np.random.Generator) -> list[str]:
    """A phrase for every thing that is there, in the order of the grammar, time of day last.

    A window or a lamp is named with its side, a rug with its colour, in half of the draws.
    """
    window = f"a window on the {scene.window}" if rng.random() < 0.5 else "a window"
    lamp = f"a lamp on the {scene.lamp}" if rng.random() < 0.5 else "a lamp"
    rug = f"a {scene.rug} rug" if rng.random() < 0.5 else "a rug"
    there = {window: scene.window, lamp: scene.lamp, "a picture": scene.picture, rug: scene.rug}
    phrases = [f"a {scene.bed} bed", f"{scene.wall} walls", f"a {scene.floor} floor"]
    phrases += [phrase for phrase, thing in there.items() if thing]
    return [*phrases, TIME_PHRASES[scene.time]]


def sentence(things: list[str], time: str | None) -> str:
    """Join phrases: "a bedroom with A, B and C TIME"."""
    words = "a bedroom"
    if things:
        words += " with " + " and ".join(filter(None, [", ".join(things[:-1]), things[-1]]))
    return words if time is None else f"{words} {time}"


def caption(
    scene: Scene, rng: np.random.Generator, weights: tuple[float, ...] = CAPTION_WEIGHTS
) -> str:
    """A true caption of `scene` that mentions n attributes with probability weights[n]."""
    phrases = mentions(scene, rng)
    count = min(int(np.searchsorted(np.cumsum(weights), rng.random())), len(phrases))
    chosen = np.sort(rng.permutation(len(phrases))[:count])
    last = len(phrases) - 1
    time = phrases[last] if last in chosen else None
    return sentence([phrases[i] for i in chosen if i != last], time)


def prompts(count: int, *, seed: int) -> list[str]:
    """`count` distinct captions of at most three attributes; a longer list begins with a shorter.

    Raises ValueError for a count that is negative or above 3,000.
    """
    if not 0 <= count <= 3000:
        raise ValueError(f"count must lie between 0 and 3000, not {count}")
    rng = np.random.default_rng(seed)
    found: dict[str, None] = {}
    while len(found) < count:
        found.setdefault(caption(sample_scene(rng), rng, PROMPT_WEIGHTS))
    return list(found)
