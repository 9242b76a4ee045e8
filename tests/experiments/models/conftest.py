"""Small, randomly initialised pipelines of every family, on disk and in memory, and a small hub."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import diffusers
import pytest
import torch
from torch import Tensor
from transformers import CLIPTextModel, CLIPTextModelWithProjection

from experiments.models.ddpm import DDPM
from experiments.models.inpainting import StableDiffusionInpainting
from experiments.models.model import Model
from experiments.models.quiet import no_progress_bars, quiet
from experiments.models.sd3 import SD3
from experiments.models.sdxl import SDXL
from experiments.models.stable_diffusion import StableDiffusion
from scripts.rehearsal.networks import (
    SD_SCHEDULE,
    clip,
    clip_tokenizer,
    pixel_unet,
    sdxl_unet,
    t5,
    t5_tokenizer,
    transformer,
    unet,
    vae,
)

STEPS = 4
SIZE = 16  # pixels; 8 x 8 latents
LATENT = SIZE // 2


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


def stable_diffusion(*, prediction: str = "epsilon") -> diffusers.StableDiffusionPipeline:
    # Published like Stable Diffusion 1.5: with another sampler's scheduler.
    published = diffusers.PNDMScheduler(
        **SD_SCHEDULE, skip_prk_steps=True, prediction_type=prediction
    )
    return diffusers.StableDiffusionPipeline(
        vae=vae(SIZE),
        text_encoder=clip(CLIPTextModel, 16),
        tokenizer=clip_tokenizer(),
        unet=unet(LATENT, 16),
        scheduler=published,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def inpainting() -> diffusers.StableDiffusionInpaintPipeline:
    return diffusers.StableDiffusionInpaintPipeline(
        vae=vae(SIZE),
        text_encoder=clip(CLIPTextModel, 16),
        tokenizer=clip_tokenizer(),
        unet=unet(LATENT, 16, in_channels=4 + 1 + 4),
        scheduler=diffusers.PNDMScheduler(**SD_SCHEDULE, skip_prk_steps=True),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def sdxl() -> diffusers.StableDiffusionXLPipeline:
    return diffusers.StableDiffusionXLPipeline(
        vae=vae(SIZE),
        text_encoder=clip(CLIPTextModel, 16),
        text_encoder_2=clip(CLIPTextModelWithProjection, 24),
        tokenizer=clip_tokenizer(),
        tokenizer_2=clip_tokenizer(),
        unet=sdxl_unet(LATENT, (16, 24)),
        scheduler=diffusers.EulerDiscreteScheduler(**SD_SCHEDULE),
        add_watermarker=False,
    )


def sd3(*, with_t5: bool = True) -> diffusers.StableDiffusion3Pipeline:
    return diffusers.StableDiffusion3Pipeline(
        vae=vae(SIZE, shift_factor=0.06, scaling_factor=1.5, use_quant_conv=False),
        text_encoder=clip(CLIPTextModelWithProjection, 16),
        text_encoder_2=clip(CLIPTextModelWithProjection, 24),
        text_encoder_3=t5(48) if with_t5 else None,
        tokenizer=clip_tokenizer(),
        tokenizer_2=clip_tokenizer(),
        tokenizer_3=t5_tokenizer() if with_t5 else None,
        transformer=transformer(LATENT, channels=4, pooled=16 + 24, joint=48),
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0),
    )


def ddpm() -> diffusers.DDPMPipeline:
    return diffusers.DDPMPipeline(pixel_unet(SIZE), diffusers.DDPMScheduler())


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
    "sd3_without_t5": (
        partial(SD3.load, t5=False, t5_length=T5_LENGTH),
        partial(sd3, with_t5=False),
    ),
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
