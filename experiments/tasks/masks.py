"""Masks of an object: from the image's pixels to the pixels of the noise.

A latent pixel belongs to the object if the object covers at least `threshold` of the patch that
it stands for. The paper downsamples its masks without saying how.
"""

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from experiments.errors import UsageError


def latent_mask(mask: Tensor, *, shape: tuple[int, int], threshold: float, name: str) -> Tensor:
    """An image's mask (H, W), boolean, averaged over patches to (h, w) = `shape`, boolean.

    Where h = H, as in a pixel-space model, it is the mask itself. `name` says whose mask it is.

    Raises:
        UsageError: the mask is empty or full, here or after averaging, or of a size that is no
            multiple of `shape`, or the threshold is not in (0, 1].
    """
    if not 0 < threshold <= 1:
        raise UsageError(f"the mask's threshold = {threshold} must be above 0 and at most 1")
    height, width = shape
    if mask.dim() != 2 or mask.shape[0] % height or mask.shape[1] % width or not mask.numel():
        raise UsageError(
            f"{name}: its mask is {tuple(mask.shape)}, which is no multiple of the noise's "
            f"{height} x {width}: prepare it at the model's image_size"
        )
    _require_two_parts(mask, f"{name}: its mask")
    patch = (mask.shape[0] // height, mask.shape[1] // width)
    covered = avg_pool2d(mask.to(torch.float64)[None], patch)[0]
    latent = covered >= threshold
    _require_two_parts(latent, f"{name}: its mask at {height} x {width}, threshold {threshold},")
    return latent


def _require_two_parts(mask: Tensor, what: str) -> None:
    """Raises UsageError unless there is an object and a background."""
    if not mask.any() or mask.all():
        word, part = ("full", "background") if mask.any() else ("empty", "object")
        raise UsageError(f"{what} is {word}, so there is no {part}: leave this image out")
