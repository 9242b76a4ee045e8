"""SSCD copy-detection descriptors (Pizzi et al., CVPR 2022), 512 numbers of unit length.

Of the two preprocessings that the authors describe this is the one that keeps the aspect ratio:
short side 288, no crop, ImageNet mean and standard deviation. The resizing is PIL's bilinear, as in
the authors' transform, because the descriptor notices it: torchvision's resizing of tensors differs
by up to 2/255, which moves cosines of the 8-bit network by up to 0.01.
"""

from abc import ABC, abstractmethod
from functools import cached_property
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from metrics import weights
from metrics.features.network import Network, as_bytes

SHORT_SIDE = 288


class _SSCD(Network, ABC):
    def images(self, images: Tensor) -> Tensor:
        """(N, 3, H, W), uint8 or float in [0, 1] -> (N, 512), float32 on the CPU."""
        return self.in_chunks(self._describe, as_bytes(images).cpu())

    def _describe(self, images: Tensor) -> Tensor:
        pictures = images.permute(0, 2, 3, 1).numpy()
        return self._embed(np.stack([_resize(picture) for picture in pictures])).float()

    @abstractmethod
    def _embed(self, pictures: np.ndarray) -> Tensor:
        """(N, height, width, 3) uint8 -> (N, 512)."""


class SSCDTorchScript(_SSCD):
    """The authors' network, as they released it."""

    library = f"torch {torch.__version__}"

    @cached_property
    def model(self) -> torch.jit.ScriptModule:
        model = torch.jit.load(weights.locate(self.source), map_location=self.device)
        return model.eval().to(self.dtype)

    def _embed(self, pictures: np.ndarray) -> Tensor:
        x = torch.from_numpy(pictures).to(self.device).permute(0, 3, 1, 2).to(self.dtype) / 255
        mean = x.new_tensor((0.485, 0.456, 0.406)).view(3, 1, 1)
        std = x.new_tensor((0.229, 0.224, 0.225)).view(3, 1, 1)
        return self.model((x - mean) / std)


class SSCDOnnx(_SSCD):
    """The network quantised to 8 bits, which takes bytes and always runs on the CPU."""

    library = f"onnxruntime {version('onnxruntime')}"

    def place(self, *, device: torch.device, dtype: torch.dtype, batch_size: int) -> None:
        super().place(device=torch.device("cpu"), dtype=torch.int8, batch_size=batch_size)

    @cached_property
    def session(self) -> Any:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        return onnxruntime.InferenceSession(
            weights.locate(self.source), options, providers=["CPUExecutionProvider"]
        )

    def _embed(self, pictures: np.ndarray) -> Tensor:
        return torch.from_numpy(self.session.run(None, {"image": pictures})[0])


def _resize(picture: np.ndarray) -> np.ndarray:
    """The short side to SHORT_SIDE, the long side in proportion, rounded down."""
    height, width = picture.shape[:2]
    scale = SHORT_SIDE / min(height, width)
    size = (int(width * scale), int(height * scale))
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BILINEAR))
