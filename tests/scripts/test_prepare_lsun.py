"""LSUN bedrooms from an archive of the official layout, with a stub in the segmenter's place.

bedrooms.zip holds a database that liblmdb 0.9.24 wrote in three transactions: 40 small pictures
named by SHA-1, three in four with a red rectangle for a bed, one larger than a page.
"""

import hashlib
import importlib.util
import json
import sys
import types
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from experiments.tasks.scenes import from_folder

SCRIPT = Path(__file__).parents[2] / "scripts" / "prepare_lsun.py"
ARCHIVE = Path(__file__).parent / "bedrooms.zip"
NAMES = [hashlib.sha1(str(index).encode()).hexdigest() for index in range(40)]


@pytest.fixture(scope="module")
def lsun():
    spec = importlib.util.spec_from_file_location("prepare_lsun", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look themselves up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def database(lsun):
    with zipfile.ZipFile(ARCHIVE) as files:
        return files.read(lsun.MEMBER)


@pytest.fixture
def red(lsun):
    """A segmenter that takes red for a bed."""

    class Red(lsun.Segmenter):
        def __call__(self, image):
            return image[..., 0] > 127

    return Red(None, {"segmenter": "red"})


def test_every_entry_of_the_database_is_read_in_order(lsun, database):
    found = list(lsun.entries(database))
    assert [key.decode() for key, _ in found] == sorted(NAMES)
    assert all(value.startswith(b"\x89PNG") and value.endswith(b"\xaeB`\x82") for _, value in found)
    assert max(len(value) for _, value in found) > 4096


@pytest.mark.parametrize("kept", [0, 100, 4000, 9000, 20000])
def test_a_cut_database_is_refused(lsun, database, kept):
    with pytest.raises(ValueError, match=r"cut|neither branch nor leaf"):
        list(lsun.entries(database[:kept]))


def test_another_file_is_refused(lsun):
    with pytest.raises(ValueError, match="no LMDB database of format 1"):
        list(lsun.entries(bytes(20000)))


def test_the_sample_is_a_function_of_the_seed_without_repeats(lsun):
    def names(seed):
        return [name for name, _ in lsun.bedrooms(ARCHIVE, count=10, seed=seed)]

    assert names(0) == names(0) != names(1)
    assert len(set(names(0))) == 10 and set(names(0)) <= set(NAMES)
    with pytest.raises(ValueError, match="has 40 images, 41 were asked for"):
        lsun.bedrooms(ARCHIVE, count=41, seed=0)


@pytest.mark.parametrize("turned", [False, True])
def test_the_central_square_is_kept(lsun, turned):
    pixels = np.zeros((20, 60, 3), np.uint8)
    pixels[:, 20:40] = 200
    pixels = pixels.swapaxes(0, 1) if turned else pixels
    image = lsun.square(lsun.Image.fromarray(pixels), 16)
    assert image.shape == (16, 16, 3) and (image == 200).all()


def test_the_folder_holds_images_and_masks_that_a_run_reads(lsun, red, tmp_path):
    card = lsun.prepare(ARCHIVE, tmp_path, segmenter=red, size=32, count=40, seed=0)
    assert json.loads((tmp_path / "card.json").read_text()) == card
    assert card["segmenter"] == {"segmenter": "red"}
    assert card["sha256"] == hashlib.sha256(ARCHIVE.read_bytes()).hexdigest()
    assert set(card["failures"]) == set(NAMES[::4])
    scenes = from_folder(30, path=str(tmp_path), image_size=32, prompt="a bedroom", remedy="")
    assert {scene.id for scene in scenes} == set(NAMES) - set(NAMES[::4])
    for scene in scenes:
        assert np.array_equal(scene.mask, scene.image[..., 0] > 127)


def test_a_broken_run_leaves_no_card(lsun, red, tmp_path):
    lsun.prepare(ARCHIVE, tmp_path, segmenter=red, size=32, count=4, seed=0)
    with pytest.raises(ValueError, match="no bed was found in any of 4 images"):
        lsun.prepare(
            ARCHIVE, tmp_path, segmenter=lambda x: x[..., 0] > 255, size=32, count=4, seed=0
        )
    assert not (tmp_path / "card.json").exists()


def test_mask_rcnn_takes_the_union_of_sure_beds(lsun):
    """Four detections: two beds, an unsure bed, a chair; the mask's probability is halved too."""
    masks = torch.zeros(4, 1, 6, 6)
    for row in range(4):
        masks[row, 0, row] = 0.9
    masks[0, 0, 5] = 0.4
    found = {
        "labels": torch.tensor([65, 65, 65, 62]),
        "scores": torch.tensor([0.9, 0.6, 0.3, 0.9]),
        "masks": masks,
    }
    seen = []
    segmenter = lsun.MaskRCNN(lambda images: seen.append(images) or [found], {"bed": "65"})
    mask = segmenter(np.full((6, 6, 3), 255, np.uint8))
    assert mask.any(1).tolist() == [True, True, False, False, False, False] and mask.dtype == bool
    assert seen[0][0].shape == (3, 6, 6) and seen[0][0].max() == 1


def test_yolo_gets_bgr_and_may_find_nothing(lsun):
    def predict(image, **options):
        assert options["classes"] == [59] and image[0, 0].tolist() == [3, 2, 1]
        data = torch.zeros(2, 4, 4)
        data[0, 0], data[1, 1] = 1, 1
        found = image.shape[0] == 4
        return [types.SimpleNamespace(masks=types.SimpleNamespace(data=data) if found else None)]

    segmenter = lsun.YOLOv8(types.SimpleNamespace(predict=predict), {"bed": "59"})
    image = np.broadcast_to(np.array([1, 2, 3], np.uint8), (4, 4, 3))
    assert segmenter(image).any(1).tolist() == [True, True, False, False]
    assert not segmenter(image[:3]).any()


def test_without_ultralytics_the_command_says_what_to_install(lsun, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "ultralytics", None)
    options = ["--size", "32", "--archive", ARCHIVE, "--out", tmp_path, "--segmenter", "yolov8"]
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), *map(str, options)])
    with pytest.raises(SystemExit, match=r"pip install 'couple-to-control\[yolo\]'") as end:
        lsun.main()
    assert "\n" not in end.value.code and not list(tmp_path.iterdir())


def test_the_first_checksum_is_recorded_and_binds(lsun, monkeypatch, tmp_path):
    content = [ARCHIVE.read_bytes()]

    def download(url, path, _):
        Path(path).write_bytes(content[0])

    monkeypatch.setattr(lsun.pooch, "HTTPDownloader", lambda **_: download)
    archive = lsun.fetch(tmp_path)
    assert archive.read_bytes() == content[0] and lsun.fetch(tmp_path) == archive
    archive.unlink()
    content[0] = b"another file"
    with pytest.raises(ValueError, match="hash"):
        lsun.fetch(tmp_path)
