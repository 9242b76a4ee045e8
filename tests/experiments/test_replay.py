"""An image is made again from its own metadata, equal to the bit, and nothing else is called."""

import json
import random
import shutil

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from experiments.compose import compose
from experiments.galleries.gallery import METADATA_KEY, image_metadata
from experiments.replay import main, replay
from experiments.run import run

OVERRIDES = [
    "model.num_steps=2",
    "model.guidance=3.0",
    "task.num_prompts=3",
    "workers.galleries_per_batch=2",
    "coupling.size=4",
    "seed=5",
]


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Twelve images: three prompts of three members, grown to four."""
    folder = tmp_path_factory.mktemp("run")
    for size in (3, 4):
        here = [f"output_dir={folder / 'outputs'}", f"results_dir={folder / 'results'}"]
        everything = [*OVERRIDES, *here, f"task.gallery_size={size}"]
        run(compose(everything), overrides=everything)
    return sorted(folder.glob("outputs/*/galleries/*/*.png"))


def altered(path, target, *, pixel=0, **changes):
    """A copy with another pixel or other metadata."""
    with Image.open(path) as image:
        pixels = np.array(image)
    pixels[0, 0, 0] ^= pixel
    text = PngImagePlugin.PngInfo()
    text.add_text(METADATA_KEY, json.dumps(image_metadata(path) | changes))
    Image.fromarray(pixels).save(target, pnginfo=text)
    return str(target)


def test_every_image_of_a_run_is_made_again_to_the_bit(images):
    assert len(images) == 12
    for _, difference in replay(random.Random(0).sample(images, 12)):
        assert not difference.any()


def test_one_member_alone_elsewhere_suffices(images, tmp_path, capsys):
    alone = shutil.copy(next(path for path in images if path.name == "2.png"), tmp_path / "x.png")
    assert main([str(alone)]) == 0
    assert capsys.readouterr().out == f"{alone}: equal to the bit\n"


def test_optimised_noises_are_made_again(tmp_path):
    overrides = ["model.num_steps=2", "task.num_prompts=1", "optimizer=preview_cno"]
    overrides += [f"output_dir={tmp_path / 'outputs'}", f"results_dir={tmp_path / 'results'}"]
    run(compose(overrides), overrides=overrides)
    assert main([str(path) for path in tmp_path.glob("outputs/*/galleries/*/*.png")]) == 0


def test_another_pixel_is_told_and_fails(images, tmp_path, capsys):
    changed = altered(images[0], tmp_path / "changed.png", pixel=4)
    assert main([changed]) == 1
    assert "1 of 12288 values differ, by at most 4 of 255 grey levels" in capsys.readouterr().out


def test_another_seed_makes_another_image(images, tmp_path):
    assert main([altered(images[0], tmp_path / "seed.png", seed=6)]) == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"coupling": {"_target_": "os.system", "command": "touch {}"}}, "not of this suite"),
        (
            {"coupling": {"_target_": "coupling.iid", "size": {"_target_": "os.getpid"}}},
            "not of this suite",
        ),
        ({"coupling": {"_target_": "coupling.matrix.torch.load", "f": "x"}}, "not of this suite"),
        ({"model": {"_target_": "os.system", "name": "tiny"}}, "not of this suite"),
        ({"model": {"_target_": "x", "name": "gone"}}, "gone"),
        ({"batch": {"members": [0], "galleries": 1, "execution": {"threads": "x"}}}, "x threads"),
        ({"batch": {"members": [0], "galleries": 1}}, "does not say its execution"),
    ],
)
def test_what_a_file_names_is_not_called_unless_it_is_ours(
    images, tmp_path, changes, message, capsys
):
    assert main([altered(images[0], tmp_path / "theirs.png", **changes)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and message in error and error.count("\n") == 1


def test_other_weights_are_refused(images, tmp_path, capsys):
    model = image_metadata(images[0])["model"] | {"weights": "sha256:0"}
    assert main([altered(images[0], tmp_path / "weights.png", model=model)]) == 2
    assert "was made with other weights" in capsys.readouterr().err


def test_a_file_that_is_no_image_of_ours_is_refused(tmp_path, capsys):
    (tmp_path / "text.png").write_text("no image")
    Image.new("RGB", (8, 8)).save(tmp_path / "theirs.jpg")
    for name, message in {
        "text.png": "cannot be read as an image",
        "theirs.jpg": "does not say how it was made",
        "gone.png": "cannot be read",
    }.items():
        assert main([str(tmp_path / name)]) == 2
        assert message in capsys.readouterr().err


def test_an_image_made_around_an_object_says_that_it_needs_its_picture(images, tmp_path, capsys):
    assert main([altered(images[0], tmp_path / "x.png", method={"coupling": {}})]) == 2
    assert "made around the object of a picture, which it does not hold" in capsys.readouterr().err
