"""What is seen of a gallery: the best of it, or a part.

Best-of-more: generate more images than a gallery needs, keep those that differ the most.

The plain way to buy diversity with compute, and so the baseline of every other one: N images cost
N times an image. The kept images are the most spread by the L2 metric (sum over pairs of the mean
squared difference), which makes it the best case for that metric.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from coupling.optimizers.preview import select
from experiments.cells.score import Galleries


@dataclass(frozen=True)
class BestOf:
    """Galleries of which only the `keep` >= 2 most spread images are seen, in their own order."""

    galleries: Galleries
    keep: int

    def committed(self) -> Mapping[str, Any]:
        return self.galleries.committed()

    def where(self, row: Any) -> str:
        return self.galleries.where(row)

    def read(self, row: Any) -> np.ndarray:
        """The kept images of a gallery, (keep, H, W, 3) uint8."""
        images = self.galleries.read(row)
        flat = torch.from_numpy(images).flatten(1).double() / 255
        distances = torch.cdist(flat, flat).square()
        return images[select(distances, self.keep, spread="sum").numpy()]


@dataclass(frozen=True)
class PartOf:
    """Galleries of which only some members are seen, such as those of one checkpoint."""

    galleries: Galleries
    part: slice

    def committed(self) -> Mapping[str, Any]:
        return self.galleries.committed()

    def where(self, row: Any) -> str:
        return self.galleries.where(row)

    def read(self, row: Any) -> np.ndarray:
        """The images of the part, (K, H, W, 3) uint8."""
        return self.galleries.read(row)[self.part]
