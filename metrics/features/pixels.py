"""The pixels themselves as features, averaged over squares: for what is asked of mean images."""

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from metrics.features.network import Network, as_unit


class Pixels(Network):
    """Images in [0, 1], pooled to `side` x `side`; no weights."""

    library = f"torch {torch.__version__}"

    def __init__(self, side: int):
        self.side = side

    @property
    def requirements(self) -> tuple[str, ...]:
        return ()

    @property
    def identity(self) -> dict[str, str]:
        here = {"library": self.library, "dtype": "float32", "device": "cpu"}
        return {**here, "side": str(self.side)}

    def images(self, images: Tensor) -> Tensor:
        return adaptive_avg_pool2d(as_unit(images.cpu()).float(), self.side).flatten(1)
