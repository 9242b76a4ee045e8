"""The bundled model's parts before training, as the committed model's own files configure them.

Sizes were chosen for two CPU cores: convolutions are narrow where the grid is fine, and the
latent UNet attends to the prompt only at 8x8 and 4x4.
"""

import json
from pathlib import Path
from typing import TypeVar

import numpy as np
from diffusers import ConfigMixin
from tokenizers import Tokenizer as BytePairTokenizer
from tokenizers import models, pre_tokenizers, trainers
from transformers import CLIPTokenizer

from experiments.bedrooms.captions import caption
from experiments.bedrooms.scene import sample_scene

MODEL = Path(__file__).parents[2] / "experiments" / "models" / "tiny"
IMAGE_SIZE = 64
DDPM_SIZE = 32
MAX_TOKENS = 32

P = TypeVar("P", bound=ConfigMixin)


def untrained(kind: type[P], part: str) -> P:
    """A network or scheduler of diffusers, configured as the committed MODEL / `part` is."""
    config = kind.load_config(MODEL / part)
    config.pop("_name_or_path", None)  # where somebody trained it
    return kind.from_config(config)


def new_tokenizer() -> CLIPTokenizer:
    """Byte-pair encoding in which every word of the caption grammar is one token.

    Any other text falls back to smaller pieces, in the end to bytes.
    """
    rng = np.random.default_rng(0)
    captions = [caption(sample_scene(rng), rng).replace(",", "") for _ in range(2000)]
    learner = BytePairTokenizer(models.BPE(end_of_word_suffix="</w>"))
    learner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    learner.train_from_iterator(
        captions, trainers.BpeTrainer(end_of_word_suffix="</w>", show_progress=False)
    )
    merges = [tuple(pair) for pair in json.loads(learner.to_str())["model"]["merges"]]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    pieces = alphabet + [c + "</w>" for c in alphabet] + [a + b for a, b in merges]
    pieces = [*dict.fromkeys(pieces), "<|startoftext|>", "<|endoftext|>"]
    vocab = {piece: i for i, piece in enumerate(pieces)}
    return CLIPTokenizer(vocab, merges, model_max_length=MAX_TOKENS)
