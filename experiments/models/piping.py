"""From a folder or a hub repository to a pipeline of diffusers, of whichever class it names.

Nothing but safetensors is opened, and no code of a repository runs.
"""

from collections.abc import Callable, Mapping
from inspect import signature
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from experiments.errors import UsageError
from experiments.models import snapshot
from experiments.models.hub import resolve
from experiments.models.quiet import no_progress_bars, quiet

OFF = {
    **dict.fromkeys(("safety_checker", "feature_extractor", "image_encoder")),
    **dict.fromkeys(("requires_safety_checker", "add_watermarker"), False),
}
"""Parts and options that are left out: they change images afterwards, or take images as prompts."""

OFFLOADS: Mapping[str, Callable[[Any, torch.device], Any]] = {
    "none": lambda pipe, device: pipe.to(device),
    "model": lambda pipe, device: pipe.enable_model_cpu_offload(device=device),
    "sequential": lambda pipe, device: pipe.enable_sequential_cpu_offload(device=device),
}


def described(source: str, revision: str | None, variant: str | None) -> tuple[Path, type]:
    """The folder that describes a pipeline, a few kilobytes of it, and diffusers' class.

    Raises UsageError: it is not to be had, or makes no images of prompts.
    """
    import diffusers

    folder = resolve(
        source, revision=revision, variant=variant, parts=("scheduler",), weights=False
    )
    name = snapshot.read_index(folder).get("_class_name")
    kind = getattr(diffusers, name, None) if isinstance(name, str) else None
    if kind is None:
        raise UsageError(
            f"model.source={source} wants {name}, which diffusers {diffusers.__version__} has not, "
            "and code of a repository is not run here: choose another"
        )
    if not {"prompt", "num_images_per_prompt", "num_inference_steps"} <= arguments(kind):
        raise UsageError(
            f"model.source={source} holds a {name}, which makes no images of a prompt: choose a "
            "text-to-image pipeline"
        )
    return folder, kind


def whole(source: str, revision: str | None, variant: str | None) -> Path:
    """The folder with every file that is loaded. Raises UsageError: it is not to be had."""
    folder = resolve(source, revision=revision, variant=variant, parts=(), weights=False)
    index = snapshot.read_index(folder)
    parts = [k for k, v in index.items() if isinstance(v, list) and v[0] and k not in OFF]
    return resolve(source, revision=revision, variant=variant, parts=parts)


def loaded(
    kind: Any,
    folder: Path,
    variant: str | None,
    dtype: torch.dtype,
    *,
    quantization: dict[str, Any] | None,
) -> Any:
    """The pipeline, still on the CPU. Raises UsageError: diffusers does not load it."""
    import diffusers

    taken = signature(kind.__init__).parameters
    options: dict[str, Any] = {name: value for name, value in OFF.items() if name in taken}
    try:
        if quantization:
            options["quantization_config"] = diffusers.PipelineQuantizationConfig(**quantization)
        with quiet(), no_progress_bars():
            pipe = kind.from_pretrained(
                folder,
                torch_dtype=dtype,
                variant=variant,
                use_safetensors=True,
                local_files_only=True,
                **options,
            )
    except (OSError, ValueError, TypeError, ImportError, AttributeError) as error:
        raise UsageError(f"{folder}: {' '.join(str(error).split())}") from error
    pipe.set_progress_bar_config(disable=True)
    return pipe


def sketched(folder: Path, num_steps: int) -> Any:
    """What has the scheduler of a pipeline, at its start, and no more.

    Raises UsageError: it does not take so many steps, or diffusers has no such scheduler.
    """
    import diffusers

    settings = snapshot.read_json(folder / "scheduler" / "scheduler_config.json")
    try:
        with quiet():
            scheduler = getattr(diffusers, settings["_class_name"]).from_config(settings)
            dynamic = scheduler.config.get("use_dynamic_shifting")
            scheduler.set_timesteps(num_steps, **({"mu": 1.0} if dynamic else {}))
    except (AttributeError, ValueError) as error:
        why = " ".join(str(error).split())
        raise UsageError(f"model.num_steps = {num_steps}, of its scheduler: {why}") from error
    return SimpleNamespace(scheduler=scheduler)


def arguments(kind: type) -> set[str]:
    """What a pipeline of a class takes by name."""
    return set(signature(kind.__call__).parameters)
