"""Laws of the rendered bedrooms: same seed same scene, exact masks, true captions."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import CLIPModel, CLIPTokenizer

import experiments.models
from experiments.bedrooms import BED_COLOURS, Scene, caption, prompts, render, sample_scene
from experiments.bedrooms.captions import TIME_PHRASES
from experiments.errors import UsageError
from experiments.tasks import captions

SEEDS = range(12)


def scene_of(seed: int) -> Scene:
    return sample_scene(np.random.default_rng(seed))


def dilate(mask: np.ndarray) -> np.ndarray:
    """The mask and its eight neighbours."""
    padded = np.pad(mask, 1)
    height, width = mask.shape
    shifts = [(i, j) for i in range(3) for j in range(3)]
    return np.any([padded[i : i + height, j : j + width] for i, j in shifts], axis=0)


def claims(text: str) -> dict[str, str]:
    """What a caption says, attribute by attribute, read without the grammar that wrote it."""
    patterns = {
        "bed": r"an? (\w+) bed\b",
        "wall": r"(\w+) walls",
        "floor": r"a (\w+) floor",
        "window": r"(a window)",
        "window_side": r"a window on the (\w+)",
        "lamp": r"(a lamp)",
        "lamp_side": r"a lamp on the (\w+)",
        "picture": r"(a picture)",
        "rug": r"(rug)",
        "rug_colour": r"a (\w+) rug",
        "time": r"(in daylight|at sunset|at night)$",
    }
    found = {name: re.search(pattern, text) for name, pattern in patterns.items()}
    return {name: match.group(1) for name, match in found.items() if match}


@pytest.mark.parametrize("seed", SEEDS)
def test_scene_and_picture_depend_on_the_seed_alone(seed: int) -> None:
    assert scene_of(seed) == scene_of(seed)
    (image, mask), (again, mask_again) = render(scene_of(seed)), render(scene_of(seed))
    assert np.array_equal(image, again) and np.array_equal(mask, mask_again)
    assert image.shape == (64, 64, 3) and image.dtype == np.uint8
    assert mask.shape == (64, 64) and mask.dtype == bool


@pytest.mark.parametrize("seed", SEEDS)
def test_mask_is_where_the_bed_is_drawn(seed: int) -> None:
    """Repainting the bed changes pixels of the mask and none beyond its border."""
    scene = scene_of(seed)
    image, mask = render(replace(scene, bed="red"))
    repainted, same_mask = render(replace(scene, bed="teal"))
    changed = np.abs(image.astype(int) - repainted).max(axis=-1) > 3
    assert np.array_equal(mask, same_mask)
    assert 0.1 < mask.mean() < 0.5
    assert not (changed & ~dilate(mask)).any()
    assert (changed & mask).sum() > 0.4 * mask.sum()


def test_mask_scales_with_the_picture() -> None:
    scene = scene_of(0)
    small, large = render(scene, 32)[1], render(scene, 128)[1]
    assert abs(small.mean() - large.mean()) < 0.01


def test_times_of_day_differ_in_brightness_and_warmth() -> None:
    scene = replace(scene_of(1), lamp=None)
    day, sunset, night = (render(replace(scene, time=t))[0].mean((0, 1)) for t in TIME_PHRASES)
    assert night.mean() < 0.7 * sunset.mean() < 0.7 * day.mean()
    assert sunset[0] / sunset[2] > 1.15 * day[0] / day[2]


@pytest.mark.parametrize("seed", range(200))
def test_captions_are_true_of_their_scene(seed: int) -> None:
    scene = scene_of(seed)
    truth = {
        "bed": scene.bed,
        "wall": scene.wall,
        "floor": scene.floor,
        "window": "a window" if scene.window else None,
        "window_side": scene.window,
        "lamp": "a lamp" if scene.lamp else None,
        "lamp_side": scene.lamp,
        "picture": "a picture" if scene.picture else None,
        "rug": "rug" if scene.rug else None,
        "rug_colour": scene.rug,
        "time": TIME_PHRASES[scene.time],
    }
    rng = np.random.default_rng(seed)
    for _ in range(5):
        text = caption(scene, rng)
        assert text.startswith("a bedroom")
        assert all(truth[name] == said for name, said in claims(text).items()), text


def test_grammar_holds_the_phrases_that_prompts_are_built_from() -> None:
    rng = np.random.default_rng(0)
    texts = {caption(sample_scene(rng), rng) for _ in range(5000)}
    assert {f"a bedroom with a {colour} bed" for colour in BED_COLOURS} <= texts
    assert "a bedroom" in texts and "a bedroom at night" in texts


def test_prompts_are_distinct_open_and_prefix_stable() -> None:
    many = prompts(3000, seed=0)
    assert len(set(many)) == 3000
    assert prompts(24, seed=0) == prompts(48, seed=0)[:24] == many[:24]
    assert prompts(24, seed=1) != many[:24]
    sides = ("window_side", "lamp_side", "rug_colour")
    assert max(len([k for k in claims(text) if k not in sides]) for text in many) <= 3


@pytest.mark.parametrize("count", [-1, 3001])
def test_prompts_refuse_a_count_they_cannot_serve(count: int) -> None:
    with pytest.raises(ValueError, match="count"):
        prompts(count, seed=0)


def test_bundled_clip_and_its_tokenizer_name_the_beds_of_new_scenes() -> None:
    """Weights and vocabulary belong together: token ids that moved show as a lower accuracy."""
    folder = Path(experiments.models.__file__).parent / "tiny" / "clip"
    clip = CLIPModel.from_pretrained(folder, dtype=torch.float32).eval()
    tokens = CLIPTokenizer.from_pretrained(folder)(
        [f"a bedroom with a {colour} bed" for colour in BED_COLOURS], return_tensors="pt"
    )
    scenes = [sample_scene(np.random.default_rng((1, i))) for i in range(100)]
    pixels = torch.from_numpy(np.stack([render(scene)[0] for scene in scenes]))
    with torch.inference_mode():
        scores = clip(
            **tokens, pixel_values=pixels.permute(0, 3, 1, 2).float() / 127.5 - 1
        ).logits_per_image
    named = [BED_COLOURS[i] for i in scores.argmax(dim=1).tolist()]
    assert sum(a == scene.bed for a, scene in zip(named, scenes, strict=True)) >= 90


def test_more_captions_than_there_are_is_told_in_a_line():
    with pytest.raises(UsageError, match="up to 3000"):
        captions(3001, seed=0)
