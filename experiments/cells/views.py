"""What is shown of a gallery: the best of it, or a part.

Best-of-more: generate more images than a gallery needs, keep those that differ the most. It is the
plain way to buy diversity with compute, and so the baseline of every other one: N images cost N
times an image. The kept images are the most spread by the L2 metric (sum over pairs of the mean
squared difference), which makes it the best case for that metric.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from coupling.optimizers.preview import select
from experiments.cells.score import Galleries


@dataclass(frozen=True)
class View:
    """Galleries of which only the images that `choose` takes are seen."""

    galleries: Galleries
    choose: Callable[[np.ndarray], np.ndarray]

    def committed(self) -> Mapping[str, Any]:
        return self.galleries.committed()

    def where(self, entry: Any) -> str:
        return self.galleries.where(entry)

    def read(self, entry: Any) -> np.ndarray:
        """The chosen images of a gallery, (k, H, W, 3) uint8."""
        return self.choose(self.galleries.read(entry))


def most_spread(images: np.ndarray, *, keep: int) -> np.ndarray:
    """The `keep` >= 2 images that differ the most, in their own order: (K, H, W, 3) uint8."""
    flat = torch.from_numpy(images).flatten(1).double() / 255
    distances = torch.cdist(flat, flat).square()
    return images[select(distances, keep, spread="sum").numpy()]
