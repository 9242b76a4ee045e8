"""Scores of galleries that share an object and vary around it (the paper's Tables 2, 8 and 9).

A mask is 1 on the object and 0 on the background; it is the one the images were generated with.
Images are in [0, 1]; every score is float64. A mask without object or without background raises.
"""

from torch import Tensor
from torch.nn.functional import max_pool2d

from metrics.diversity import pairwise_l2_map


def l2_background(images: Tensor, masks: Tensor) -> Tensor:
    """L2-B: mean over pairs of the mean squared difference over background pixels and channels.

    images: (G, K, 3, H, W), masks: (G, H, W) of 0 and 1. Returns (G,).
    """
    return _mean(pairwise_l2_map(images), ~_checked(masks))


def lpips_background(maps: Tensor, masks: Tensor) -> Tensor:
    """LPIPS-B: the spatial LPIPS map, averaged over pairs and over background pixels.

    maps: (G, pairs, H, W), masks: (G, H, W). Returns (G,). The paper does not say how it masks
    LPIPS; images are compared whole here, so what the network sees near the object includes it.
    """
    return _mean(maps.double().mean(1), ~_checked(masks))


def rmse_foreground(images: Tensor, references: Tensor, masks: Tensor) -> Tensor:
    """RMSE-F: root of the mean squared error inside the mask, mean over the gallery.

    images: (G, K, 3, H, W), references: (G, 3, H, W), masks: (G, H, W). Returns (G,).
    """
    error = (images.double() - references.double().unsqueeze(1)).square().mean(2)
    return _mean(error, _checked(masks).unsqueeze(1)).sqrt().mean(-1)


def boundary_tv(images: Tensor, masks: Tensor, *, width: int) -> Tensor:
    """Boundary-TV: mean absolute difference of neighbours in a band around the mask's edge.

    images: (G, K, 3, H, W), masks: (G, H, W). Returns (G,), the mean over the gallery. The band is
    the mask's dilation minus its erosion, both by a square of `width` pixels (odd; the paper says a
    5-pixel band and no more). A difference counts if both pixels lie in the band; horizontal and
    vertical means are averaged.
    """
    if width < 3 or width % 2 == 0:
        raise ValueError(f"the band's width must be odd and at least 3, not {width}")
    mask = _checked(masks).double().unsqueeze(1)
    dilated = max_pool2d(mask, width, stride=1, padding=width // 2)
    eroded = 1 - max_pool2d(1 - mask, width, stride=1, padding=width // 2)
    band = (dilated - eroded).squeeze(1) > 0
    x = images.double()
    across = (x[..., 1:] - x[..., :-1]).abs().mean(2)
    down = (x[..., 1:, :] - x[..., :-1, :]).abs().mean(2)
    across = _mean(across, (band[..., 1:] & band[..., :-1]).unsqueeze(1))
    down = _mean(down, (band[..., 1:, :] & band[..., :-1, :]).unsqueeze(1))
    return ((across + down) / 2).mean(-1)


def _mean(values: Tensor, where: Tensor) -> Tensor:
    """Mean of (..., H, W) over the pixels where (..., H, W), broadcast, is true."""
    return (values * where).sum((-2, -1)) / where.sum((-2, -1))


def _checked(masks: Tensor) -> Tensor:
    """As booleans. Raises ValueError, naming the gallery's position, for an empty or full mask."""
    mask = masks > 0.5
    covered = mask.double().mean((-2, -1))
    for g, share in enumerate(covered.tolist()):
        if share in (0, 1):
            kind = "full" if share else "empty"
            raise ValueError(f"mask {g} is {kind}: it has no region to score")
    return mask
