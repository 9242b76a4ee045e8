"""The small pipelines, how they are called, and what is known of each."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from inspect import signature
from typing import Any

import diffusers
import torch
from torch import Tensor

import coupling
from experiments.models.quiet import quiet
from tests.experiments.models.conftest import sd3, sdxl, stable_diffusion
from tests.plugins import packed, pipelines

SMALL = {"height": 16, "width": 16}
SHORT = {"max_sequence_length": 16}


@dataclass(frozen=True)
class Case:
    """A small pipeline, what else it is called with, and the shapes of one noise."""

    build: Callable[[], diffusers.DiffusionPipeline]
    drawn: tuple[int, ...]
    accepted: tuple[int, ...]
    call: dict[str, Any] = field(default_factory=lambda: dict(SMALL))
    mixes: bool = False
    """Whether prompts of unlike length, in one call, change one another's images."""
    mixes_all: bool = False
    """Whether any two prompts do."""


FOUR = {"drawn": (4, 8, 8), "accepted": (4, 8, 8)}
PACKED = {"drawn": (4, 8, 8), "accepted": (16, 16)}
SANA = {"height": 32, "width": 32, "use_resolution_binning": False, **SHORT}
SANA |= {"complex_human_instruction": None}

CASES = {
    "stable_diffusion": Case(stable_diffusion, **FOUR),
    "sdxl": Case(sdxl, **FOUR),
    "sd3": Case(sd3, **FOUR, call=SMALL | SHORT),
    "z_image": Case(pipelines.z_image, **FOUR, call=SMALL | {"max_sequence_length": 48}),
    "sana": Case(pipelines.sana, (4, 16, 16), (4, 16, 16), SANA, mixes=True),
    "sana_sprint": Case(pipelines.sana_sprint, (4, 16, 16), (4, 16, 16), SANA, mixes=True),
    "pixart_sigma": Case(
        pipelines.pixart_sigma,
        **FOUR,
        call=SMALL | SHORT | {"use_resolution_binning": False, "clean_caption": False},
    ),
    "lumina2": Case(
        pipelines.lumina2,
        (4, 4, 4),
        (4, 4, 4),
        {"height": 32, "width": 32, "max_sequence_length": 48, "system_prompt": "draw"},
        mixes=True,
    ),
    "aura_flow": Case(pipelines.aura_flow, **FOUR, call=SMALL | SHORT),
    "cogview4": Case(pipelines.cogview4, **FOUR, mixes=True),
    "hidream": Case(pipelines.hidream, **FOUR, call=SMALL | SHORT),
    "kandinsky5": Case(
        pipelines.kandinsky5,
        (1, 8, 8, 4),
        (1, 8, 8, 4),
        {"height": 64, "width": 64},
        mixes=True,
        mixes_all=True,
    ),
    "flux": Case(packed.flux, **PACKED, call=SMALL | SHORT),
    "chroma": Case(packed.chroma, **PACKED, call=SMALL | SHORT),
    "qwen_image": Case(packed.qwen_image, (1, 4, 8, 8), (16, 16), mixes=True),
    "flux2_klein": Case(
        packed.flux2_klein,
        (16, 4, 4),
        (16, 4, 4),
        SMALL | {"max_sequence_length": 48, "text_encoder_out_layers": (1, 2, 3)},
    ),
    "krea2": Case(packed.krea2, **PACKED, call=SMALL | {"max_sequence_length": 128}),
    "wan": Case(
        packed.wan, (16, 2, 4, 4), (16, 2, 4, 4), {"height": 32, "width": 32, "num_frames": 5}
    ),
    "ltx": Case(
        packed.ltx,
        (8, 3, 8, 8),
        (192, 8),
        {"height": 32, "width": 32, "num_frames": 9, **SHORT},
        mixes=True,
    ),
    "stable_audio": Case(packed.stable_audio, (4, 64), (4, 64), {}),
}


@cache
def built(name: str) -> diffusers.DiffusionPipeline:
    """The pipeline of a case: one for all tests, which leave it as it was."""
    return new(CASES[name].build)


def new(build: Callable[[], diffusers.DiffusionPipeline]) -> diffusers.DiffusionPipeline:
    with torch.random.fork_rng(), quiet():
        torch.manual_seed(0)
        pipe = build()
        for name, part in pipe.components.items():
            if name in ("transformer", "unet"):
                _start_anywhere(part)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def _start_anywhere(network: torch.nn.Module) -> None:
    """Where training starts from zeros, a network would ignore its prompt, or its noise."""
    for parameter in network.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.1)


def made(pipe, prompts: list[str], size: int, **call: Any) -> Tensor:
    """The latents that the pipeline ends in, from a global generator of one seed."""
    (count,) = set(coupling.diffusers.COUNTS) & signature(pipe.__call__).parameters.keys()
    call = {"num_inference_steps": 2, "output_type": "latent"} | call
    with torch.random.fork_rng(), quiet():
        torch.manual_seed(1)
        return torch.as_tensor(pipe(prompt=list(prompts), **{count: size}, **call)[0])
