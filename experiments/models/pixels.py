"""Pixels: from the range that networks speak to the one that pictures have."""

import torch
from torch import Tensor

from experiments.models.process import at_least_float32


def unit_range(images: Tensor) -> Tensor:
    """[-1, 1] -> [0, 1], at least float32; what is outside stays outside."""
    return at_least_float32(images) / 2 + 0.5


def to_uint8(images: Tensor) -> Tensor:
    """(N, 3, H, W) in [0, 1] -> (N, H, W, 3) uint8, rounded as diffusers' image processor does.
    Raises FloatingPointError: an image is not finite; as integers it would pass for a picture.
    """
    broken = images.flatten(1).isfinite().all(dim=1).logical_not().nonzero().flatten().tolist()
    if broken:
        raise FloatingPointError(f"image {broken[0]} of {len(images)} is not finite")
    return (images.float() * 255).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)
