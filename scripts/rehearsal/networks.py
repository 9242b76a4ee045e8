"""Small, randomly initialised networks of the classes that are published, and their tokenizers.

`levels` is how often a network halves the image, plus one: 4 in what is published, 2 where tests
want it smaller still.
"""

from collections.abc import Sequence
from string import ascii_lowercase
from typing import Any

import diffusers
from tokenizers import pre_tokenizers
from transformers import (
    CLIPConfig,
    CLIPModel,
    CLIPTextConfig,
    CLIPTokenizer,
    T5Config,
    T5EncoderModel,
    T5TokenizerFast,
)

CLIP_TOKENS = 77
NOISE = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
SD_SCHEDULE = {**NOISE, "steps_offset": 1, "timestep_spacing": "leading"}
OLD_ATTENTION = (diffusers.AutoencoderKL, diffusers.UNet2DModel)
"""Whose attention was published under older names, which diffusers translates."""


def byte_characters() -> list[str]:
    """The printable character that stands for each byte in the vocabulary of GPT-2 and CLIP."""
    return sorted(pre_tokenizers.ByteLevel.alphabet())


def clip_tokenizer(pad: str = "<|endoftext|>") -> CLIPTokenizer:
    """CLIP's, of single bytes: no pair of them is merged. "!" is the first, as published."""
    bytes_ = byte_characters()
    words = [*bytes_, *(f"{one}</w>" for one in bytes_), "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {word: index for index, word in enumerate(words)}
    return CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=CLIP_TOKENS, pad_token=pad)


def t5_tokenizer() -> T5TokenizerFast:
    """T5's, of single letters."""
    words = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0)]
    letters = [(letter, -3.0) for letter in ascii_lowercase]
    return T5TokenizerFast(vocab=[*words, *letters], extra_ids=0)


def text_config(width: int) -> dict[str, Any]:
    """CLIP's text tower. The ids are the published ones, of which the last two are no tokens."""
    return {
        "vocab_size": len(clip_tokenizer()),
        "hidden_size": width,
        "intermediate_size": 32,
        "projection_dim": width,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "max_position_embeddings": CLIP_TOKENS,
        "bos_token_id": 0,
        "eos_token_id": 2,
        "pad_token_id": 1,
    }


def clip(kind: type, width: int) -> Any:
    """A text tower of class `kind`."""
    return kind(CLIPTextConfig(**text_config(width))).eval()


def clip_model(width: int) -> CLIPModel:
    """A whole CLIP that sees 224 px in patches of 32."""
    vision = {
        "hidden_size": width,
        "intermediate_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "image_size": 224,
        "patch_size": 32,
    }
    config = CLIPConfig(text_config=text_config(width), vision_config=vision, projection_dim=width)
    return CLIPModel(config).eval()


def t5(width: int) -> T5EncoderModel:
    config = T5Config(
        vocab_size=len(t5_tokenizer()), d_model=width, d_ff=32, d_kv=8, num_layers=1, num_heads=2
    )
    return T5EncoderModel(config).eval()


def vae(size: int, *, levels: int = 2, **options: Any) -> diffusers.AutoencoderKL:
    return diffusers.AutoencoderKL(
        block_out_channels=(*[8] * (levels - 1), 16),
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        norm_num_groups=4,
        sample_size=size,
        **options,
    ).eval()


def unet(
    size: int,
    width: int,
    *,
    blocks: Sequence[str] = ("DownBlock2D", "CrossAttnDownBlock2D"),
    **options: Any,
) -> diffusers.UNet2DConditionModel:
    """A UNet of latents of `size`, told by text of `width`; `blocks` on the way down."""
    return diffusers.UNet2DConditionModel(
        sample_size=size,
        block_out_channels=(*[8] * (len(blocks) - 1), 16),
        layers_per_block=1,
        down_block_types=tuple(blocks),
        up_block_types=tuple(block.replace("Down", "Up") for block in reversed(blocks)),
        attention_head_dim=2,
        norm_num_groups=4,
        cross_attention_dim=width,
        **options,
    ).eval()


def sdxl_unet(size: int, widths: tuple[int, int], **options: Any) -> diffusers.UNet2DConditionModel:
    """SDXL's, told by two texts, of which the second's pooled embedding, and by sizes."""
    return unet(
        size,
        sum(widths),
        addition_embed_type="text_time",
        addition_time_embed_dim=4,
        projection_class_embeddings_input_dim=6 * 4 + widths[1],
        use_linear_projection=True,
        **options,
    )


def transformer(size: int, *, channels: int, pooled: int, joint: int) -> Any:
    """SD3's, of latents of `size` in patches of 2."""
    return diffusers.SD3Transformer2DModel(
        sample_size=size,
        patch_size=2,
        in_channels=channels,
        out_channels=channels,
        num_layers=1,
        attention_head_dim=8,
        num_attention_heads=2,
        caption_projection_dim=16,
        joint_attention_dim=joint,
        pooled_projection_dim=pooled,
    ).eval()


def pixel_unet(size: int, **options: Any) -> diffusers.UNet2DModel:
    """DDPM's, of images of `size`."""
    return diffusers.UNet2DModel(
        sample_size=size,
        block_out_channels=(8, 16),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=4,
        norm_num_groups=4,
        **options,
    ).eval()
