import pytest
import torch

from metrics import GalleryBatch, regions
from metrics.scorers import BoundaryTV, ForegroundRMSE


@pytest.fixture
def galleries():
    return torch.rand(2, 3, 3, 12, 14, generator=torch.Generator().manual_seed(0)).double()


@pytest.fixture
def masks():
    masks = torch.zeros(2, 12, 14)
    masks[0, 3:8, 4:10] = 1
    masks[1, 5:, :7] = 1
    return masks


def test_l2_is_over_background_pixels(galleries, masks):
    for g in range(2):
        outside = galleries[g][:, :, masks[g] == 0]
        pairs = [(outside[i] - outside[j]).square().mean() for i, j in ((0, 1), (0, 2), (1, 2))]
        expected = torch.stack(pairs).mean().item()
        assert regions.l2_background(galleries, masks)[g].item() == pytest.approx(expected)


def test_the_object_does_not_matter_to_background_scores(galleries, masks):
    changed = torch.where(masks[:, None, None] > 0, torch.rand_like(galleries), galleries)
    torch.testing.assert_close(
        regions.l2_background(changed, masks), regions.l2_background(galleries, masks)
    )
    maps = torch.rand(2, 3, 12, 14)
    changed = torch.where(masks[:, None] > 0, 9.0, maps)
    torch.testing.assert_close(
        regions.lpips_background(changed, masks), regions.lpips_background(maps, masks)
    )


def test_rmse_is_inside_the_mask_and_of_each_image(galleries, masks):
    references = galleries[:, 0]
    scores = regions.rmse_foreground(galleries, references, masks)
    for g in range(2):
        inside = (galleries[g] - references[g])[:, :, masks[g] == 1]
        expected = inside.square().mean((1, 2)).sqrt().mean().item()
        assert scores[g].item() == pytest.approx(expected)
    assert regions.rmse_foreground(galleries[:, :1], references, masks).abs().max() == 0


def test_boundary_tv_sees_the_band_alone():
    """A square of 10 with a step of 1/2 at its edge, and noise far from it."""
    mask = torch.zeros(1, 40, 40)
    mask[0, 15:25, 15:25] = 1
    image = 0.5 * mask.expand(1, 1, 3, 40, 40).clone()
    image[..., 0, :] = torch.rand(40)
    image[..., 19:21, 19:21] = 1
    # The band by a square of 5 reaches 2 pixels to either side: 14 x 14 less 6 x 6 pixels.
    # Horizontal neighbours in it: 13 in each of 8 rows, 2 x 3 in each of 6; 2 steps in 10 rows.
    expected = 0.5 * 20 / (13 * 8 + 6 * 6)
    assert regions.boundary_tv(image, mask, width=5).item() == pytest.approx(expected)


def test_boundary_tv_of_a_flat_band_is_zero_and_symmetric_under_transposition(galleries, masks):
    assert regions.boundary_tv(torch.full_like(galleries, 0.3), masks, width=5).max() == 0
    torch.testing.assert_close(
        regions.boundary_tv(galleries.mT, masks.mT, width=5),
        regions.boundary_tv(galleries, masks, width=5),
    )


@pytest.mark.parametrize(("value", "word"), [(0.0, "empty"), (1.0, "full")])
def test_empty_and_full_masks_raise(galleries, masks, value, word):
    masks[1] = value
    message = f"mask 1 is {word}"
    with pytest.raises(ValueError, match=message):
        regions.l2_background(galleries, masks)
    with pytest.raises(ValueError, match=message):
        regions.lpips_background(torch.rand(2, 3, 12, 14), masks)
    with pytest.raises(ValueError, match=message):
        regions.rmse_foreground(galleries, galleries[:, 0], masks)
    with pytest.raises(ValueError, match=message):
        regions.boundary_tv(galleries, masks, width=5)


def test_an_even_band_is_refused(galleries, masks):
    with pytest.raises(ValueError, match="odd and at least 3, not 4"):
        regions.boundary_tv(galleries, masks, width=4)


def test_scorers_read_masks_from_the_batch_and_miss_them_in_one_line(galleries, masks):
    fields = {"images": galleries, "prompts": ("", ""), "names": ("a", "b")}
    batch = GalleryBatch(**fields, references=galleries[:, 0], masks=masks)
    torch.testing.assert_close(
        BoundaryTV(width=5)(batch, None).double(),
        regions.boundary_tv(galleries, masks, width=5),
        rtol=0,
        atol=1e-6,
    )
    with pytest.raises(ValueError, match="need reference images and masks"):
        ForegroundRMSE()(GalleryBatch(**fields), None)
