"""The convolutions of AlexNet and VGG16, brought from every source's format to one file.

That file, safetensors with the keys "N.weight" and "N.bias" of torchvision's `features[N]`, is what
the variants pin: two sources that held different weights could not both pass.
"""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy._core.multiarray import _reconstruct
from safetensors.torch import save_file

ALEXNET = (0, 3, 6, 8, 10)
VGG16 = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)

# The names under which numpy's releases have pickled arrays.
_ALLOWED = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
}


def from_torchvision(layers: tuple[int, ...], source: Path, target: Path) -> None:
    """Reads a checkpoint of torchvision's whole network, as tensors only."""
    state = torch.load(source, map_location="cpu", weights_only=True)
    names = [f"{n}.{parameter}" for n in layers for parameter in ("weight", "bias")]
    save_file({name: state[f"features.{name}"].contiguous() for name in names}, target)


def from_flax(network: str, layers: tuple[int, ...], source: Path, target: Path) -> None:
    """Reads a pickled Flax parameter tree, kernels (height, width, in, out), as arrays only."""
    tree = read_arrays(source)[network]
    tensors: dict[str, torch.Tensor] = {}
    for i, n in enumerate(layers):
        kernel, bias = (torch.from_numpy(tree[f"Conv_{i}"][name]) for name in ("kernel", "bias"))
        tensors |= {f"{n}.weight": kernel.permute(3, 2, 0, 1).contiguous(), f"{n}.bias": bias}
    save_file(tensors, target)


class _ArrayUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise ValueError(f"refused: it asks for {module}.{name}, which is no part of an array")
        return _ALLOWED[module, name]


def read_arrays(path: Path) -> Any:
    """The nested dicts and lists of arrays in a pickle, which is a program.

    Only what rebuilds an array may be called: ValueError for a pickle that asks for anything else,
    before anything of it has run, and for one that is cut off.
    """
    with path.open("rb") as file:
        try:
            return _ArrayUnpickler(file).load()
        except (EOFError, pickle.UnpicklingError) as error:
            raise ValueError(f"{path.name} is cut off or no pickle: {error}") from error
