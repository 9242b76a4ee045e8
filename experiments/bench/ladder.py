"""The arms of the comparison: diffusers' ways, then ours, one thing after the other added."""

import copy
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from diffusers import DDIMScheduler, DiffusionPipeline

from experiments.bench.arms import SIZE, PlainLoop, Suite
from experiments.models.execution import EAGER, Execution
from experiments.models.hub import resolve
from experiments.models.model import Model
from experiments.models.process import DDIM
from experiments.models.quiet import no_progress_bars, quiet
from experiments.models.snapshot import read_index
from experiments.workers.lanes import cores

REFERENCE = "A"
"""The arm whose pictures all others must make: diffusers' own loop."""

TAUGHT = (
    REFERENCE, "B lanes", "A channels_last", "B channels_last", "A'", "C", "B batches", "B",
)  # fmt: skip
"""All arms, those first that teach most."""


def published_pipeline(settings: Mapping[str, Any], model: Model) -> Any:
    """The pipeline that diffusers loads from the files of `model`, in its best documented form."""
    folder = resolve(
        settings["source"], revision=settings["revision"], variant=settings["variant"], parts=()
    )
    needless = {"safety_checker", "feature_extractor", "image_encoder"}
    needless |= set() if settings.get("t5", True) else {"text_encoder_3", "tokenizer_3"}
    with quiet(), no_progress_bars():
        pipeline = DiffusionPipeline.from_pretrained(
            folder,
            torch_dtype=model.dtype,
            variant=settings["variant"],
            **dict.fromkeys(needless & read_index(folder).keys()),
        )
    if isinstance(model.process, DDIM):
        pipeline.scheduler = DDIMScheduler.from_config(pipeline.scheduler.config)
    return pipeline.to(model.device)


def diffusers_arms(pipeline: Any, model: Model) -> dict[str, PlainLoop]:
    """A: eager; A channels_last; A': compiled, both as diffusers documents.

    huggingface.co/docs/diffusers/optimization/fp16: channels_last and torch.compile of the denoiser
    and of the decoder; its mode max-autotune is for GPUs.
    """
    pipeline.set_progress_bar_config(disable=True)
    part = "unet" if hasattr(pipeline, "unet") else "transformer"
    loop = partial(PlainLoop, model=model, images_per_call=SIZE)
    last = copy.deepcopy(pipeline)
    for module in (getattr(last, part), last.vae):
        module.to(memory_format=torch.channels_last)
    compiled = copy.deepcopy(last)
    mode = "max-autotune" if model.device.type == "cuda" else "default"
    setattr(compiled, part, torch.compile(getattr(compiled, part), mode=mode, fullgraph=True))
    compiled.vae.decode = torch.compile(compiled.vae.decode, mode=mode, fullgraph=True)
    return {
        REFERENCE: loop(label="diffusers, a call for each prompt", pipeline=pipeline),
        "A channels_last": loop(label="the same, channels_last", pipeline=last),
        "A'": loop(label="the same, channels_last and compiled", pipeline=compiled, compiled=True),
    }


def our_arms(model: Model, *, batch: int) -> dict[str, Suite]:
    """B: ours, eager, a gallery at a time; then batches, lanes, channels_last and compilation.

    A batch has one thread.
    """
    lanes = 1 if model.device.type == "cuda" else cores()

    def suite(label: str, execution: Execution, *, batch: int, lanes: int) -> Suite:
        return Suite(
            label=label,
            model=model if execution == EAGER else copy.deepcopy(model).executed(execution),
            compiled=execution.compiled,
            galleries_per_batch=batch,
            lanes=lanes,
        )

    last = Execution(channels_last=True, compiled=False)
    everything = Execution(channels_last=True, compiled=True)
    return {
        "B": suite("ours, a gallery at a time, one thread", EAGER, batch=1, lanes=1),
        "B batches": suite(f"+ batches of {batch} galleries", EAGER, batch=batch, lanes=1),
        "B lanes": suite(f"+ lanes: {lanes}", EAGER, batch=batch, lanes=lanes),
        "B channels_last": suite("+ channels_last", last, batch=batch, lanes=lanes),
        "C": suite("+ compiled: everything", everything, batch=batch, lanes=lanes),
    }


def yardstick_arms(plain: PlainLoop) -> dict[str, PlainLoop]:
    """The reference with its images one at a time, and in bfloat16."""
    with quiet():
        half = copy.deepcopy(plain.pipeline).to(torch.bfloat16)
    return {
        "A, an image at a time": replace(plain, images_per_call=1),
        "A in bfloat16": replace(plain, pipeline=half),
    }
