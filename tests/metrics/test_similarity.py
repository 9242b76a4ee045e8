import numpy as np
import torch
from skimage.metrics import structural_similarity

from metrics.similarity import pairwise_ssim


def galleries():
    generator = torch.Generator().manual_seed(0)
    base = torch.rand(2, 1, 3, 40, 36, generator=generator)
    return (base + 0.2 * torch.randn(2, 3, 3, 40, 36, generator=generator)).clamp(0, 1).double()


def test_ssim_equals_scikit_image():
    x = galleries()
    ours = pairwise_ssim(x)
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
    assert torch.autograd.gradcheck(pairwise_ssim, (x,), fast_mode=True)
    assert pairwise_ssim(x.detach()[:, [0, 0]]).item() == 1
