"""The published networks at full size with random weights: timing needs no checkpoint.

The configurations are those of the published repositories, less what equals diffusers' defaults:
stable-diffusion-v1-5/stable-diffusion-v1-5, stabilityai/stable-diffusion-xl-base-1.0 and
stabilityai/stable-diffusion-3-medium-diffusers. Text encoders are left out: their output is random,
a function of the prompt; on a GPU they take under a hundredth of a gallery's time.
"""

import copy
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import diffusers
import torch
from torch import Tensor, nn

from experiments.errors import UsageError
from experiments.models.device import select_device, select_dtype
from experiments.models.model import Condition, Model
from experiments.models.process import DDIM, FlowEuler
from experiments.models.sd3 import SD3
from experiments.models.sdxl import SDXL
from experiments.models.stable_diffusion import StableDiffusion

DDIM_SCHEDULE = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "clip_sample": False,
    "set_alpha_to_one": False,
    "steps_offset": 1,
}
VAE = {
    "block_out_channels": (128, 256, 512, 512),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "layers_per_block": 2,
}


class RandomText:
    """In place of the text encoders: normal embeddings, the same ones for the same prompt."""

    embeddings: ClassVar[Mapping[str, tuple[int, ...]]]

    def encode_prompts(self, prompts: Sequence[str]) -> Condition:
        def normal(prompt: str, shape: tuple[int, ...]) -> Tensor:
            generator = torch.Generator().manual_seed(zlib.crc32(prompt.encode()))
            return torch.randn(shape, generator=generator)

        return {
            name: torch.stack([normal(prompt, shape) for prompt in prompts]).to(
                self.device, self.dtype
            )
            for name, shape in self.embeddings.items()
        }


class RandomStableDiffusion(RandomText, StableDiffusion):
    """SD1.5's network without its text encoder."""

    embeddings: ClassVar = {"encoder_hidden_states": (77, 768)}

    @classmethod
    def around(cls, network: nn.Module, **rest: Any) -> Model:
        return cls(unet=network, text_encoder=nn.Identity(), tokenizer=None, **rest)


class RandomSDXL(RandomText, SDXL):
    """SDXL's network without its text encoders."""

    embeddings: ClassVar = {"encoder_hidden_states": (77, 2048), "text_embeds": (1280,)}

    @classmethod
    def around(cls, network: nn.Module, **rest: Any) -> Model:
        return cls(unet=network, text_encoders=(), tokenizers=(), zero_null=False, **rest)

    def encode_prompts(self, prompts: Sequence[str]) -> Condition:
        condition = super().encode_prompts(prompts)
        size = float(self.image_size)
        ids = condition["text_embeds"].new_tensor([size, size, 0, 0, size, size])
        return {**condition, "time_ids": ids.expand(len(prompts), -1)}


class RandomSD3(RandomText, SD3):
    """SD3's network without its text encoders: 77 CLIP and 256 T5 tokens."""

    embeddings: ClassVar = {
        "encoder_hidden_states": (77 + 256, 4096),
        "pooled_projections": (2048,),
    }

    @classmethod
    def around(cls, network: nn.Module, **rest: Any) -> Model:
        return cls(
            transformer=network, text_encoders=(), tokenizers=(), t5=None, t5_length=256, **rest
        )


@dataclass(frozen=True)
class FullSize:
    """What a published pipeline is built from, without its text encoders.

    Attributes:
        part: what the pipeline calls its denoiser.
        pipeline: the diffusers pipeline and its arguments besides networks and scheduler.
    """

    part: str
    around: Callable[..., Model]
    network: tuple[type[nn.Module], Mapping[str, Any]]
    vae: Mapping[str, Any]
    scheduler: Callable[[], Any]
    process: Callable[[Any, int], DDIM | FlowEuler]
    pipeline: tuple[type[diffusers.DiffusionPipeline], Mapping[str, Any]]

    def networks(self) -> tuple[nn.Module, nn.Module]:
        """The denoiser and the VAE, on the device that torch makes tensors on."""
        kind, config = self.network
        return kind(**config), diffusers.AutoencoderKL(**VAE | dict(self.vae))


