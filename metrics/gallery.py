"""A batch of galleries of one shape, checked once, so that no metric averages a broken image."""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor


class ImageError(ValueError):
    """An image that no metric may score: not finite, out of range, constant or of a wrong shape."""


@dataclass(frozen=True)
class GalleryBatch:
    """G galleries of K images and what they are asked to show.

    images: (G, K, 3, H, W), uint8 or float in [0, 1]; prompts, names: G strings, names for errors.
    references: (G, 3, H, W) in [0, 1] and masks: (G, H, W), 1 on the object, for scores of regions.
    digests: G names of exactly these images, under which features are kept; () keeps none.
    Raises ImageError, naming gallery and image, for one that is not finite, leaves the range or is
    constant (a failed decoder's black square has perfect scores in more than one metric).
    """

    images: Tensor
    prompts: tuple[str, ...]
    names: tuple[str, ...]
    references: Tensor | None = None
    masks: Tensor | None = None
    digests: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        shape = tuple(self.images.shape)
        if len(shape) != 5 or shape[2] != 3 or 0 in shape:
            raise ImageError(f"images must be (galleries, K, 3, height, width), not {shape}")
        if not len(self.prompts) == len(self.names) == shape[0]:
            raise ValueError(
                f"{shape[0]} galleries, but {len(self.prompts)} prompts and {len(self.names)} names"
            )
        if self.images.dtype != torch.uint8 and not self.images.is_floating_point():
            raise ImageError(f"images must be uint8 or float in [0, 1], not {self.images.dtype}")
        flat = self.images.flatten(2)
        low, high = flat.amin(-1), flat.amax(-1)
        self._refuse(~(low.isfinite() & high.isfinite()), "is not finite")
        if self.images.is_floating_point():
            self._refuse((low < 0) | (high > 1), "leaves the range [0, 1]")
        self._refuse(low == high, "is constant")

    def _refuse(self, bad: Tensor, why: str) -> None:
        if bad.any():
            gallery, image = bad.nonzero()[0].tolist()
            raise ImageError(f"gallery {self.names[gallery]}: image {image} {why}")

    @property
    def regions(self) -> tuple[Tensor, Tensor]:
        """The references and masks. Raises ImageError if there are none."""
        if self.references is None or self.masks is None:
            raise ImageError(
                "scores of regions need reference images and masks: use them with a task that has "
                "an object"
            )
        return self.references, self.masks

    @cached_property
    def unit(self) -> Tensor:
        """The images in [0, 1], float32 on the CPU."""
        images = self.images.cpu().contiguous()  # files are read channel by channel
        return images / 255 if images.dtype == torch.uint8 else images.float()
