"""What the bundled model learns from and is measured on: rendered scenes and their captions."""

from collections.abc import Sequence
from multiprocessing import Pool
from pathlib import Path

import numpy as np
import torch
from architectures import IMAGE_SIZE
from torch import Tensor

from experiments.bedrooms import Scene, caption, render, sample_scene

TRAINING = 0  # the random stream of the scenes that are learned from; others are held out


def scene(index: int, *, stream: int = TRAINING) -> Scene:
    return sample_scene(np.random.default_rng((stream, index)))


def training_image(index: int) -> np.ndarray:
    return render(scene(index), IMAGE_SIZE)[0]


def training_images(work: Path, count: int) -> np.ndarray:
    """All rendered scenes, (count, 64, 64, 3) uint8, memory-mapped."""
    path = work / "images.npy"
    if not path.exists():
        with Pool() as pool:
            images = np.stack(pool.map(training_image, range(count), chunksize=500))
        np.save(work / "images.tmp.npy", images)
        (work / "images.tmp.npy").rename(path)
    return np.load(path, mmap_mode="c")  # torch wants memory that it may write to


def captions(scenes: Sequence[int], rng: np.random.Generator, dropout: float) -> list[str]:
    """A fresh caption of each training scene, emptied with probability `dropout`."""
    texts = [caption(scene(index), rng) for index in scenes]
    return ["" if rng.random() < dropout else text for text in texts]


def to_tensor(images: Tensor) -> Tensor:
    """(B, H, W, 3) uint8 -> (B, 3, H, W) float32 in [-1, 1]."""
    x = images.permute(0, 3, 1, 2).float() / 127.5 - 1
    return x.contiguous(memory_format=torch.channels_last)


def normal(rng: np.random.Generator, like: Tensor) -> Tensor:
    """Standard normal numbers, float32, of the shape and on the device of `like`."""
    noise = torch.from_numpy(rng.standard_normal(tuple(like.shape), np.float32))
    return noise.to(like.device, memory_format=torch.channels_last)
