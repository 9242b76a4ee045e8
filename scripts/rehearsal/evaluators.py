"""The evaluators that the suite names, as they are published, small and with random weights.

A repository is written into a folder, a plain file to a path. Inception has no width to make less
of; a pickle lies where one is published.
"""

import json
from pathlib import Path
from typing import Any

import open_clip
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import nn
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
from transformers import (
    BitImageProcessor,
    CLIPImageProcessor,
    Dinov2Config,
    Dinov2Model,
    Idefics3Config,
    Idefics3ForConditionalGeneration,
    Idefics3ImageProcessor,
    PreTrainedTokenizerFast,
)

from experiments.models.quiet import quiet
from scripts.rehearsal import networks
from scripts.rehearsal.repositories import UNWANTED, clip_tokenizer, save

OPEN_CLIP = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 8},
    "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
}
SPECIAL = (
    "<|im_start|>", "<unk>", "<pad>", "<fake_token_around_image>", "<image>", "<global-img>",
    "<end_of_utterance>",
)  # fmt: skip
TILE, PATCH = 32, 8
SMOLVLM = {
    "scale_factor": 2,
    "vision_config": {
        "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1,
        "num_attention_heads": 2, "image_size": TILE, "patch_size": PATCH,
    },
    "text_config": {
        "model_type": "llama", "vocab_size": 300, "hidden_size": 32, "intermediate_size": 32,
        "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 2,
        "max_position_embeddings": 512, "pad_token_id": 2,
    },
}  # fmt: skip
DINOV2 = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 70}


def clip(folder: Path) -> None:
    """A CLIP of transformers: model, tokenizer and image processor, without folders."""
    networks.clip_model(32).save_pretrained(folder)
    networks.clip_tokenizer().save_pretrained(folder)  # with tokenizer.json
    clip_tokenizer(folder)
    CLIPImageProcessor().save_pretrained(folder)


def clip_h(folder: Path) -> None:
    """CLIP-ViT-H-14-laion2B: in both libraries' formats."""
    clip(folder)
    clip_of_open_clip(folder, OPEN_CLIP)


def dinov2(folder: Path) -> None:
    """dinov2-base, which sees 70 px."""
    Dinov2Model(Dinov2Config(**DINOV2, layerscale_value=0.5)).save_pretrained(folder)
    BitImageProcessor(
        size={"shortest_edge": 80}, crop_size={"height": 70, "width": 70}, resample=3,
        image_mean=[0.485, 0.456, 0.406], image_std=[0.229, 0.224, 0.225],
    ).save_pretrained(folder)  # fmt: skip


def smolvlm(folder: Path) -> None:
    """SmolVLM: an Idefics3 of tiles of 32 px, told by bytes, and by yes and no whole."""
    characters = networks.byte_characters()
    merges = [("Y", "e"), ("Ye", "s"), ("N", "o"), ("Ġ", "Yes"), ("Ġ", "No")]
    words = [*SPECIAL, *characters, *(left + right for left, right in merges)]
    bpe = Tokenizer(models.BPE({word: index for index, word in enumerate(words)}, merges))
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe, pad_token=SPECIAL[2], eos_token=SPECIAL[-1],
        additional_special_tokens=list(SPECIAL),
    )  # fmt: skip
    config = Idefics3Config(**{**SMOLVLM, "image_token_id": words.index("<image>")})
    Idefics3ForConditionalGeneration(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    size = {"size": {"longest_edge": 4 * TILE}, "max_image_size": {"longest_edge": TILE}}
    Idefics3ImageProcessor(**size).save_pretrained(folder)
    processor = {"image_seq_len": (TILE // PATCH // 2) ** 2, "processor_class": "Idefics3Processor"}
    (folder / "processor_config.json").write_text(json.dumps(processor))
    named = {"additional_special_tokens": [*SPECIAL[3:]], "pad_token": SPECIAL[2]}
    (folder / "special_tokens_map.json").write_text(json.dumps(named))


def hps(path: Path) -> None:
    """HPSv2.1: a training's checkpoint of a CLIP of open_clip."""
    state = open_clip.model.CLIP(**OPEN_CLIP).state_dict()
    torch.save({"epoch": 1, "state_dict": state}, path)


class RandomInception(FeatureExtractorInceptionV3):
    """The published class, with the weights that it starts with."""

    def load_state_dict(self, *_: Any, **__: Any) -> None:
        """Nothing."""


def inception(path: Path) -> None:
    """Inception-v3 as torch-fidelity publishes it."""
    torch.save({}, path)  # the class opens a file before it reads it
    torch.save(RandomInception("inception", ["2048"], str(path)).state_dict(), path)


def sscd(path: Path) -> None:
    """A TorchScript of 512 numbers an image."""
    layers = nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(3 * 4 * 4, 512)
    with quiet():  # the format is deprecated, and what is published
        torch.jit.script(nn.Sequential(*layers).eval()).save(str(path))


def clip_of_open_clip(folder: Path, config: dict[str, Any], preprocessing: Any = None) -> None:
    """As open_clip publishes one; beside it lies a pickle."""
    document = {"model_cfg": config, "preprocess_cfg": preprocessing or {}}
    (folder / "open_clip_config.json").write_text(json.dumps(document))
    network = open_clip.create_model(f"local-dir:{folder}", load_weights=False)
    save(network.state_dict(), folder / "open_clip_model.safetensors")
    (folder / "open_clip_pytorch_model.bin").write_bytes(UNWANTED)


FILES = {"sscd_disc_mixup": sscd, "hps_v21": hps, "inception_2015": inception}
"""Variants that are a plain file."""

CHECKED = {
    "clip_vit_l14": "model.safetensors",
    "clip_vit_b32": "model.safetensors",
    "openclip_vit_h14": "open_clip_model.safetensors",
    "dinov2_base": "model.safetensors",
}
"""Variants of a hub whose checksum is recorded, and the file that it is of."""
