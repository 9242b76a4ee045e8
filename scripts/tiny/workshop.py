"""Where the bundled model is trained: its recipe, its data on the device, its random numbers."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from architectures import new_tokenizer
from data import captions, training_images
from recipe import Recipe
from torch import Tensor
from transformers import CLIPTokenizer


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
        return torch.from_numpy(training_images(self.work, self.recipe.scenes)).to(self.device)

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
        texts = captions(scenes.tolist(), rng, dropout)
        ids = self.tokenizer(texts, padding="max_length", return_tensors="pt").input_ids
        return ids.to(self.device)
