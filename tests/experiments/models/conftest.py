"""Small, randomly initialised pipelines of every family, on disk and in memory, and a small hub."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from string import ascii_lowercase

import diffusers
import pytest
import torch
from torch import Tensor
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    T5Config,
    T5EncoderModel,
    T5TokenizerFast,
)

from experiments.models.ddpm import DDPM
from experiments.models.inpainting import StableDiffusionInpainting
from experiments.models.model import Model
from experiments.models.quiet import no_progress_bars, quiet
from experiments.models.sd3 import SD3
from experiments.models.sdxl import SDXL
from experiments.models.stable_diffusion import StableDiffusion

STEPS = 4
SIZE = 16  # pixels; 8 x 8 latents
NOISE = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
SD_SCHEDULE = {**NOISE, "steps_offset": 1, "timestep_spacing": "leading"}


@dataclass(frozen=True)
class Family:
    """A pipeline saved to `folder`, our loader for it, and diffusers' answer to compare with."""

    folder: Path
    load: Callable[..., Model]
    pipeline: diffusers.DiffusionPipeline

    def model(self, **changes) -> Model:
        settings = {
            "name": "small",
            "source": str(self.folder),
            "revision": None,
            "variant": None,
            "image_size": SIZE,
            "num_steps": STEPS,
            "guidance": 1.0,
            "dtype": "float32",
            "device": "cpu",
        }
        return self.load(**settings | changes)

    def images(self, prompts: list[str], noise: Tensor, *, guidance: float) -> Tensor:
        """What diffusers makes of the same latents, (N, 3, H, W)."""
        self.pipeline.set_progress_bar_config(disable=True)
        return self.pipeline(
            prompts,
            height=SIZE,
            width=SIZE,
            num_inference_steps=STEPS,
            num_images_per_prompt=len(noise) // len(prompts),
            guidance_scale=guidance,
            latents=noise,
            output_type="pt",
        ).images


def clip_tokenizer() -> CLIPTokenizer:
    letters = [*ascii_lowercase, *(f"{letter}</w>" for letter in ascii_lowercase)]
    words = [*letters, "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {word: index for index, word in enumerate(words)}
    return CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=24)


def clip(kind: type, width: int):
    tokenizer = clip_tokenizer()
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=32,
        projection_dim=width,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=24,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return kind(config).eval()


def vae(**options) -> diffusers.AutoencoderKL:
    return diffusers.AutoencoderKL(
        block_out_channels=(8, 16),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=4,
        norm_num_groups=4,
        sample_size=SIZE,
        **options,
    ).eval()


def unet(width: int, **options) -> diffusers.UNet2DConditionModel:
    return diffusers.UNet2DConditionModel(
        sample_size=SIZE // 2,
        block_out_channels=(8, 16),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=2,
        norm_num_groups=4,
        cross_attention_dim=width,
        **options,
    ).eval()


