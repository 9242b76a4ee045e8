"""A model that is in memory: a diffusers pipeline that somebody has loaded, or a `Model` itself.

It stands where a `ModelSource` stands, and is known by what it holds: its class, its numbers and
the bytes of its weights, not by where they came from. A pipeline's parts become those of its
family; it is sampled as everywhere here, by the family's sampler with the pipeline's own settings.
A pipeline of no family is called as the black box that it is.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from inspect import signature
from typing import Any

import torch

from experiments.errors import UsageError
from experiments.models.ddpm import DDPM
from experiments.models.model import Model
from experiments.models.pipeline import Pipeline
from experiments.models.process import Process
from experiments.models.sd3 import SD3
from experiments.models.sdxl import SDXL
from experiments.models.stable_diffusion import StableDiffusion
from metrics.code import door, source_hash

FAMILIES: tuple[type[Model], ...] = (StableDiffusion, SDXL, SD3, DDPM)
SETTINGS = {
    "height": "image_size",
    "num_inference_steps": "num_steps",
    "guidance_scale": "guidance",
    "max_sequence_length": "t5_length",
}
"""What a pipeline's call takes, by the names that settings have here."""


@dataclass(frozen=True, eq=False)
class Held:
    """A model in memory, where a `ModelSource` could be.

    Attributes:
        notes: what a reader of its images must know, a sentence each.
    """

    model: Model
    notes: tuple[str, ...] = ()

    def load(self) -> Model:
        """The model itself."""
        return self.model

    sketch = load

    def fetch(self) -> None:
        """It is here."""

    @property
    def device(self) -> torch.device:
        return self.model.device

    @property
    def settings(self) -> Mapping[str, Any]:
        """Its numbers, under the names of a configuration."""
        plain = {k: v for k, v in vars(self.model).items() if isinstance(v, bool | int | float)}
        model, own = self.model, {}
        if isinstance(model, Pipeline):
            steps, own = model.num_steps, {"call": dict(model.call)}
        else:
            steps = model.process.num_steps
        return {"name": model.identity["name"], "num_steps": steps, **plain, **own}

    @cached_property
    def _inputs(self) -> dict[str, Any]:
        kind = type(self.model)
        source = source_hash(kind)
        return {
            "_target_": door(kind),
            **({"_source_": source} if source else {}),
            **self.settings,
            "weights": f"memory:{digest(self.model)}",
            "dtype": str(self.model.dtype),
        }

    def inputs(self) -> dict[str, Any]:
        """What the model is, as JSON values that enter a cell's inputs; its weights are read once.

        Raises:
            ValueError: its class is defined in no file.
        """
        return self._inputs


def held(thing: Any, **call: Any) -> Held:
    """A diffusers pipeline, or a `Model`, to be run where and as it is.

    Args:
        call: of a pipeline, what its call is given; of one of a family height, num_inference_steps,
            guidance_scale, max_sequence_length. What is left out is the pipeline's default.

    Raises:
        UsageError: it is neither, is offloaded, or is given something else.
    """
    if isinstance(thing, Model):
        if call:
            raise UsageError(
                f"{', '.join(call)}: a model has its settings; give it others as it is made"
            )
        return Held(thing)
    kind = type(thing).__name__
    families = {name: family for family in FAMILIES for name in family.pipelines}
    if not hasattr(thing, "components"):
        raise UsageError(f"{kind} is no Model and no pipeline of diffusers")
    parts = [part for part in thing.components.values() if isinstance(part, torch.nn.Module)]
    places = {str(value.device) for part in parts for value in part.parameters()}
    if len(places) != 1 or any(hasattr(part, "_hf_hook") for part in parts):
        raise UsageError(
            f"the parts of this {kind} are offloaded, or on {' and '.join(sorted(places))}: load "
            'it whole onto one device, as by pipe.to("cuda")'
        )
    if kind not in families:
        return Held(_black_box(thing, call, torch.device(*places)))
    family, parts_here = families[kind], InMemory(thing)
    own, sizes = _settings(thing, family, call)
    model = family.of(parts_here, own, name=parts_here.name, **sizes)
    ours, theirs = family.sampler.scheduler, type(thing.scheduler).__name__
    note = f"Sampled by {ours}, with the settings of the pipeline's {theirs}."
    return Held(model, () if ours == theirs else (note,))


def _black_box(pipe: Any, call: Mapping[str, Any], device: torch.device) -> Pipeline:
    """A pipeline of no family, called with `call`."""
    side = getattr(pipe, "default_sample_size", 0) * getattr(pipe, "vae_scale_factor", 1)
    return Pipeline(
        pipe,
        type(pipe),
        call=call,
        together=False,
        draws="start",
        place=(device, pipe.dtype),
        image_size=call.get("height", side),
        identity=InMemory(pipe).identity(name=InMemory(pipe).name, family=type(pipe).__name__),
    )


def _settings(
    pipe: Any, family: type[Model], call: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What `networks` of a family take, and its other settings, as a pipeline's call has them."""
    taken = signature(pipe.__call__).parameters
    known = [name for name in SETTINGS if name in taken]
    if unknown := [name for name in call if name not in known]:
        raise UsageError(f"{unknown[0]} cannot be set here; what can is {', '.join(known)}")
    given = {SETTINGS[name]: call.get(name, taken[name].default) for name in known}
    network = pipe.transformer if hasattr(pipe, "transformer") else pipe.unet
    side = network.config.sample_size * getattr(pipe, "vae_scale_factor", 1)
    sizes = {
        "image_size": given.pop("image_size", None) or side,
        "guidance": given.pop("guidance", 1.0),
        "num_steps": given.pop("num_steps"),
    }
    own = {**given, "t5": pipe.text_encoder_3 is not None} if family is SD3 else given
    family.check_settings(guidance=sizes["guidance"], **own)
    return own, sizes


@dataclass(frozen=True)
class InMemory:
    """The parts of a diffusers pipeline in memory, as a family takes them (`loading.Parts`)."""

    pipe: Any

    @property
    def index(self) -> Mapping[str, Any]:
        return self.pipe.config

    @property
    def name(self) -> str:
        """Of the folder or repository that it was loaded from, or of its class."""
        address = str(getattr(self.pipe, "name_or_path", None) or "")
        return address.rstrip("/").rpartition("/")[2] or type(self.pipe).__name__

    def model(self, part: str, kind: Any) -> Any:
        return getattr(self.pipe, part)

    config = model

    def scheduler(self, sampler: type[Process]) -> Any:
        import diffusers

        return getattr(diffusers, sampler.scheduler).from_config(self.pipe.scheduler.config)

    def settings(self, part: str) -> tuple[str, Mapping[str, Any]]:
        found = getattr(self.pipe, part)
        values = found.config if isinstance(found.config, Mapping) else found.config.to_dict()
        return f"the pipeline's {part}", {**values, "_class_name": type(found).__name__}

    def identity(self, *, name: str, family: str) -> dict[str, str]:
        return {"name": name, "family": family, "source": "memory", "revision": "memory"}


def digest(model: Model) -> str:
    """A hash of all that decides about a model's images beside its numbers: sampler and weights."""
    sampler = model.pipe.scheduler.config if isinstance(model, Pipeline) else model.process
    found = hashlib.sha256(repr(sampler).encode())
    for module in model.modules:
        for name, value in module.state_dict().items():
            found.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
            found.update(value.cpu().contiguous().flatten().view(torch.uint8).numpy())
    return found.hexdigest()[:16]
