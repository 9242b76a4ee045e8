"""The COCO sample, on a small archive of the official layout."""

import importlib.util
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "prepare_coco.py"


@pytest.fixture(scope="module")
def prepare_coco():
    spec = importlib.util.spec_from_file_location("prepare_coco", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def archive(tmp_path, prepare_coco):
    """Two captions an image, the second with the smaller id; line breaks as COCO has them."""
    annotations = [
        {"id": 100 * order + image, "image_id": image, "caption": f"caption {order}\nof {image} "}
        for image in range(20)
        for order in (2, 1)
    ]
    path = tmp_path / "annotations.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(prepare_coco.MEMBER, json.dumps({"annotations": annotations}))
    return path


def test_the_first_caption_of_each_image_and_no_image_twice(prepare_coco, archive):
    captions = prepare_coco.sample(archive, count=20, seed=0)
    assert sorted(caption["image_id"] for caption in captions) == list(range(20))
    assert all(c["prompt"] == f"caption 1 of {c['image_id']}" for c in captions)


def test_the_sample_is_a_function_of_the_seed(prepare_coco, archive):
    first = prepare_coco.sample(archive, count=8, seed=0)
    assert first == prepare_coco.sample(archive, count=8, seed=0)
    assert first != prepare_coco.sample(archive, count=8, seed=1)


def test_too_many(prepare_coco, archive):
    with pytest.raises(ValueError, match="captions of 20 images, 21 were asked for"):
        prepare_coco.sample(archive, count=21, seed=0)


def test_the_command_writes_prompts_that_a_run_reads(archive, tmp_path):
    out = tmp_path / "captions.jsonl"
    command = [sys.executable, str(SCRIPT), "--archive", str(archive), "--out", str(out)]
    subprocess.run([*command, "--count", "5"], check=True, timeout=60)
    from experiments.tasks.prompts import from_file

    assert len(set(from_file(5, path=str(out), column="prompt"))) == 5


def test_an_archive_that_is_another_is_refused(prepare_coco, archive, tmp_path):
    (tmp_path / "annotations_trainval2014.zip").write_bytes(archive.read_bytes())
    pytest.importorskip("pooch")
    with pytest.raises((ValueError, OSError)):  # another hash: fetched anew, which fails offline
        prepare_coco.fetch(tmp_path)
