"""The one protocol that couplings, optimisers and tasks see of a diffusion model.

Rows are images. A batch of G galleries of K images is G*K rows, gallery 0's members first, and rows
never see each other. Guidance is uncond + s (cond - uncond), Ho & Salimans, arXiv:2207.12598.
Everything is differentiable with respect to x; recording gradients is the caller's choice.
"""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from functools import cached_property, partial
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from coupling.steering import Steered
from experiments.errors import UsageError
from experiments.models.condition import Condition
from experiments.models.execution import EAGER, Execution
from experiments.models.hub import resolve
from experiments.models.loading import Checkpoint, Parts
from experiments.models.neutral import Neutral, require_neutral
from experiments.models.process import DDIM, Process


class Model(ABC):
    """A denoising network with its process, guidance, and ways in and out of its latent space.

    process: the deterministic sampler's tables; guidance: s of classifier-free guidance, 1 for
    none; image_size: side of the images in pixels; noise_shape: (C, h, w) of one noise; identity:
    what made the images: name, family, source, revision; modules: everything that has weights, the
    network first, whose device and dtype are the model's; execution: how they are run.
    """

    execution: Execution = EAGER
    parts: ClassVar[tuple[str, ...]]  # of a pipeline folder in diffusers' layout
    pipelines: ClassVar[tuple[str, ...]]  # diffusers' classes whose parts mean the same here
    sampler: ClassVar[type[Process]] = DDIM
    neutral: ClassVar[Neutral] = {}  # what its configurations may not ask for
    fills_in: ClassVar[bool] = False  # it needs a picture and a mask to fill in
    opaque: ClassVar[bool] = False  # a black box: only its noises and its images are to be had

    def __init__(
        self,
        *,
        modules: Sequence[nn.Module],
        process: Process,
        guidance: float,
        image_size: int,
        noise_shape: tuple[int, ...],
        identity: dict[str, str],
    ) -> None:
        self.modules = tuple(module.eval().requires_grad_(False) for module in modules)
        self.process = process
        self.guidance = guidance
        self.image_size = image_size
        self.noise_shape = noise_shape
        self.identity = identity

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
        **own: Any,
    ) -> Self:
        """Loads the model from a local folder or a hub repository in diffusers' layout.

        own: the settings that `networks` of this family takes. device: "meta" for a model that has
        the shapes and the sampler of the real one, but no weights, which are not fetched either.
        Raises UsageError: the files, the device or a setting is not to be had; says the remedy.
        """
        cls.check_settings(guidance=guidance, **own)
        checkpoint = Checkpoint.open(
            source,
            revision=revision,
            variant=variant,
            parts=cls.parts_with(**own),
            pipelines=cls.pipelines,
            dtype=dtype,
            device=device,
        )
        sizes = {"guidance": guidance, "image_size": image_size}
        return cls.of(checkpoint, own, name=name, num_steps=num_steps, **sizes)

    @classmethod
    def of(
        cls, checkpoint: Parts, own: Mapping[str, Any], *, name: str, num_steps: int, **sizes: Any
    ) -> Self:
        """The model whose parts are here, in a folder or in memory; the rest as for `load`."""
        require_neutral(checkpoint, cls.neutral)
        return cls(
            process=cls.sampler.from_scheduler(checkpoint.scheduler(cls.sampler), num_steps),
            identity=checkpoint.identity(name=name, family=cls.__name__),
            **sizes,
            **cls.networks(checkpoint, **own),
        )

    @classmethod
    def fetch(cls, *, source: str, revision: str | None, variant: str | None, **rest: Any) -> None:
        """Downloads every file that `load` needs with these settings; loads nothing.
        Raises UsageError: the folder is not whole, or the hub does not give the files.
        """
        resolve(source, revision=revision, variant=variant, parts=cls.parts_with(**rest))

    @classmethod
    def parts_with(cls, **_: Any) -> tuple[str, ...]:
        """The parts of a pipeline folder that `load` reads with these settings."""
        return cls.parts

    @classmethod
    def check_settings(cls, *, guidance: float, **own: Any) -> None:
        """Raises UsageError for settings that are invalid, missing or unknown."""
        if guidance < 1:
            raise UsageError(f"model.guidance = {guidance} must be at least 1, which is none")
        taken = set(inspect.signature(cls.networks).parameters) - {"checkpoint"}
        for name in sorted(taken ^ own.keys()):
            lack = "lacks its setting" if name in taken else "has no setting"
            raise UsageError(f"model: {cls.__name__} {lack} {name}")

    @classmethod
    @abstractmethod
    def networks(cls, checkpoint: Parts) -> dict[str, Any]:
        """The networks and tokenizers of a checkpoint, as the family's constructor takes them."""

    @abstractmethod
    def encode_prompts(self, prompts: Sequence[str]) -> Condition:
        """One row a prompt."""

    @abstractmethod
    def network(self, x: Tensor, timestep: Tensor, condition: Condition) -> Tensor:
        """The raw output, unguided: x (N, C, h, w), timestep (N,) -> (N, C, h, w)."""

    def decode(self, latents: Tensor, *, checkpointed: bool = False) -> Tensor:
        """Clean latents (N, C, h, w) -> images (N, 3, H, W) in [0, 1], at least float32.

        `checkpointed`: for a gradient, one large image at a time, computed again on its way back.
        """
        return self.unclamped(latents, checkpointed=checkpointed).clamp(0, 1)

    @abstractmethod
    def unclamped(self, latents: Tensor, *, checkpointed: bool) -> Tensor:
        """As `decode`, but what is outside [0, 1] stays there, where it has a gradient."""

    @abstractmethod
    def encode_images(self, images: Tensor) -> Tensor:
        """Images (N, 3, H, W) in [0, 1] -> clean latents (N, C, h, w), without sampling."""

    def shifted(self) -> Self:
        """The same model, with `DDIM.shifted`. Raises UsageError for a flow model."""
        other = copy(self)
        other.process = self.process.shifted()
        return other

    @property
    def busy_modules(self) -> Sequence[nn.Module]:
        """Those that a gallery spends its time in."""
        return self.modules[:1]

    @property
    def device(self) -> torch.device:
        return next(self.modules[0].parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        return next(self.modules[0].parameters()).dtype

    @cached_property
    def null_condition(self) -> Condition:
        """The condition of the empty prompt, one row; encoded once."""
        # An inference tensor, once cached, could never take part in a later gradient.
        with torch.inference_mode(False):
            return self._encode_null()

    def _encode_null(self) -> Condition:
        return self.encode_prompts([""])

    def executed(self, execution: Execution) -> Self:
        """The same model, its networks run so from now on."""
        last, compiled = execution.channels_last, execution.compiled
        for module in self.modules if last != self.execution.channels_last else ():
            module.to(memory_format=torch.channels_last if last else torch.contiguous_format)
        for module in self.busy_modules if compiled != self.execution.compiled else ():
            frozen = {"freezing": self.device.type == "cpu"}  # weights as its kernels want them
            module.compile(fullgraph=True, dynamic=False, options=frozen)
            if not compiled:  # there is no other way back
                module._compiled_call_impl = None
        self.execution = execution
        return self

    def rows_per_image(self, guidance: float) -> int:
        """Of a network call: 2 where guidance is on."""
        return 1 if guidance == 1 or not self.null_condition else 2

    def predict(
        self, x: Tensor, step: int, condition: Condition, guidance: float | None = None
    ) -> Tensor:
        """The guided output at `step`, one network call; guidance: None for the model's own."""
        guidance = self.guidance if guidance is None else guidance
        if self.rows_per_image(guidance) == 1:
            return self.network(x.to(self.dtype), self._timestep(step, len(x)), condition)
        unconditional, conditional = self.branches(x, step, condition)
        return unconditional + guidance * (conditional - unconditional)

    def branches(self, x: Tensor, step: int, condition: Condition) -> tuple[Tensor, Tensor]:
        """The outputs at `step` for the empty prompt and for the condition, in one network call."""
        x = x.to(self.dtype)
        both = {  # what the empty prompt does not replace, such as an inpainting mask, stays
            name: torch.cat([self.null_condition.get(name, rows).expand_as(rows), rows])
            for name, rows in condition.items()
        }
        output = self.network(torch.cat([x, x]), self._timestep(step, 2 * len(x)), both)
        return output[: len(x)], output[len(x) :]

    def _timestep(self, step: int, rows: int) -> Tensor:
        # torch.full fills on the device; a tensor made from a list would be copied and waited for.
        return torch.full((rows,), self.process.timesteps[step], device=self.device)

    def clean(self, x: Tensor, step: int, condition: Condition) -> Tensor:
        """Tweedie's estimate of the clean latents from x at `step`, with the guided output."""
        return self.process.clean(x, self.predict(x, step, condition), step)

    def advance(
        self, x: Tensor, step: int, condition: Condition, steered: Steered | None = None
    ) -> Tensor:
        """x one sampler step further."""
        if steered is None:
            output = self.predict(x, step, condition)
        else:
            y, guidance = steered.condition(step, condition), steered.guidance(step)
            with steered.attached(step, self.modules[0]):
                output = self.predict(x, step, y, guidance)
            if (push := steered.push(step, x, self.process.clean(x, output, step))) is not None:
                output = self.process.moved(output, push, step)
        return self.process_of(step).advance(x, output, step)

    def process_of(self, step: int) -> Process:
        """The process, as a step of the sampler takes it."""
        return self.process

    def sample(
        self,
        noise: Tensor,
        condition: Condition,
        *,
        start: int = 0,
        checkpointed: bool = False,
        on_step: Callable[[int, Tensor], None] | None = None,
        steered: Steered | None = None,
    ) -> Tensor:
        """Noise (N, C, h, w) -> clean latents, deterministically.

        start: the step to begin with; `noise` is then x at that step. checkpointed: for gradients
        through many steps: of every step x is kept, the rest is computed again in the backward
        pass: the memory of one step, for the time of one more forward pass (arXiv:1604.06174).
        on_step(step, x) is called after every step. steered: what acts on the steps.
        Raises ValueError: noise of another shape, or with other rows than `condition` has.
        """
        x, advance = self._entered(noise, condition), self.advance
        if checkpointed:
            # Nothing is drawn at random, so no random state needs to be restored.
            again = partial(checkpoint, use_reentrant=False, preserve_rng_state=False)
            advance = partial(again, self.advance)
        for step in range(start, self.process.num_steps):
            x = advance(x, step, condition, steered)
            if on_step is not None:
                on_step(step, x)
        return x

    def invert(self, latents: Tensor, condition: Condition) -> Tensor:
        """Clean latents (N, C, h, w) -> the noise that `sample` leads back to them, roughly.
        The sampler's steps in reverse, one network call each; the guidance is the model's own.
        Song, Meng & Ermon, ICLR 2021, arXiv:2010.02502, sec. 4.3; see `process` for the error.
        Raises ValueError: latents of another shape, or other rows than `condition` has.
        """
        x = self._entered(latents, condition)
        for step in reversed(range(self.process.num_steps)):
            x = self.process.invert(x, self.predict(x, step, condition), step)
        return x

    def _entered(self, x: Tensor, condition: Condition) -> Tensor:
        """x on the model's device and in its dtype, its shape checked."""
        rows = {len(rows) for rows in condition.values()} | {len(x)}
        if x.shape[1:] != self.noise_shape or len(rows) > 1:
            raise ValueError(
                f"noise {tuple(x.shape)} must be (N, *{self.noise_shape}), with as many rows as "
                f"the condition has ({sorted(rows)})"
            )
        return x.to(self.device, self.dtype)
