"""The bundled model's networks, untrained: ordinary diffusers and transformers classes, small.

Sizes were chosen for two CPU cores: convolutions are narrow where the grid is fine, and the
latent UNet attends to the prompt only at 8x8 and 4x4.
"""

import json

import numpy as np
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    DDPMScheduler,
    UNet2DConditionModel,
    UNet2DModel,
)
from tokenizers import Tokenizer as BytePairTokenizer
from tokenizers import models, pre_tokenizers, trainers
from transformers import CLIPConfig, CLIPModel, CLIPTextConfig, CLIPTokenizer

from experiments.bedrooms.captions import caption
from experiments.bedrooms.scene import sample_scene

IMAGE_SIZE = 64
DDPM_SIZE = 32
MAX_TOKENS = 32
TEXT_WIDTH = 128


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


def text_config(tokenizer: CLIPTokenizer) -> CLIPTextConfig:
    return CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=TEXT_WIDTH,
        intermediate_size=4 * TEXT_WIDTH,
        projection_dim=TEXT_WIDTH,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=MAX_TOKENS,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


def new_clip(tokenizer: CLIPTokenizer) -> CLIPModel:
    vision = {
        "image_size": IMAGE_SIZE,
        "patch_size": 8,
        "hidden_size": 128,
        "intermediate_size": 384,
        "projection_dim": TEXT_WIDTH,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
    }
    text = text_config(tokenizer).to_dict()
    return CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=TEXT_WIDTH))


def new_vae() -> AutoencoderKL:
    """64x64 RGB -> 4x16x16 latents."""
    return AutoencoderKL(
        sample_size=IMAGE_SIZE,
        latent_channels=4,
        block_out_channels=(16, 32, 64),
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        layers_per_block=1,
        norm_num_groups=8,
        mid_block_add_attention=False,
    )


def new_unet() -> UNet2DConditionModel:
    return UNet2DConditionModel(
        sample_size=16,
        in_channels=4,
        out_channels=4,
        block_out_channels=(32, 64, 128),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        layers_per_block=1,
        cross_attention_dim=TEXT_WIDTH,
        attention_head_dim=4,
        norm_num_groups=8,
    )


def new_scheduler() -> DDIMScheduler:
    """Stable Diffusion 1.5's noise schedule and conventions."""
    return DDIMScheduler(
        num_train_timesteps=1000,
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
        timestep_spacing="leading",
        prediction_type="epsilon",
    )


def new_ddpm() -> tuple[UNet2DModel, DDPMScheduler]:
    """32x32 pixels in [-1, 1], the linear schedule of Ho et al. 2020."""
    unet = UNet2DModel(
        sample_size=DDPM_SIZE,
        in_channels=3,
        out_channels=3,
        block_out_channels=(24, 48, 64),
        down_block_types=("DownBlock2D", "DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D", "UpBlock2D"),
        layers_per_block=1,
        attention_head_dim=16,
        norm_num_groups=8,
    )
    return unet, DDPMScheduler(num_train_timesteps=1000)
