"""How different the K images of a gallery are from each other.

All functions take any number of galleries at once and are symmetric in the images; all but SSIM
work in float64.
"""

import torch
from torch import Tensor
from torch.nn.functional import normalize


def pairwise_l2(images: Tensor) -> Tensor:
    """Mean over pairs of the mean squared difference of pixels.

    images: (..., K, 3, H, W) in [0, 1], K >= 2. Returns (...), float64, in [0, 1].
    This is the "L2" of the paper's Table 1, squared and averaged over pixels as its magnitude
    implies. The mean of |x_i - x_j|^2 over pairs is twice the unbiased variance over i.
    """
    return pairwise_l2_map(images).mean((-2, -1))


def pairwise_l2_map(images: Tensor) -> Tensor:
    """The summands of `pairwise_l2` at every pixel: (..., K, 3, H, W) -> (..., H, W)."""
    K = images.shape[-4]
    _at_least_two(K)
    maps = []
    for gallery in images.reshape(-1, *images.shape[-4:]):  # one alone stays in the cache
        x = gallery.double()
        # Tensor.var takes ten times as long where its dimension is not the last
        maps.append(2 * (x - x.mean(0)).square().sum(0).div(K - 1).mean(0))
    return torch.stack(maps).reshape(*images.shape[:-4], *images.shape[-2:])


def mean_pairwise_similarity(features: Tensor) -> Tensor:
    """MSS: mean cosine similarity over the pairs i != j; the diagonal of ones is left out.

    features: (..., K, F), K >= 2. Returns (...), float64, in [-1 / (K - 1), 1].
    Implementations that keep the diagonal report 1/K + (1 - 1/K) MSS; the values reported for this
    metric by Couple to Control (arXiv 2605.11311) and by CNO (arXiv 2510.03813) exclude it.
    """
    K = features.shape[-2]
    _at_least_two(K)
    x = normalize(features.double(), dim=-1)
    # sum_ij <x_i, x_j> = |sum_i x_i|^2
    return (x.sum(-2).square().sum(-1) - K) / (K * (K - 1))


def vendi(features: Tensor) -> Tensor:
    """Vendi score (Friedman and Dieng, TMLR 2023) of order 1 with the cosine kernel.

    features: (..., K, F), K >= 1. Returns (...), float64, in [1, K]: the effective number of
    different images, exp(-sum_i l_i ln l_i) over the eigenvalues l of (cosine matrix) / K, which
    but for zeros are those of F x F, where that is smaller.
    """
    x = normalize(features.double(), dim=-1)
    K, F = x.shape[-2:]
    eigenvalues = torch.linalg.eigvalsh((x.mT @ x if K > F else x @ x.mT) / K)
    # rounding leaves eigenvalues that are zero slightly negative
    return torch.special.entr(eigenvalues.clamp_min(0)).sum(-1).exp()


def pairwise_ssim(galleries: Tensor) -> Tensor:
    """Mean SSIM (Wang et al., IEEE TIP 2004) over the pairs of each gallery; lower is more diverse.

    galleries: (G, K, 3, H, W) float in [0, 1], K >= 2, sides of at least 11. Returns (G,) in the
    same dtype, differentiable. By piq, with the authors' window (11 x 11, sigma 1.5, no padding),
    mean over channels, and without the halving of large images that some implementations do first.
    """
    from piq import ssim

    K = galleries.shape[1]
    first, second = torch.triu_indices(K, K, offset=1)
    values = ssim(
        galleries[:, first].flatten(0, 1),
        galleries[:, second].flatten(0, 1),
        data_range=1.0,
        reduction="none",
        downsample=False,
    )
    return values.unflatten(0, (-1, len(first))).mean(-1)


def _at_least_two(K: int) -> None:
    if K < 2:
        raise ValueError(f"diversity needs galleries of at least 2 images, not {K}")
