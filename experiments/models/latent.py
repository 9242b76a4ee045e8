"""What the latent families share: an AutoencoderKL around the latent space.

latents = scale (E(2 x - 1) - shift), with scale and shift from the VAE's own configuration.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from experiments.errors import UsageError
from experiments.models.model import Model
from experiments.models.pixels import unit_range

DECODED_PIXELS = 4 * 2**20
"""At once: a decoder keeps hundreds of channels at the full size, and has no use for more rows."""
KEPT_PIXELS = 512**2
"""At once for a gradient, if that is to be computed part by part: one image of SD1.5, 2.8 GiB."""


class LatentModel(Model):
    """A model whose noise lives in the latent space of `vae` (a diffusers AutoencoderKL)."""

    def __init__(
        self, *, network: Any, vae: Any, encoders: Sequence[nn.Module], image_size: int, **rest: Any
    ) -> None:
        factor = 2 ** (len(vae.config.block_out_channels) - 1)
        multiple = factor * network.config.get("patch_size", 1)
        if image_size < 1 or image_size % multiple:
            raise UsageError(f"model.image_size = {image_size} must be a multiple of {multiple}")
        side = image_size // factor
        super().__init__(
            modules=(network, vae, *encoders),
            image_size=image_size,
            noise_shape=(vae.config.latent_channels, side, side),
            **rest,
        )
        self.vae = vae

    @property
    def busy_modules(self) -> Sequence[nn.Module]:
        return (*super().busy_modules, self.vae.decoder)

    def unclamped(self, latents: Tensor, *, checkpointed: bool) -> Tensor:
        latents = latents.to(self.vae.dtype) / self.vae.config.scaling_factor
        latents = latents + (self.vae.config.shift_factor or 0)
        pixels = KEPT_PIXELS if checkpointed else DECODED_PIXELS
        parts = latents.split(max(1, pixels // self.image_size**2))
        if checkpointed:
            again = partial(
                checkpoint, self._decoded, use_reentrant=False, preserve_rng_state=False
            )
            return torch.cat([again(part) for part in parts])
        return torch.cat([self._decoded(part) for part in parts])

    def _decoded(self, latents: Tensor) -> Tensor:
        return unit_range(self.vae.decode(latents).sample)

    def encode_images(self, images: Tensor) -> Tensor:
        """Images (N, 3, H, W) in [0, 1] -> latents: the posterior's mode."""
        pixels = 2 * images.to(self.device, self.vae.dtype) - 1
        mode = self.vae.encode(pixels).latent_dist.mode()
        latents = (mode - (self.vae.config.shift_factor or 0)) * self.vae.config.scaling_factor
        return latents.to(self.dtype)
