"""The convolutions of AlexNet and VGG16, brought from every source's format to one file.

That file, safetensors with the keys "N.weight" and "N.bias" of torchvision's `features[N]`, is what
the variants pin: two sources that held different weights could not both pass.
"""

from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from metrics.weights.arrays import read_arrays

ALEXNET = (0, 3, 6, 8, 10)
VGG16 = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)


def from_torchvision(layers: tuple[int, ...]) -> Callable[[Path, Path], None]:
    """Reads a checkpoint of torchvision's whole network, as tensors only."""

    def read(source: Path, target: Path) -> None:
        state = torch.load(source, map_location="cpu", weights_only=True)
        _save(
            {f"{n}.{p}": state[f"features.{n}.{p}"] for n in layers for p in ("weight", "bias")},
            target,
        )

    return read


def from_flax(network: str, layers: tuple[int, ...]) -> Callable[[Path, Path], None]:
    """Reads a pickled Flax parameter tree, kernels (height, width, in, out), as arrays only."""

    def read(source: Path, target: Path) -> None:
        convolutions = read_arrays(source)[network]
        tensors = {}
        for i, n in enumerate(layers):
            convolution = convolutions[f"Conv_{i}"]
            tensors[f"{n}.weight"] = torch.from_numpy(convolution["kernel"]).permute(3, 2, 0, 1)
            tensors[f"{n}.bias"] = torch.from_numpy(convolution["bias"])
        _save(tensors, target)

    return read


def _save(tensors: dict[str, Tensor], target: Path) -> None:
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, target)
