"""How well a gallery splits into a brighter and a darker half (appendix B.2, Table 7).

The brightness b_i of an image is the mean of its HSV value channel, max(R, G, B). With the halves
{1, .., K/2} and {K/2 + 1, .., K}, which at K = 4 are the paper's pairs, and their means m and
sample standard deviations s,

    gap       |m_1 - m_2|
    contrast  |m_1 - m_2| + weight (s_1 + s_2), equation (4)
    margin    the step from the darker to the brighter half of the *sorted* brightnesses

Contrast and weight = 0.25 are inferred: for independent normal brightnesses they reproduce the
paper's independent rows. The gap has no sign: with it, its mean would be zero under every coupling,
for none moves the mean of a single image (Proposition 3.2).

All functions take (..., K, 3, H, W) in [0, 1], K even and >= 4, and return (...), float64; they are
differentiable. Any other K raises ValueError.
"""

from torch import Tensor


def brightness(images: Tensor) -> Tensor:
    """The mean value channel of each image: (..., 3, H, W) in [0, 1] -> (...), float64."""
    return images.double().amax(-3).mean((-2, -1))


def gap(images: Tensor) -> Tensor:
    """How far the mean brightnesses of the two halves are apart, in [0, 1]."""
    halves = _halves(images)
    return (halves[..., 0, :].mean(-1) - halves[..., 1, :].mean(-1)).abs()


def contrast(images: Tensor, *, weight: float) -> Tensor:
    """The gap, and `weight` times the spread within the two halves."""
    variance = _halves(images).var(-1)
    spread = (variance + 1e-20).sqrt()  # with a gradient where two images are equally bright
    return gap(images) + weight * spread.sum(-1)


def margin(images: Tensor) -> Tensor:
    """Between the K/2-th brightest image and the next, in [0, 1]; no order of images matters."""
    darker, brighter = _halves(images).flatten(-2).sort(-1).values.chunk(2, -1)
    return brighter[..., 0] - darker[..., -1]


def _halves(images: Tensor) -> Tensor:
    """(..., 2, K/2)"""
    K = images.shape[-4]
    if K < 4 or K % 2:
        raise ValueError(f"a brightness split needs an even K >= 4 of images, not {K}")
    return brightness(images).unflatten(-1, (2, K // 2))
