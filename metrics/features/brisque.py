"""The natural scene statistics of BRISQUE, and the machine that scores them."""

from functools import cached_property

import torch
from torch import Tensor

from metrics import brisque, weights
from metrics.features.network import Network, as_bytes


class BrisqueFeatures(Network):
    """See `metrics.brisque`. Always in float64 on the CPU."""

    def place(self, *, device: torch.device, dtype: torch.dtype, batch_size: int) -> None:
        super().place(device=torch.device("cpu"), dtype=torch.float64, batch_size=batch_size)

    @property
    def library(self) -> str:
        return f"torch {torch.__version__}"

    @cached_property
    def svm(self) -> brisque.SVM:
        return brisque.SVM.load(weights.locate(self.source))

    def images(self, images: Tensor) -> Tensor:
        """(N, 3, H, W), uint8 or float in [0, 1] -> (N, 36), float64 on the CPU."""
        return brisque.natural_scene_statistics(as_bytes(images))
