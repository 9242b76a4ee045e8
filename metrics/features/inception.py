"""Inception-v3 as FID and KID read it (Heusel et al., NeurIPS 2017), by torch-fidelity's network:
TensorFlow's weights of 2015, its bilinear resizing to 299 px, 2048 numbers after the last pooling.
"""

from functools import cached_property
from importlib.metadata import version
from typing import Any

import torch
from torch import Tensor

from metrics import weights
from metrics.features.network import Network, as_bytes


class InceptionFeatures(Network):
    """In float32 or float64; a dtype of 16 bits is not what published values were computed in."""

    library = f"torch-fidelity {version('torch-fidelity')}"

    def place(self, *, device: torch.device, dtype: torch.dtype, batch_size: int) -> None:
        super().place(device=device, dtype=torch.float32, batch_size=batch_size)

    @cached_property
    def model(self) -> Any:
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

        path = weights.locate(self.source)
        torch.load(path, weights_only=True)  # refuses more than tensors; the package would run it
        return FeatureExtractorInceptionV3("inception", ["2048"], str(path)).to(self.device)

    def images(self, images: Tensor) -> Tensor:
        """(N, 3, H, W), uint8 or float in [0, 1] -> (N, 2048), float32 on the CPU."""
        return self.in_chunks(lambda x: self.model(x.to(self.device))[0], as_bytes(images))
