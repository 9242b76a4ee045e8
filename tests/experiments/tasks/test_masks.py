"""Masks on the noise's pixels: area, threshold, and one line where there is nothing to mask."""

import pytest
import torch

from experiments.errors import UsageError
from experiments.tasks.masks import latent_mask


def mask_of(rows: slice, columns: slice) -> torch.Tensor:
    mask = torch.zeros(8, 8, dtype=torch.bool)
    mask[rows, columns] = True
    return mask


def latent(mask, threshold=0.5, shape=(4, 4)):
    return latent_mask(mask, shape=shape, threshold=threshold, name="scene 3")


@pytest.mark.parametrize(("threshold", "columns"), [(0.5, 3), (0.51, 2), (1.0, 2), (0.01, 3)])
def test_a_patch_belongs_to_the_object_if_enough_of_it_does(threshold, columns):
    """Columns 0 to 4: two whole patches and a half one."""
    expected = torch.zeros(4, 4, dtype=torch.bool)
    expected[:2, :columns] = True
    assert torch.equal(latent(mask_of(slice(0, 4), slice(0, 5)), threshold), expected)


def test_a_pixel_model_has_the_mask_itself():
    mask = torch.rand(8, 8, generator=torch.Generator().manual_seed(0)) > 0.5
    for threshold in (0.01, 0.5, 1.0):
        assert torch.equal(latent(mask, threshold, shape=(8, 8)), mask)


def test_a_higher_threshold_only_takes_away_and_inverting_swaps_thresholds():
    mask = torch.rand(32, 32, generator=torch.Generator().manual_seed(0)) > 0.5
    small, large = latent(mask, 0.6, (8, 8)), latent(mask, 0.4, (8, 8))
    assert (small <= large).all() and small.sum() < large.sum()
    assert torch.equal(latent(~mask, 0.6, (8, 8)), ~latent(mask, 0.41, (8, 8)))  # of 16 pixels


@pytest.mark.parametrize(
    ("mask", "threshold", "line"),
    [
        (torch.zeros(8, 8) > 0, 0.5, "scene 3: its mask is empty, so there is no object"),
        (torch.zeros(8, 8) == 0, 0.5, "scene 3: its mask is full, so there is no background"),
        (mask_of(slice(0, 1), slice(0, 1)), 0.5, r"mask at 4 x 4, threshold 0\.5, is empty"),
        (mask_of(slice(0, 8), slice(1, 8)), 0.5, r"mask at 4 x 4, threshold 0\.5, is full"),
        (torch.zeros(8, 6) > 0, 0.5, r"\(8, 6\), which is no multiple of the noise's 4 x 4"),
        (torch.zeros(3, 8, 8) > 0, 0.5, "which is no multiple"),
        (mask_of(slice(0, 4), slice(0, 4)), 0.0, "threshold = 0.0 must be above 0"),
    ],
)
def test_masks_that_mask_nothing_end_in_one_line(mask, threshold, line):
    with pytest.raises(UsageError, match=line) as raised:
        latent(mask, threshold)
    assert "\n" not in str(raised.value)
