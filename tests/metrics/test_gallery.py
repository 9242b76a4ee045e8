import pytest
import torch

from metrics import GalleryBatch, ImageError


def batch(images):
    names = tuple(f"g{i}" for i in range(len(images)))
    return GalleryBatch(images=images, prompts=("a bed",) * len(images), names=names)


def test_bytes_and_floats_are_the_same_images(random_images):
    images = random_images(2, 3, 3, 8, 8)
    torch.testing.assert_close(batch(images).unit, batch(images / 255).unit, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("value", "why"),
    [(float("nan"), "is not finite"), (float("inf"), "is not finite"),
     (1.01, r"leaves the range \[0, 1\]"), (-0.01, "leaves the range"),
     (200.0, "leaves the range")],
)  # fmt: skip
def test_a_bad_pixel_is_refused_with_the_name_of_its_gallery(random_images, value, why):
    images = random_images(3, 2, 3, 8, 8) / 255
    images[1, 0, 2, 3, 4] = value
    with pytest.raises(ImageError, match=f"gallery g1: image 0 {why}"):
        batch(images)


def test_a_constant_image_is_refused(random_images):
    images = random_images(3, 2, 3, 8, 8)
    images[2, 1] = 0
    with pytest.raises(ImageError, match="gallery g2: image 1 is constant"):
        batch(images)


def test_a_wrong_shape_or_dtype_is_refused(random_images):
    images = random_images(3, 2, 3, 8, 8)
    with pytest.raises(ImageError, match=r"not \(2, 3, 8, 8\)"):
        batch(images[0])
    with pytest.raises(ImageError, match=r"not torch\.int64"):
        batch(images.long())
    with pytest.raises(ValueError, match="3 galleries, but 1 prompts and 3 names"):
        GalleryBatch(images=images, prompts=("a bed",), names=("a", "b", "c"))
