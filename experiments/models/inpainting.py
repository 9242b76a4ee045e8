"""Stable Diffusion inpainting: a UNet that sees the mask and the image around it, too.

Its nine input channels are x_t, the mask (1 where the image is made anew) and the latents of the
image with that part grey, side by side (Rombach et al., CVPR 2022, arXiv:2112.10752, sec. 4.5).
Mask and latents are no prompt, but travel with it in the condition, the same with and without
guidance's empty prompt. The reference is diffusers' StableDiffusionInpaintPipeline at strength 1,
except that the masked image is encoded to the posterior's mode instead of a sample of it.
"""

from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from experiments.errors import UsageError
from experiments.models.condition import Condition
from experiments.models.stable_diffusion import StableDiffusion

MASK, MASKED = "mask", "masked_latents"


class StableDiffusionInpainting(StableDiffusion):
    """A pipeline of Stable Diffusion inpainting's shape as a model of the protocol."""

    pipelines: ClassVar = ("StableDiffusionInpaintPipeline",)
    fills_in: ClassVar = True

    def __init__(self, *, unet: Any, vae: Any, **rest: Any) -> None:
        channels = 2 * vae.config.latent_channels + 1
        if unet.config.in_channels != channels:
            raise UsageError(
                f"this UNet takes {unet.config.in_channels} channels, an inpainting UNet "
                f"{channels}: use model=sd15_inpaint or another inpainting checkpoint"
            )
        super().__init__(unet=unet, vae=vae, **rest)

    def with_known(self, condition: Condition, *, images: Tensor, keep: Tensor) -> Condition:
        """The condition of prompts, and of images of which a part is to be kept.

        images: (N, 3, H, W) in [0, 1]; keep: (N, H, W), boolean, true on the object, so that the
        mask that the network sees is the inverse; one row a row of `condition`.
        """
        keep = keep.to(self.device).unsqueeze(1)
        grey = torch.where(keep, images.to(self.device), 0.5)  # 0 in the VAE's [-1, 1]
        # Nearest, as the network was trained: the first pixel of each patch.
        mask = interpolate((~keep).to(self.dtype), size=self.noise_shape[1:])
        return {**condition, MASK: mask, MASKED: self.encode_images(grey)}

    def network(self, x: Tensor, timestep: Tensor, condition: Condition) -> Tensor:
        if MASK not in condition:
            raise UsageError(
                "an inpainting model needs an image and a mask: use it in a task that has an "
                "object, or choose another model"
            )
        prompt = {name: rows for name, rows in condition.items() if name not in (MASK, MASKED)}
        x = torch.cat([x, condition[MASK], condition[MASKED]], dim=1)
        return super().network(x, timestep, prompt)