FULL_SIZE = {
    "sd15": FullSize(
        part="unet",
        around=RandomStableDiffusion.around,
        network=(
            diffusers.UNet2DConditionModel,
            {"sample_size": 64, "cross_attention_dim": 768},
        ),
        vae={"sample_size": 512},
        scheduler=lambda: diffusers.DDIMScheduler(**DDIM_SCHEDULE),
        process=DDIM.from_scheduler,
        pipeline=(
            diffusers.StableDiffusionPipeline,
            {
                "text_encoder": None,
                "tokenizer": None,
                "safety_checker": None,
                "feature_extractor": None,
                "requires_safety_checker": False,
            },
        ),
    ),
    "sdxl": FullSize(
        part="unet",
        around=RandomSDXL.around,
        network=(
            diffusers.UNet2DConditionModel,
            {
                "sample_size": 128,
                "down_block_types": ("DownBlock2D", *("CrossAttnDownBlock2D",) * 2),
                "up_block_types": (*("CrossAttnUpBlock2D",) * 2, "UpBlock2D"),
                "block_out_channels": (320, 640, 1280),
                "transformer_layers_per_block": (1, 2, 10),
                "attention_head_dim": (5, 10, 20),
                "cross_attention_dim": 2048,
                "use_linear_projection": True,
                "addition_embed_type": "text_time",
                "addition_time_embed_dim": 256,
                "projection_class_embeddings_input_dim": 2816,
            },
        ),
        vae={"sample_size": 1024, "scaling_factor": 0.13025},
        scheduler=lambda: diffusers.DDIMScheduler(**DDIM_SCHEDULE),
        process=DDIM.from_scheduler,
        pipeline=(
            diffusers.StableDiffusionXLPipeline,
            {
                "text_encoder": None,
                "tokenizer": None,
                "text_encoder_2": None,
                "tokenizer_2": None,
                "force_zeros_for_empty_prompt": False,
            },
        ),
    ),
    "sd3": FullSize(
        part="transformer",
        around=RandomSD3.around,
        network=(
            diffusers.SD3Transformer2DModel,
            {
                "num_layers": 24,
                "num_attention_heads": 24,
                "caption_projection_dim": 1536,
                "pos_embed_max_size": 192,
            },
        ),
        vae={
            "sample_size": 1024,
            "latent_channels": 16,
            "scaling_factor": 1.5305,
            "shift_factor": 0.0609,
            "use_quant_conv": False,
            "use_post_quant_conv": False,
        },
        scheduler=lambda: diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0),
        process=FlowEuler.from_scheduler,
        pipeline=(
            diffusers.StableDiffusion3Pipeline,
            {
                "text_encoder": None,
                "tokenizer": None,
                "text_encoder_2": None,
                "tokenizer_2": None,
                "text_encoder_3": None,
                "tokenizer_3": None,
            },
        ),
    ),
}


def build(settings: Mapping[str, Any]) -> tuple[Model, diffusers.DiffusionPipeline]:
    """Model and pipeline with the same random weights, by a `configs/model/` configuration.

    Raises:
        UsageError: a model whose full size is not described here.
    """
    name = settings["name"]
    if name not in FULL_SIZE:
        raise UsageError(f"weights=random knows {', '.join(FULL_SIZE)}, not model={name}")
    described = FULL_SIZE[name]
    device = select_device(settings["device"])
    dtype = select_dtype(settings["dtype"], device)
    with torch.device(device):
        torch.manual_seed(0)
        network, vae = (part.to(dtype) for part in described.networks())
    scheduler, own_vae = described.scheduler(), copy.deepcopy(vae)  # SDXL's model keeps it float32
    model = described.around(
        network,
        vae=vae,
        process=described.process(scheduler, settings["num_steps"]),
        guidance=settings["guidance"],
        image_size=settings["image_size"],
        identity={"name": name, "source": "random weights"},
    )
    kind, rest = described.pipeline
    return model, kind(**{described.part: network}, vae=own_vae, scheduler=scheduler, **rest)
