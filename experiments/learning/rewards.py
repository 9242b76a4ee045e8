"""Rewards of galleries, (G, K, 3, H, W) in [0, 1] -> (G,), to be large; differentiable.

A metric that already is such a function, as `metrics.diversity.pairwise_l2` or
`metrics.brightness.contrast`, is a reward as it stands.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from metrics.features import LPIPSFeatures


def negative(images: Tensor, *, metric: Callable[[Tensor], Tensor]) -> Tensor:
    """Minus a metric that is to be small, as `metrics.pairwise_ssim`."""
    return -metric(images)


class PairwiseLPIPS:
    """The mean LPIPS distance over the pairs of a gallery, on the images' own device."""

    def __init__(self, network: LPIPSFeatures) -> None:
        self.network = network

    def __call__(self, images: Tensor) -> Tensor:
        self.network.place(device=images.device, dtype=torch.float32, batch_size=len(images))
        return self.network.pairs(images).mean(-1)
