"""Stable Diffusion 3: a flow-matching transformer with two CLIP encoders and an optional T5.

Esser et al., ICML 2024, arXiv:2403.03206. The reference is diffusers' StableDiffusion3Pipeline
with its own FlowMatchEulerDiscreteScheduler; without T5 its tokens are zeros, as there.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from experiments.models.condition import Condition
from experiments.models.latent import LatentModel
from experiments.models.loading import Parts
from experiments.models.neutral import VAE
from experiments.models.process import FlowEuler
from experiments.models.sdxl import ENCODERS, TOKENIZERS, clip_embeddings
from experiments.models.stable_diffusion import tokens

T5_PARTS = ("text_encoder_3", "tokenizer_3")


class SD3(LatentModel):
    """Stable Diffusion 3 as a model of the protocol.

    t5: T5's tokenizer and encoder, or None; t5_length: how many T5 tokens condition the network,
    whether there is a T5 or not.
    """

    parts = ("transformer", "vae", *ENCODERS, *TOKENIZERS, "scheduler")
    pipelines = ("StableDiffusion3Pipeline",)
    sampler = FlowEuler
    neutral: ClassVar = {"transformer": {"_class_name": ("SD3Transformer2DModel",)}, "vae": VAE}

    def __init__(
        self,
        *,
        transformer: Any,
        text_encoders: Sequence[Any],
        tokenizers: Sequence[Any],
        t5: tuple[Any, Any] | None,
        t5_length: int,
        **rest: Any,
    ) -> None:
        encoders = (*text_encoders, *([t5[1]] if t5 else []))
        super().__init__(network=transformer, encoders=encoders, **rest)
        self.transformer = transformer
        self.text_encoders = text_encoders
        self.tokenizers = tokenizers
        self.t5 = t5
        self.t5_length = t5_length

    @classmethod
    def parts_with(cls, **settings: Any) -> tuple[str, ...]:
        return cls.parts + T5_PARTS if settings["t5"] else cls.parts

    @classmethod
    def networks(  # type: ignore[override]  # with settings of its own
        cls, checkpoint: Parts, *, t5: bool, t5_length: int
    ) -> dict[str, Any]:
        from diffusers import AutoencoderKL, SD3Transformer2DModel
        from transformers import (
            CLIPTextModelWithProjection,
            CLIPTokenizer,
            T5EncoderModel,
            T5Tokenizer,
        )

        return {
            "transformer": checkpoint.model("transformer", SD3Transformer2DModel),
            "vae": checkpoint.model("vae", AutoencoderKL),
            "text_encoders": [
                checkpoint.model(part, CLIPTextModelWithProjection) for part in ENCODERS
            ],
            "tokenizers": [checkpoint.config(part, CLIPTokenizer) for part in TOKENIZERS],
            "t5": (
                checkpoint.config("tokenizer_3", T5Tokenizer),
                checkpoint.model("text_encoder_3", T5EncoderModel),
            )
            if t5
            else None,
            "t5_length": t5_length,
        }

    def encode_prompts(self, prompts: Sequence[str]) -> Condition:
        clip, pooled = clip_embeddings(self.tokenizers, self.text_encoders, prompts)
        t5 = self._t5_embeddings(prompts)
        clip = F.pad(clip, (0, t5.shape[-1] - clip.shape[-1]))
        return {
            "encoder_hidden_states": torch.cat([clip, t5], dim=-2),
            "pooled_projections": torch.cat(pooled, dim=-1),
        }

    def _t5_embeddings(self, prompts: Sequence[str]) -> Tensor:
        """(N, t5_length, width)"""
        if self.t5 is None:
            width = self.transformer.config.joint_attention_dim
            shape = (len(prompts), self.t5_length, width)
            return torch.zeros(shape, device=self.device, dtype=self.dtype)
        tokenizer, encoder = self.t5
        ids = tokens(tokenizer, prompts, self.t5_length).to(self.device)
        return encoder(ids).last_hidden_state.to(self.dtype)

    def network(self, x: Tensor, timestep: Tensor, condition: Condition) -> Tensor:
        return self.transformer(x, timestep=timestep, **condition).sample
