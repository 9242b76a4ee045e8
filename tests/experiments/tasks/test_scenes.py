"""Object images: held out from training, exact masks, and the folder's one-line failures."""

import json

import numpy as np
import pytest
from PIL import Image

from experiments.bedrooms import sample_scene
from experiments.errors import UsageError
from experiments.tasks.scenes import STREAM, Unusable, from_folder, rendered

PROMPT = "a bedroom"
SEGMENTER = {"segmenter": "mask_rcnn", "weights": "sha256:0", "implementation": "torchvision 1"}


def test_scenes_are_a_function_of_the_seed_and_their_place():
    few = rendered(3, seed=0, image_size=32, prompt=PROMPT)
    many = rendered(5, seed=0, image_size=32, prompt=PROMPT)
    other = rendered(3, seed=1, image_size=32, prompt=PROMPT)
    for one, same, another in zip(few, many, other, strict=False):
        assert one.id == same.id != another.id
        assert np.array_equal(one.image, same.image) and np.array_equal(one.mask, same.mask)
        assert not np.array_equal(one.image, another.image)
    assert len({scene.id for scene in many + other}) == 8


def test_no_scene_is_one_of_training_or_assessment():
    """Their streams are (0, i), (1, i) and (2, i); trailing zeros of a seed do not count."""
    ours = {
        sample_scene(np.random.default_rng((STREAM, seed, i))) for seed in (0, 1) for i in (0, 9)
    }
    theirs = {sample_scene(np.random.default_rng((s, i))) for s in (0, 1, 2) for i in range(300)}
    assert not ours & theirs and STREAM not in (0, 1, 2)


@pytest.mark.parametrize("size", [32, 64])
def test_masks_have_the_models_size_and_two_parts(size):
    for scene in rendered(8, seed=0, image_size=size, prompt=PROMPT):
        assert scene.image.shape == (size, size, 3) and scene.image.dtype == np.uint8
        assert scene.mask.shape == (size, size) and scene.mask.dtype == bool
        assert 0.1 < scene.mask.mean() < 0.5


@pytest.fixture
def folder(tmp_path):
    rows = []
    for scene in rendered(3, seed=0, image_size=32, prompt=PROMPT):
        row = {"id": scene.id, "image": f"{scene.id}.png", "mask": f"{scene.id}-mask.png"}
        Image.fromarray(scene.image).save(tmp_path / row["image"])
        Image.fromarray(scene.mask).save(tmp_path / row["mask"])
        rows.append(row)
    write(tmp_path, {"segmenter": SEGMENTER, "images": rows, "failures": ["bedless"]})
    return tmp_path


def write(folder, card):
    (folder / "card.json").write_text(json.dumps(card))


def read(folder, count=3, image_size=32):
    return from_folder(
        count, path=str(folder), image_size=image_size, prompt=PROMPT, remedy="run the script"
    )


def test_a_folder_gives_back_what_was_written(folder):
    for ours, theirs in zip(
        rendered(3, seed=0, image_size=32, prompt=PROMPT), read(folder), strict=True
    ):
        assert (ours.id, ours.prompt) == (theirs.id, theirs.prompt)
        assert np.array_equal(ours.image, theirs.image) and np.array_equal(ours.mask, theirs.mask)
    assert [scene.id for scene in read(folder, count=2)] == ["scene-0-0", "scene-0-1"]
    assert {scene.segmenter for scene in read(folder)} == {"mask_rcnn, torchvision 1"}


def test_failures_of_a_folder_say_what_to_do(folder, tmp_path):
    with pytest.raises(UsageError, match=r"nowhere/card\.json does not exist: run the script"):
        read(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="has 4 object images, 5 were asked for"):
        read(folder, count=5)
    (folder / "card.json").write_text("[]")
    with pytest.raises(UsageError, match="is no card of object images"):
        read(folder)


def test_a_picture_that_cannot_be_had_costs_itself_alone(folder):
    """A damaged mask, and after all images what the segmenter found nothing in."""
    (folder / "scene-0-1-mask.png").write_bytes(b"no image")
    first, damaged, third, bedless = read(folder, count=4)
    assert (first.id, third.id) == ("scene-0-0", "scene-0-2")
    assert isinstance(damaged, Unusable) and damaged.id == "scene-0-1"
    assert "scene-0-1-mask.png is no image that can be read" in damaged.reason
    assert bedless == Unusable("bedless", "mask_rcnn, torchvision 1 found no object")
    for picture in read(folder, image_size=64):
        assert isinstance(picture, Unusable)
    assert picture.reason == "scene-0-2.png is 32 x 32, the model's images 64 x 64"
