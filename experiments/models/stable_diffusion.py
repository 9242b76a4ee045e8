"""Stable Diffusion 1.x, and every pipeline of its shape: the bundled model is one.

One CLIP text encoder, a UNet2DConditionModel, sampled by DDIM whatever scheduler was published.
Rombach et al., CVPR 2022, arXiv:2112.10752. The reference is diffusers' StableDiffusionPipeline
with a DDIMScheduler and no safety checker, which would blank images.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

from torch import Tensor

from experiments.models.condition import Condition
from experiments.models.latent import LatentModel
from experiments.models.loading import Parts
from experiments.models.neutral import CONDITIONED, LATENTS, SCALED_VAE


class StableDiffusion(LatentModel):
    """A pipeline of Stable Diffusion's shape as a model of the protocol."""

    parts: ClassVar = ("unet", "vae", "text_encoder", "tokenizer", "scheduler")
    pipelines: ClassVar = ("StableDiffusionPipeline",)
    neutral: ClassVar = {
        "unet": {**CONDITIONED, "addition_embed_type": (None,)},
        "vae": SCALED_VAE,
        "text_encoder": {"use_attention_mask": (None, False)},
        "scheduler": {**LATENTS, "steps_offset": (1,)},  # diffusers mends another to 1
    }

    def __init__(self, *, unet: Any, text_encoder: Any, tokenizer: Any, **rest: Any) -> None:
        super().__init__(network=unet, encoders=(text_encoder,), **rest)
        self.unet = unet
        self.text_encoder = text_encoder
        self.tokenizer = tokenizer

    @classmethod
    def networks(cls, checkpoint: Parts) -> dict[str, Any]:
        from diffusers import AutoencoderKL, UNet2DConditionModel
        from transformers import CLIPTextModel, CLIPTokenizer

        return {
            "unet": checkpoint.model("unet", UNet2DConditionModel),
            "vae": checkpoint.model("vae", AutoencoderKL),
            "text_encoder": checkpoint.model("text_encoder", CLIPTextModel),
            "tokenizer": checkpoint.config("tokenizer", CLIPTokenizer),
        }

    def encode_prompts(self, prompts: Sequence[str]) -> Condition:
        found = self.text_encoder(tokens(self.tokenizer, prompts).to(self.device))
        return {"encoder_hidden_states": found.last_hidden_state}

    def network(self, x: Tensor, timestep: Tensor, condition: Condition) -> Tensor:
        return self.unet(x, timestep, **condition).sample


def tokens(tokenizer: Any, prompts: Sequence[str], length: int | None = None) -> Tensor:
    """Token ids (N, length), by default as many as the tokenizer's model takes, padded or cut."""
    length = length or tokenizer.model_max_length
    options = {"padding": "max_length", "truncation": True, "return_tensors": "pt"}
    return tokenizer(list(prompts), max_length=length, **options).input_ids
