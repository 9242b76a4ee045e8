"""Unconditional pixel-space DDPM, sampled by DDIM.

Ho, Jain & Abbeel, NeurIPS 2020, arXiv:2006.11239. The latents are the pixels in [-1, 1]; prompts
condition nothing. The reference is diffusers' DDIMPipeline.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from experiments.errors import UsageError
from experiments.models.loading import Checkpoint
from experiments.models.model import Condition, Model, unit_range
from experiments.models.process import DDIM

PIPELINES = ("DDPMPipeline", "DDIMPipeline")
PARTS = ("unet", "scheduler")


class DDPM(Model):
    """A pixel-space DDPM as a model of the protocol."""

    parts = PARTS

    def __init__(self, *, unet: nn.Module, image_size: int, **rest) -> None:
        if image_size != unet.config.sample_size:
            raise UsageError(
                f"model.image_size = {image_size}, but this model makes {unet.config.sample_size}"
            )
        shape = (unet.config.in_channels, image_size, image_size)
        super().__init__(modules=(unet,), image_size=image_size, noise_shape=shape, **rest)
        self.unet = unet

    @classmethod
    def load(
        cls,
        *,
        name: str,
        source: str,
        revision: str | None,
        variant: str | None,
        image_size: int,
        num_steps: int,
        guidance: float,
        dtype: str,
        device: str,
    ) -> "DDPM":
        """From a local folder or a hub repository in diffusers' layout.

        Raises:
            UsageError: the files, the device or a setting is not to be had; says the remedy.
        """
        if guidance != 1:
            raise UsageError(f"model.guidance = {guidance}: an unconditional model takes 1 only")
        checkpoint = Checkpoint.open(
            source,
            revision=revision,
            variant=variant,
            parts=PARTS,
            pipelines=PIPELINES,
            dtype=dtype,
            device=device,
        )
        from diffusers import DDIMScheduler, UNet2DModel

        return cls(
            unet=checkpoint.model("unet", UNet2DModel),
            process=DDIM.from_scheduler(checkpoint.config("scheduler", DDIMScheduler), num_steps),
            guidance=guidance,
            image_size=image_size,
            identity=checkpoint.identity(name=name, family=cls.__name__),
        )

    def encode_prompts(self, prompts: Sequence[str]) -> Condition:
        """Nothing, whatever the prompts."""
        return {}

    def network(self, x: Tensor, timestep: Tensor, condition: Condition) -> Tensor:
        return self.unet(x, timestep).sample

    def decode(self, latents: Tensor) -> Tensor:
        return unit_range(latents)

    def encode_images(self, images: Tensor) -> Tensor:
        return (2 * images - 1).to(self.device, self.dtype)
