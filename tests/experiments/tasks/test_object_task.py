"""Jobs around an object: what their ids depend on, and pictures that cannot be used."""

from dataclasses import replace

import numpy as np
import pytest

from experiments.errors import UsageError
from experiments.tasks.objects import Objects
from experiments.tasks.scenes import ObjectImage, Unusable, rendered


def objects(*pictures: ObjectImage | Unusable, **changes) -> Objects:
    settings = {"gallery_size": 3, "checkpoint": None, "patch": 4, "threshold": 0.5}
    source = list(pictures)
    return Objects(
        num_pictures=len(source), source=lambda count: source[:count], **settings | changes
    )


@pytest.fixture
def pictures() -> list[ObjectImage]:
    return rendered(3, seed=0, image_size=32, prompt="a bedroom")


def test_a_jobs_id_is_its_pictures_and_changes_with_all_that_its_images_are_made_from(pictures):
    picture = pictures[0]
    pixels, mask = picture.image.copy(), picture.mask.copy()
    pixels[0, 0, 0] ^= 1
    mask[0, 0] ^= True
    variants = [
        objects(picture),
        objects(replace(picture, image=pixels)),
        objects(replace(picture, mask=mask)),
        objects(replace(picture, prompt="a room")),
        objects(picture, patch=8),
    ]
    ids = [task.jobs()[0].id for task in variants]
    assert len(set(ids)) == 5 and all(id.startswith("scene-0-0-") for id in ids)
    assert objects(*pictures).jobs()[0].id == ids[0]
    assert objects(replace(picture, segmenter="another"), gallery_size=5).jobs()[0].id == ids[0]


def test_a_region_is_the_mask_on_the_pixels_of_the_noise(pictures):
    (coarse,), (fine,) = objects(pictures[0]).jobs(), objects(pictures[0], patch=1).jobs()
    assert coarse.region.shape == (8, 8)
    assert np.array_equal(fine.region.numpy(), pictures[0].mask)


def test_pictures_that_cannot_be_used_are_named_and_the_others_go_on(pictures):
    good, other = pictures[:2]
    task = objects(
        good,
        replace(good, id="empty", mask=np.zeros_like(good.mask)),
        replace(good, id="full", mask=np.ones_like(good.mask)),
        replace(good, id="small", mask=good.mask[:16]),
        replace(good, id="odd", image=good.image[:31], mask=good.mask[:31]),
        Unusable("bedless", "mask_rcnn found no object"),
        other,
    )
    assert [job.picture.id for job in task.jobs()] == ["scene-0-0", "scene-0-1"]
    segmenter, *left_out = task.notes
    assert segmenter == "Masks of the objects: exact, from the renderer."
    for line, reason in zip(
        left_out,
        (
            "empty: its mask is empty",
            "full: its mask is full",
            "small: its mask is 16 x 32, the image 32 x 32",
            "odd: its mask is (31, 32), which is no multiple",
            "bedless: mask_rcnn found no object",
        ),
        strict=True,
    ):
        assert line.startswith(f"Left out: {reason}") and "\n" not in line


def test_no_usable_picture_ends_in_the_first_reason():
    with pytest.raises(UsageError, match=r"no picture can be used.*a: mask_rcnn found no object"):
        objects(Unusable("a", "mask_rcnn found no object")).jobs()


def test_numbers_below_one_are_named(pictures):
    with pytest.raises(UsageError, match=r"task\.patch = 0 must be at least 1"):
        objects(*pictures, patch=0)
