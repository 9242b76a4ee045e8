"""Unconditional pixel-space DDPM, sampled by DDIM.

Ho, Jain & Abbeel, NeurIPS 2020, arXiv:2006.11239. The latents are the pixels in [-1, 1]; prompts
condition nothing. The reference is diffusers' DDIMPipeline.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

from torch import Tensor

from experiments.errors import UsageError
from experiments.models.condition import Condition
from experiments.models.loading import Parts
from experiments.models.model import Model
from experiments.models.neutral import VARIANCE_PRESERVING
from experiments.models.pixels import unit_range
from experiments.models.process import DDIM, Process


class DDPM(Model):
    """A pixel-space DDPM as a model of the protocol."""

    parts = ("unet", "scheduler")
    pipelines = ("DDPMPipeline", "DDIMPipeline")
    neutral: ClassVar = {
        "unet": {
            "_class_name": ("UNet2DModel",),
            "class_embed_type": (None,),
            "num_class_embeds": (None,),
        },
        "scheduler": {**VARIANCE_PRESERVING, "variance_type": (None, "fixed_small", "fixed_large")},
    }

    def __init__(self, *, unet: Any, image_size: int, **rest: Any) -> None:
        side = unet.config.sample_size
        if image_size != side:
            raise UsageError(f"model.image_size = {image_size}, but this model makes {side}")
        shape = (unet.config.in_channels, side, side)
        super().__init__(modules=(unet,), image_size=side, noise_shape=shape, **rest)
        self.unet = unet

    def process_of(self, step: int) -> Process:
        """Where a step leads to the image, only `decode` clips it, so that a loss may see what is
        outside (see `unclamped`)."""
        process, last = self.process, step == self.process.num_steps - 1
        if last and isinstance(process, DDIM) and process.next_alphas_cumprod[step] == 1:
            process = replace(process, clip=None)
        return process

    @classmethod
    def check_settings(cls, *, guidance: float, **own: Any) -> None:
        super().check_settings(guidance=guidance, **own)
        if guidance != 1:
            raise UsageError(f"model.guidance = {guidance}: an unconditional model takes 1 only")

    @classmethod
    def networks(cls, checkpoint: Parts) -> dict[str, Any]:
        from diffusers import UNet2DModel

        return {"unet": checkpoint.model("unet", UNet2DModel)}

    def encode_prompts(self, prompts: Sequence[str]) -> Condition:
        """Nothing, whatever the prompts."""
        return {}

    def network(self, x: Tensor, timestep: Tensor, condition: Condition) -> Tensor:
        return self.unet(x, timestep).sample

    def unclamped(self, latents: Tensor, *, checkpointed: bool) -> Tensor:
        return unit_range(latents)

    def encode_images(self, images: Tensor) -> Tensor:
        return (2 * images - 1).to(self.device, self.dtype)
