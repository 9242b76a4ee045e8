"""Stable Diffusion XL: two CLIP text encoders, and the image's size as a condition.

Podell et al., ICLR 2024, arXiv:2307.01952. The reference is diffusers' StableDiffusionXLPipeline
with a DDIMScheduler, its original and target size equal to the image's, no crop.
"""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any, ClassVar

import torch
from torch import Tensor

from experiments.models.condition import Condition
from experiments.models.latent import LatentModel
from experiments.models.loading import Parts
from experiments.models.neutral import CONDITIONED, LATENTS, SCALED_VAE
from experiments.models.quiet import quiet
from experiments.models.stable_diffusion import tokens

ENCODERS = ("text_encoder", "text_encoder_2")
TOKENIZERS = ("tokenizer", "tokenizer_2")


class SDXL(LatentModel):
    """SDXL as a model of the protocol.

    zero_null: the empty prompt's embeddings are zeros, as the published model was trained.
    """

    parts = ("unet", "vae", *ENCODERS, *TOKENIZERS, "scheduler")
    pipelines = ("StableDiffusionXLPipeline",)
    neutral: ClassVar = {
        "unet": {**CONDITIONED, "addition_embed_type": ("text_time",)},
        "vae": SCALED_VAE,
        "scheduler": LATENTS,
    }

    def __init__(
        self,
        *,
        unet: Any,
        vae: Any,
        text_encoders: Sequence[Any],
        tokenizers: Sequence[Any],
        zero_null: bool,
        **rest: Any,
    ) -> None:
        if vae.dtype == torch.float16 and vae.config.force_upcast:
            # its activations overflow float16; a copy, for a pipeline in memory keeps its own
            with quiet():  # of a cast that is meant
                vae = deepcopy(vae).to(torch.float32)
        super().__init__(network=unet, vae=vae, encoders=text_encoders, **rest)
        self.unet = unet
        self.text_encoders = text_encoders
        self.tokenizers = tokenizers
        self.zero_null = zero_null

    @classmethod
    def networks(cls, checkpoint: Parts) -> dict[str, Any]:
        from diffusers import AutoencoderKL, UNet2DConditionModel
        from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

        return {
            "unet": checkpoint.model("unet", UNet2DConditionModel),
            "vae": checkpoint.model("vae", AutoencoderKL),
            "text_encoders": (
                checkpoint.model("text_encoder", CLIPTextModel),
                checkpoint.model("text_encoder_2", CLIPTextModelWithProjection),
            ),
            "tokenizers": [checkpoint.config(part, CLIPTokenizer) for part in TOKENIZERS],
            "zero_null": checkpoint.index.get("force_zeros_for_empty_prompt", True),
        }

    def encode_prompts(self, prompts: Sequence[str]) -> Condition:
        hidden, pooled = clip_embeddings(self.tokenizers, self.text_encoders, prompts)
        side = float(self.image_size)
        # Original size, crop corner, target size.
        time_ids = hidden.new_tensor([side, side, 0, 0, side, side]).expand(len(prompts), -1)
        return {"encoder_hidden_states": hidden, "text_embeds": pooled[-1], "time_ids": time_ids}

    def _encode_null(self) -> Condition:
        null = self.encode_prompts([""])
        zero = ("encoder_hidden_states", "text_embeds") if self.zero_null else ()
        return null | {name: torch.zeros_like(null[name]) for name in zero}

    def network(self, x: Tensor, timestep: Tensor, condition: Condition) -> Tensor:
        return self.unet(
            x,
            timestep,
            encoder_hidden_states=condition["encoder_hidden_states"],
            added_cond_kwargs={name: condition[name] for name in ("text_embeds", "time_ids")},
        ).sample


def clip_embeddings(
    tokenizers: Sequence[Any], text_encoders: Sequence[Any], prompts: Sequence[str]
) -> tuple[Tensor, list[Tensor]]:
    """The encoders' penultimate hidden states side by side (N, tokens, sum of widths), and each
    encoder's first output: the pooled embedding (N, width) where it has a projection.
    """
    hidden, pooled = [], []
    for tokenizer, text_encoder in zip(tokenizers, text_encoders, strict=True):
        ids = tokens(tokenizer, prompts).to(text_encoder.device)
        output = text_encoder(ids, output_hidden_states=True)
        hidden.append(output.hidden_states[-2])
        pooled.append(output[0])
    return torch.cat(hidden, dim=-1), pooled
