"""DINOv2 image features (Oquab et al., TMLR 2024), through transformers: the class token after the
last layer's norm, which FD-DINOv2 (Stein et al., NeurIPS 2023) reads, too.

Images are resized (short side, bicubic with antialiasing), cropped at the centre and normalised as
the model's own preprocessor_config.json says, by transformers' tensor path.
"""

from functools import cached_property
from importlib.metadata import version
from typing import TYPE_CHECKING

from torch import Tensor

from metrics import weights
from metrics.features.network import Network, as_bytes, pretrained

if TYPE_CHECKING:
    from transformers import BitImageProcessor, Dinov2Model


class DINOv2Features(Network):
    """source: the folder or variant of a Dinov2Model and its image processor."""

    library = f"transformers {version('transformers')}"

    @cached_property
    def model(self) -> "Dinov2Model":
        from transformers import Dinov2Model

        return pretrained(Dinov2Model, self)

    @cached_property
    def processor(self) -> "BitImageProcessor":
        from transformers import BitImageProcessor

        folder = weights.locate(self.source)
        return BitImageProcessor.from_pretrained(folder, local_files_only=True)

    def images(self, images: Tensor) -> Tensor:
        """(N, 3, H, W), uint8 or float in [0, 1] -> (N, F), float32 on the CPU."""
        return self.in_chunks(self._images, as_bytes(images))

    def _images(self, images: Tensor) -> Tensor:
        pixels = self.processor(list(images), return_tensors="pt", device=self.device)
        return self.model(pixels["pixel_values"].to(self.dtype)).pooler_output.float()
