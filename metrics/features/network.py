"""What every frozen network is: named cheaply, loaded on first use, run in chunks."""

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor


class Network(ABC):
    """A frozen network. Constructing one reads no weights; its first use does."""

    device = torch.device("cpu")
    dtype = torch.float32
    batch_size = 16

    def place(self, *, device: torch.device, dtype: torch.dtype, batch_size: int) -> None:
        """Say where the network will run, in which dtype, and how many images at a time."""
        self.device, self.dtype, self.batch_size = device, dtype, batch_size

    @property
    @abstractmethod
    def identity(self) -> dict[str, str]:
        """What decides a score of this network: its weights, library, dtype and device class."""

    @abstractmethod
    def images(self, images: Tensor) -> Tensor:
        """(N, 3, H, W), uint8 or float in [0, 1] -> features (N, F), float32 on the CPU."""

    def in_chunks(self, function: Callable[[Tensor], Tensor], inputs: Tensor) -> Tensor:
        """Concatenate `function` over chunks of `batch_size` rows, without gradients."""
        with torch.inference_mode():
            return torch.cat([function(x).float().cpu() for x in inputs.split(self.batch_size)])


def as_bytes(images: Tensor) -> Tensor:
    """Images as the 8-bit files that they are stored as: float in [0, 1] is rounded."""
    if images.dtype == torch.uint8:
        return images
    return images.float().mul(255).round().to(torch.uint8)
