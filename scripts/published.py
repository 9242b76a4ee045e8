"""Networks of the published sizes, with random weights: for time and memory, which ask for no more.

Sources: the `config.json` beside each published network (docs/models.md names the repositories).
"""

from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    FlowMatchEulerDiscreteScheduler,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from experiments.models.quiet import no_progress_bars, quiet
from scripts.rehearsal.networks import SD_SCHEDULE, clip_tokenizer


def sd15_unet() -> nn.Module:
    return UNet2DConditionModel(cross_attention_dim=768, sample_size=64)


def sdxl_unet() -> nn.Module:
    return UNet2DConditionModel(
        sample_size=128, block_out_channels=(320, 640, 1280), cross_attention_dim=2048,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        transformer_layers_per_block=[1, 2, 10], attention_head_dim=[5, 10, 20],
        addition_embed_type="text_time", addition_time_embed_dim=256,
        projection_class_embeddings_input_dim=2816, use_linear_projection=True,
    )  # fmt: skip


def sd3_transformer() -> nn.Module:
    return SD3Transformer2DModel(
        sample_size=128, patch_size=2, in_channels=16, out_channels=16, num_layers=24,
        attention_head_dim=64, num_attention_heads=24, joint_attention_dim=4096,
        caption_projection_dim=1536, pooled_projection_dim=2048, pos_embed_max_size=192,
    )  # fmt: skip


def vae(channels: int, **options: Any) -> nn.Module:
    """The autoencoder, of latents of 4 channels or of SD3's 16."""
    return AutoencoderKL(
        block_out_channels=(128, 256, 512, 512), latent_channels=channels, layers_per_block=2,
        down_block_types=["DownEncoderBlock2D"] * 4, up_block_types=["UpDecoderBlock2D"] * 4,
        use_quant_conv=channels == 4, use_post_quant_conv=channels == 4, **options,
    )  # fmt: skip


def clip_l(kind: type[nn.Module] = CLIPTextModel) -> nn.Module:
    """The text tower of CLIP ViT-L/14."""
    return kind(_text(768, layers=12, activation="quick_gelu"))


def clip_g() -> nn.Module:
    """The text tower of OpenCLIP ViT-bigG/14."""
    return CLIPTextModelWithProjection(_text(1280, layers=32, activation="gelu"))


def _text(width: int, *, layers: int, activation: str) -> CLIPTextConfig:
    return CLIPTextConfig(
        hidden_size=width, intermediate_size=4 * width, projection_dim=width,
        num_hidden_layers=layers, num_attention_heads=width // 64, hidden_act=activation,
    )  # fmt: skip


def _ddim() -> DDIMScheduler:
    return DDIMScheduler(**SD_SCHEDULE, clip_sample=False, set_alpha_to_one=False)


def _sd15() -> StableDiffusionPipeline:
    return StableDiffusionPipeline(
        unet=sd15_unet(), vae=vae(4, sample_size=512), text_encoder=clip_l(),
        tokenizer=clip_tokenizer(), scheduler=_ddim(),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip


def _sdxl() -> StableDiffusionXLPipeline:
    return StableDiffusionXLPipeline(
        unet=sdxl_unet(),
        vae=vae(4, sample_size=1024, scaling_factor=0.13025, force_upcast=True),
        text_encoder=clip_l(), tokenizer=clip_tokenizer(),
        text_encoder_2=clip_g(), tokenizer_2=clip_tokenizer(pad="!"),
        scheduler=_ddim(),
    )  # fmt: skip


def _sd3() -> StableDiffusion3Pipeline:
    return StableDiffusion3Pipeline(
        transformer=sd3_transformer(),
        vae=vae(16, sample_size=1024, scaling_factor=1.5305, shift_factor=0.0609),
        text_encoder=clip_l(CLIPTextModelWithProjection), tokenizer=clip_tokenizer(),
        text_encoder_2=clip_g(), tokenizer_2=clip_tokenizer(pad="!"),
        text_encoder_3=None, tokenizer_3=None,
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
    )  # fmt: skip


PIPELINES = {"sd15": _sd15, "sdxl": _sdxl, "sd3": _sd3}
"""By model. SD3 without T5, which a gallery's time does not hang on."""


def save_random(model: str, folder: Path) -> list[str]:
    """Writes a pipeline of the published size with random weights, in half precision.

    Returns:
        The overrides with which the suite loads it in place of the published one.
    """
    if not (folder / "model_index.json").is_file():
        device = "cuda" if torch.cuda.is_available() else "cpu"
        with quiet(), no_progress_bars(), torch.random.fork_rng(), torch.device(device):
            torch.manual_seed(0)
            PIPELINES[model]().to(torch.float16).save_pretrained(folder)
    without_t5 = ["model.t5=false"] if model == "sd3" else []
    return [f"model.source={folder}", "model.revision=null", "model.variant=null", *without_t5]
