"""Foreign galleries in every layout are the same galleries, and are paired with ours by prompt."""

import json

import numpy as np
import pytest
from PIL import Image

from experiments.errors import UsageError
from experiments.galleries.foreign import Foreign
from experiments.tasks.job import jobs_of

PROMPTS = [f"prompt {k}" for k in range(12)]


def pixels(gallery: int, member: int) -> np.ndarray:
    return np.random.default_rng((gallery, member)).integers(0, 256, (8, 8, 3), dtype=np.uint8)


def place(path, gallery, member):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels(gallery, member)).save(path)
    return path


@pytest.fixture(params=["flat", "nested", "listing"])
def path(request, tmp_path):
    lines = []
    for gallery in range(12):
        names = {
            "flat": [f"{2 * gallery + member}.png" for member in range(2)],
            "nested": [f"prompt {gallery}/{member}.png" for member in range(2)],
            "listing": [f"{'ab'[member]}/{gallery}.png" for member in range(2)],
        }[request.param]
        for member, name in enumerate(names):
            place(tmp_path / name, gallery, member)
        lines.append({"prompt": PROMPTS[gallery], "images": names})
    if request.param != "listing":
        return tmp_path
    listing = tmp_path / "galleries.jsonl"
    listing.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return listing


def folder(path, size=2, num_prompts=None):
    return Foreign(
        path=str(path),
        num_prompts=num_prompts,
        gallery_size=size,
        prompts=lambda count: PROMPTS[:count],
    )


def test_galleries_are_found_in_natural_order_and_named_as_ours(path):
    found = folder(path)
    assert found.jobs() == jobs_of(PROMPTS)
    for gallery, entry in enumerate(found.committed().values()):
        np.testing.assert_array_equal(found.read(entry), [pixels(gallery, 0), pixels(gallery, 1)])


def test_the_first_galleries_alone(path):
    assert folder(path, num_prompts=5).jobs() == jobs_of(PROMPTS[:5])


def test_a_changed_image_is_another_gallery(path):
    before = {job: entry.digest for job, entry in folder(path).entries.items()}
    entry = next(iter(folder(path).entries.values()))
    Image.fromarray(pixels(99, 0)).save(entry.paths[0])
    after = {job: entry.digest for job, entry in folder(path).entries.items()}
    assert [job for job in before if before[job] != after[job]] == [entry.job]


def test_another_gallery_size_is_refused(path):
    with pytest.raises(UsageError, match=r"task\.gallery_size"):
        _ = folder(path, size=5).entries


def test_images_of_two_sizes_are_refused(path):
    found = folder(path)
    entry = next(iter(found.entries.values()))
    Image.new("RGB", (9, 8)).save(entry.paths[1])
    with pytest.raises(UsageError, match="another size"):
        found.read(entry)


def test_what_is_no_image_is_refused(path):
    found = folder(path)
    entry = next(iter(found.entries.values()))
    entry.paths[1].write_bytes(b"no image")
    with pytest.raises(UsageError, match="no image that can be read"):
        found.read(entry)


def test_an_empty_folder_and_a_missing_one(tmp_path):
    with pytest.raises(UsageError, match="has no images"):
        _ = folder(tmp_path).entries
    with pytest.raises(UsageError, match=r"set task\.path"):
        _ = folder(tmp_path / "gone").entries


def test_a_listing_of_missing_files(tmp_path):
    listing = tmp_path / "galleries.jsonl"
    listing.write_text(json.dumps({"prompt": "a", "images": ["x.png", "y.png"]}))
    with pytest.raises(UsageError, match=r"x\.png, which does not exist"):
        _ = folder(listing).entries
    listing.write_text("not json")
    with pytest.raises(UsageError, match=r"galleries\.jsonl, line 1 is not JSON"):
        _ = folder(listing).entries