def stable_diffusion(*, prediction: str = "epsilon") -> diffusers.StableDiffusionPipeline:
    # Published like Stable Diffusion 1.5: with another sampler's scheduler.
    published = diffusers.PNDMScheduler(
        **SD_SCHEDULE, skip_prk_steps=True, prediction_type=prediction
    )
    return diffusers.StableDiffusionPipeline(
        vae=vae(),
        text_encoder=clip(CLIPTextModel, 16),
        tokenizer=clip_tokenizer(),
        unet=unet(16),
        scheduler=published,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def inpainting() -> diffusers.StableDiffusionInpaintPipeline:
    return diffusers.StableDiffusionInpaintPipeline(
        vae=vae(),
        text_encoder=clip(CLIPTextModel, 16),
        tokenizer=clip_tokenizer(),
        unet=unet(16, in_channels=4 + 1 + 4),
        scheduler=diffusers.PNDMScheduler(**SD_SCHEDULE, skip_prk_steps=True),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def sdxl() -> diffusers.StableDiffusionXLPipeline:
    return diffusers.StableDiffusionXLPipeline(
        vae=vae(),
        text_encoder=clip(CLIPTextModel, 16),
        text_encoder_2=clip(CLIPTextModelWithProjection, 24),
        tokenizer=clip_tokenizer(),
        tokenizer_2=clip_tokenizer(),
        unet=unet(
            16 + 24,
            addition_embed_type="text_time",
            addition_time_embed_dim=4,
            projection_class_embeddings_input_dim=6 * 4 + 24,
            use_linear_projection=True,
        ),
        scheduler=diffusers.EulerDiscreteScheduler(**SD_SCHEDULE),
        add_watermarker=False,
    )


def sd3(*, t5: bool = True) -> diffusers.StableDiffusion3Pipeline:
    words = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0)]
    tokenizer = T5TokenizerFast(
        vocab=[*words, *((letter, -3.0) for letter in ascii_lowercase)], extra_ids=0
    )
    config = T5Config(
        vocab_size=len(tokenizer), d_model=48, d_ff=32, d_kv=8, num_layers=1, num_heads=2
    )
    return diffusers.StableDiffusion3Pipeline(
        vae=vae(shift_factor=0.06, scaling_factor=1.5, use_quant_conv=False),
        text_encoder=clip(CLIPTextModelWithProjection, 16),
        text_encoder_2=clip(CLIPTextModelWithProjection, 24),
        text_encoder_3=T5EncoderModel(config).eval() if t5 else None,
        tokenizer=clip_tokenizer(),
        tokenizer_2=clip_tokenizer(),
        tokenizer_3=tokenizer if t5 else None,
        transformer=diffusers.SD3Transformer2DModel(
            sample_size=SIZE // 2,
            patch_size=2,
            in_channels=4,
            out_channels=4,
            num_layers=1,
            attention_head_dim=8,
            num_attention_heads=2,
            caption_projection_dim=16,
            joint_attention_dim=48,
            pooled_projection_dim=16 + 24,
        ).eval(),
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0),
    )


def ddpm() -> diffusers.DDPMPipeline:
    network = diffusers.UNet2DModel(
        sample_size=SIZE,
        block_out_channels=(8, 16),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=4,
        norm_num_groups=4,
    )
    return diffusers.DDPMPipeline(network.eval(), diffusers.DDPMScheduler())


def ddim_of(folder: Path) -> diffusers.DDIMScheduler:
    """DDIM with a published scheduler's settings, two of which its own class does not know."""
    path = folder / "scheduler_config.json"
    settings = json.loads(path.read_text()) | {"clip_sample": False, "set_alpha_to_one": False}
    path.write_text(json.dumps(settings))
    return diffusers.DDIMScheduler.from_pretrained(folder)


@dataclass(frozen=True)
class Unconditional(Family):
    def images(self, prompts: list[str], noise: Tensor, *, guidance: float) -> Tensor:
        """DDIMPipeline draws its own noise; it is handed ours instead."""
        self.pipeline.set_progress_bar_config(disable=True)
        module = diffusers.pipelines.ddim.pipeline_ddim
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "randn_tensor", lambda *_, **__: noise)
            return self.pipeline(
                batch_size=len(noise), num_inference_steps=STEPS, output_type="pt"
            ).images


T5_LENGTH = 256  # the pipeline's own default
FAMILIES = {
    "sd": (StableDiffusion.load, stable_diffusion),
    "sd_v": (StableDiffusion.load, partial(stable_diffusion, prediction="v_prediction")),
    "inpainting": (StableDiffusionInpainting.load, inpainting),
    "sdxl": (SDXL.load, sdxl),
    "sd3": (partial(SD3.load, t5=True, t5_length=T5_LENGTH), sd3),
    "sd3_without_t5": (partial(SD3.load, t5=False, t5_length=T5_LENGTH), partial(sd3, t5=False)),
    "ddpm": (DDPM.load, ddpm),
}


@pytest.fixture(scope="session")
def families(tmp_path_factory) -> Callable[[str], Family]:
    """Families by name, each built and saved once."""
    made: dict[str, Family] = {}

    def family(name: str) -> Family:
        if name not in made:
            load, build = FAMILIES[name]
            with torch.random.fork_rng(), quiet(), no_progress_bars():
                torch.manual_seed(0)
                pipeline = build()
                folder = tmp_path_factory.mktemp(name)
                pipeline.save_pretrained(folder)
                if name == "ddpm":
                    reference = diffusers.DDIMPipeline(pipeline.unet, pipeline.scheduler)
                    made[name] = Unconditional(folder, load, reference)
                else:
                    if not name.startswith("sd3"):
                        pipeline.scheduler = ddim_of(folder / "scheduler")
                    made[name] = Family(folder, load, pipeline)
        return made[name]

    return family
