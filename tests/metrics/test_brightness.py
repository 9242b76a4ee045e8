"""The brightness split: by hand, and against the paper's independent rows."""

import numpy as np
import pytest
import torch

from experiments.tables import paper
from metrics import brightness


def gallery(values) -> torch.Tensor:
    """Grey images (..., K, 3, 4, 4) of the given brightnesses (..., K)."""
    return torch.as_tensor(values)[..., None, None, None].expand(*np.shape(values), 3, 4, 4)


def test_by_hand():
    images = gallery([0.9, 0.7, 0.1, 0.3])
    assert brightness.gap(images).item() == pytest.approx(0.6)
    assert brightness.contrast(images, weight=0.25).item() == pytest.approx(
        0.6 + 0.25 * 2 * 0.2 / 2**0.5
    )
    assert brightness.margin(images).item() == pytest.approx(0.4)


def test_the_value_channel_is_the_largest_of_red_green_blue():
    image = torch.zeros(3, 2, 2)
    image[0, 0] = 0.8
    image[2, 1] = 0.4
    assert brightness.brightness(image).item() == pytest.approx(0.6)


@pytest.mark.parametrize("model", ["sd15", "sdxl", "sd3"])
def test_independent_normal_brightnesses_have_the_ratios_that_the_paper_reports(model):
    """The evidence for the inferred form and weight of equation (4)."""
    values = np.random.default_rng(0).normal(0.5, 0.01, (20_000, 4))
    images = gallery(values)
    gap, margin = brightness.gap(images).mean(), brightness.margin(images).mean()
    contrast = brightness.contrast(images, weight=0.25).mean()
    reported = {name: mean for name, (mean, _) in paper.values("table7", model)["iid"].items()}
    for ours, name in ((contrast, "contrast"), (margin, "margin")):
        assert (ours / gap).item() == pytest.approx(reported[name] / reported["gap"], rel=0.05)


def test_order_within_a_half_and_of_the_halves_does_not_matter():
    values = torch.rand(5, 4, dtype=torch.float64)
    for order in ([1, 0, 2, 3], [2, 3, 0, 1]):
        for score in (brightness.gap, brightness.margin):
            torch.testing.assert_close(score(gallery(values)), score(gallery(values[:, order])))


def test_the_gradient_is_finite_where_images_are_equal():
    images = torch.full((1, 4, 3, 4, 4), 0.5, requires_grad=True)
    (gradient,) = torch.autograd.grad(brightness.contrast(images, weight=0.25).sum(), images)
    assert gradient.isfinite().all()


@pytest.mark.parametrize("size", [2, 3, 5])
def test_other_gallery_sizes_are_refused(size):
    with pytest.raises(ValueError, match=f"even K >= 4 of images, not {size}"):
        brightness.gap(torch.rand(size, 3, 4, 4))
