"""Structural similarity as a score and as a differentiable reward."""

import torch
from torch import Tensor


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
