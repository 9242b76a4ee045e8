"""The small pipelines as black boxes of the suite."""

from typing import Any

import torch
from diffusers import DiffusionPipeline

from experiments.models.pipeline import Pipeline
from experiments.tasks.job import Job
from tests.plugins.cases import CASES, built

CPU = (torch.device("cpu"), torch.float32)
JOBS = [Job(id="1", prompt="a bed"), Job(id="2", prompt="a cot")]
IMAGES = [name for name in CASES if name not in ("wan", "ltx", "stable_audio")]
AT_ONCE = {"sana_sprint"}
"""Those whose scheduler draws at every step."""
SQUARE = [name for name in IMAGES if name not in {"kandinsky5", *AT_ONCE}]
"""Those whose noises are pictures, and their schedulers deterministic: with optimisers."""


def box(pipe: DiffusionPipeline | str, *, steps: int = 3, **settings: Any) -> Pipeline:
    """A pipeline, or the small one of a case, as a model."""
    call = {"num_inference_steps": steps, **settings.pop("call", {})}
    if isinstance(pipe, str):
        call = CASES[pipe].call | call
        pipe = built(pipe)
    settings = {"together": False, "draws": "start", "image_size": 16} | settings
    identity = {"name": "small", "family": type(pipe).__name__}
    return Pipeline(pipe, type(pipe), call=call, place=CPU, identity=identity, **settings)
