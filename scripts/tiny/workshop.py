"""Where the bundled model is trained: its recipe, its data on the device, its random numbers."""

from dataclasses import dataclass
from functools import cached_property
from multiprocessing import Pool
from pathlib import Path

import numpy as np
import torch
from architectures import new_tokenizer
from data import scene, training_image
from recipe import Recipe
from torch import Tensor
from transformers import CLIPTokenizer

from experiments.bedrooms import caption


@dataclass
class Workshop:
    """`work` has the checkpoints and the rendered scenes; `quiet` shows no progress."""

    recipe: Recipe
    work: Path
    device: str
    quiet: bool = False

    @cached_property
    def images(self) -> Tensor:
        """All rendered scenes, (N, 64, 64, 3) uint8: on a CPU they are read as they are needed."""
        path, fresh = self.work / "images.npy", self.work / "images.tmp.npy"
        if not path.exists():
            with Pool() as pool:
                images = pool.map(training_image, range(self.recipe.scenes), chunksize=500)
            np.save(fresh, np.stack(images))
            fresh.rename(path)
        kept = np.load(path, mmap_mode="c")  # torch wants memory that it may write to
        return torch.from_numpy(kept).to(self.device)

    @cached_property
    def tokenizer(self) -> CLIPTokenizer:
        return new_tokenizer()

    def generator(self, stage: str, step: int) -> np.random.Generator:
        """All that a step draws is drawn from it: a pure function of seed, stage and step."""
        return np.random.default_rng((int.from_bytes(stage.encode()), self.recipe.seed, step))

    def drawn(self, rng: np.random.Generator, batch: int) -> Tensor:
        """Numbers of random training scenes, (batch,) int64."""
        return torch.from_numpy(rng.integers(self.recipe.scenes, size=batch)).to(self.device)

    def tokens(self, scenes: Tensor, rng: np.random.Generator, dropout: float = 0.0) -> Tensor:
        """A fresh caption of each scene, (B, 32) int64, emptied with probability `dropout`."""
        told = [caption(scene(index), rng) for index in scenes.tolist()]
        texts = ["" if rng.random() < dropout else text for text in told]
        ids = self.tokenizer(texts, padding="max_length", return_tensors="pt").input_ids
        return ids.to(self.device)
