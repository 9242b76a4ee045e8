from itertools import combinations

import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity
from vendi_score import vendi as reference

from metrics import diversity


@pytest.fixture
def features():
    return torch.randn(7, 5, 16, generator=torch.Generator().manual_seed(0))


def test_l2_is_the_mean_squared_difference_over_pairs():
    x = torch.rand(4, 3, 3, 8, 8, generator=torch.Generator().manual_seed(0)).double()
    pairs = [(x[:, i] - x[:, j]).square().mean((1, 2, 3)) for i, j in combinations(range(3), 2)]
    expected = torch.stack(pairs).mean(0)
    torch.testing.assert_close(diversity.pairwise_l2(x), expected, rtol=1e-12, atol=0)


def test_l2_of_black_and_white_is_one():
    x = torch.stack([torch.zeros(3, 4, 4), torch.ones(3, 4, 4)])
    assert diversity.pairwise_l2(x).item() == 1


def test_similarity_excludes_the_diagonal(features):
    x = torch.nn.functional.normalize(features.double(), dim=-1)
    pairs = [(x[:, i] * x[:, j]).sum(-1) for i, j in combinations(range(5), 2)]
    expected = torch.stack(pairs).mean(0)
    torch.testing.assert_close(
        diversity.mean_pairwise_similarity(features), expected, rtol=0, atol=1e-14
    )


@pytest.mark.filterwarnings("ignore:Please import `csr_matrix`:DeprecationWarning")
def test_vendi_equals_the_package(features):
    expected = [reference.score_X(x.double().numpy(), normalize=True) for x in features]
    np.testing.assert_allclose(diversity.vendi(features), expected, rtol=0, atol=1e-9)


def test_vendi_reference_value():
    # Made by vendi-score 0.0.3, score_X(x, normalize=True).
    x = torch.from_numpy(np.random.default_rng(0).standard_normal((5, 16)))
    assert diversity.vendi(x).item() == pytest.approx(4.619831689525294, abs=1e-9)


def test_extremes_of_identical_and_of_orthogonal_features():
    same, apart = torch.ones(4, 6), torch.eye(4, 6)
    assert diversity.vendi(same).item() == pytest.approx(1)
    assert diversity.vendi(apart).item() == pytest.approx(4)
    assert diversity.mean_pairwise_similarity(same).item() == pytest.approx(1)
    assert diversity.mean_pairwise_similarity(apart).item() == pytest.approx(0)
    simplex = torch.eye(4) - 1 / 4
    assert diversity.mean_pairwise_similarity(simplex).item() == pytest.approx(-1 / 3)


def test_the_scale_of_features_does_not_matter(features):
    lengths = torch.tensor([1e-3, 1.0, 7.0, 1e3, 0.5]).view(5, 1)
    for score in (diversity.mean_pairwise_similarity, diversity.vendi):
        torch.testing.assert_close(score(features * lengths), score(features))


def test_the_order_of_images_does_not_matter(features):
    order = [3, 0, 4, 1, 2]
    for score in (diversity.mean_pairwise_similarity, diversity.vendi):
        torch.testing.assert_close(
            score(features[:, order]), score(features), rtol=1e-12, atol=1e-12
        )
    x = torch.rand(2, 5, 3, 8, 8)
    torch.testing.assert_close(diversity.pairwise_l2(x[:, order]), diversity.pairwise_l2(x))


def test_one_image_is_no_gallery():
    with pytest.raises(ValueError, match="at least 2 images, not 1"):
        diversity.pairwise_l2(torch.rand(2, 1, 3, 8, 8))
    with pytest.raises(ValueError, match="at least 2 images, not 1"):
        diversity.mean_pairwise_similarity(torch.rand(2, 1, 8))


def galleries():
    generator = torch.Generator().manual_seed(0)
    base = torch.rand(2, 1, 3, 40, 36, generator=generator)
    return (base + 0.2 * torch.randn(2, 3, 3, 40, 36, generator=generator)).clamp(0, 1).double()


def test_ssim_equals_scikit_image():
    x = galleries()
    ours = diversity.pairwise_ssim(x)
    for g in range(2):
        pairs = [
            structural_similarity(
                a.numpy(), b.numpy(), channel_axis=0, data_range=1, gaussian_weights=True,
                sigma=1.5, use_sample_covariance=False,
            )
            for a, b in ((x[g, 0], x[g, 1]), (x[g, 0], x[g, 2]), (x[g, 1], x[g, 2]))
        ]  # fmt: skip
        np.testing.assert_allclose(ours[g], np.mean(pairs), rtol=0, atol=1e-12)


def test_ssim_is_a_reward_with_the_right_gradient():
    x = (0.1 + 0.8 * galleries()[:1, :2, :, :12, :12]).requires_grad_()
    assert torch.autograd.gradcheck(diversity.pairwise_ssim, (x,), fast_mode=True)
    assert diversity.pairwise_ssim(x.detach()[:, [0, 0]]).item() == 1
