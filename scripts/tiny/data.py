"""What the bundled model learns from and is measured on: scenes, rendered, and noise."""

import numpy as np
import torch
from architectures import IMAGE_SIZE
from torch import Tensor

from experiments.bedrooms import Scene, render, sample_scene

TRAINING = 0  # the random stream of the scenes that are learned from; others are held out


def scene(index: int, *, stream: int = TRAINING) -> Scene:
    return sample_scene(np.random.default_rng((stream, index)))


def training_image(index: int) -> np.ndarray:
    return render(scene(index), IMAGE_SIZE)[0]


def to_tensor(images: Tensor) -> Tensor:
    """(B, H, W, 3) uint8 -> (B, 3, H, W) float32 in [-1, 1]."""
    x = images.permute(0, 3, 1, 2).float() / 127.5 - 1
    return x.contiguous(memory_format=torch.channels_last)


def normal(rng: np.random.Generator, like: Tensor) -> Tensor:
    """Standard normal numbers, float32, of the shape and on the device of `like`."""
    noise = torch.from_numpy(rng.standard_normal(tuple(like.shape), np.float32))
    return noise.to(like.device, memory_format=torch.channels_last)
