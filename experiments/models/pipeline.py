"""Any text-to-image pipeline of diffusers as a black box: noises go in, images come out.

Of what is inside nothing is known but what `coupling.diffusers` and `first_step` know of all
pipelines. So whatever needs a network inside is refused: inversion, a gradient through it. The rest
is as with other models: noises of the suite's own streams, and among them those that a scheduler
draws at its steps.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from inspect import signature
from threading import RLock
from typing import Any, ClassVar, NoReturn, Self
from unittest.mock import patch

import torch
from torch import Tensor

from coupling import Coupling, iid
from coupling.diffusers import ALL, draws, start_of
from experiments.errors import UsageError
from experiments.inputs.settings import nearest
from experiments.models.device import select_device, select_dtype
from experiments.models.fingerprint import fingerprint, local_folder
from experiments.models.first_step import Entry
from experiments.models.model import Model
from experiments.models.piping import OFFLOADS, arguments, described, loaded, sketched, whole
from experiments.models.quiet import quiet
from experiments.tasks.job import Job

DRAWS: Mapping[str, Callable[[Coupling], Coupling]] = {
    "start": lambda law: iid(law.size),
    "all": lambda law: law,
}
"""The law of what a scheduler draws at its steps, from that of the start."""

OURS = {
    *("prompt", "latents", "generator", "num_images_per_prompt", "num_inference_steps"),
    *("output_type", "return_dict", "callback", "callback_on_step_end"),
}
"""Arguments of a pipeline that the suite gives it."""

_one_at_a_time = RLock()
"""Lanes call at once, but a scheduler has one state, and `draws` answers for all of a class."""


def _inside(*_: Any, **__: Any) -> NoReturn:
    raise UsageError(
        "a pipeline is a black box, and this needs the network inside: choose a model of a "
        "family, such as model=sd15"
    )


class Pipeline(Model):
    """A pipeline of diffusers, as far as the method `Piped` needs it.

    call: what it is called with besides; together: whether the prompts of a batch share a call,
    which is right where they leave one another's images alone; draws: which of a scheduler's draws
    are coupled, "start" or "all". Its prompts are those of jobs, for these name its noises.
    """

    opaque: ClassVar[bool] = True
    encode_prompts = network = unclamped = encode_images = classmethod(_inside)
    predict = sample = invert = shifted = classmethod(_inside)

    def __init__(
        self,
        pipe: Any,
        kind: type,
        *,
        call: Mapping[str, Any],
        together: bool,
        draws: str,
        place: tuple[torch.device, torch.dtype],
        **rest: Any,
    ) -> None:
        """pipe: of class `kind`; without its components for what would be refused."""
        self.pipe, self.kind, self.call, self.together = pipe, kind, call, together
        self.of_steps, self._place = DRAWS[draws], place
        self._entry: Entry | None = None
        parts = getattr(pipe, "components", {})
        networks = {name: part for name, part in parts.items() if isinstance(part, torch.nn.Module)}
        names = sorted(networks, key=lambda name: not name.startswith(("transformer", "unet")))
        shape: Any = ()
        if parts:
            try:
                self._start = start_of(pipe, "a picture", **call)
            except (ValueError, TypeError) as error:
                raise self._refusal(error) from error
            shape = tuple(self._start[0].shape[1:])
        super().__init__(
            modules=[networks[name] for name in names],
            process=None,  # type: ignore[arg-type]  # the scheduler's own
            guidance=1.0,  # an argument of the call
            noise_shape=shape,
            **rest,
        )

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
        dtype: str,
        device: str,
        **own: Any,
    ) -> Self:
        """As `Model.load`; own: call, together, draws, offload ("none", "model", "sequential"),
        quantization (what diffusers' PipelineQuantizationConfig takes, or None).
        """
        place = select_device(device)
        precision = select_dtype(dtype, place)
        folder, kind = described(source, revision, variant)
        taken, given = arguments(kind), own["call"] or {}
        for key in given:
            if key not in taken:
                hint = nearest(key, sorted(taken - OURS))
                raise UsageError(f"model.call.{key}: {kind.__name__} takes no such argument{hint}")
        call = {"height": image_size, "width": image_size, "num_inference_steps": num_steps}
        call = {key: value for key, value in call.items() if key in taken} | given
        if place.type == "meta":
            pipe = sketched(folder, num_steps)
        else:
            folder = whole(source, revision, variant)
            pipe = loaded(kind, folder, variant, precision, quantization=own["quantization"])
            OFFLOADS[own["offload"]](pipe, place)
        local = local_folder(source)
        return cls(
            pipe,
            kind,
            call=call,
            together=own["together"],
            draws=own["draws"],
            place=(place, precision),
            image_size=image_size,
            identity={
                "name": name,
                "family": kind.__name__,
                "source": local.name if local else source,
                "revision": fingerprint(source, None) if local else folder.name,
            },
        )

    @classmethod
    def networks(  # type: ignore[override]
        cls,
        checkpoint: Any,
        *,
        call: dict[str, Any] | None,
        together: bool,
        draws: str,
        offload: str,
        quantization: dict[str, Any] | None,
    ) -> NoReturn:
        """Its settings, for `check_settings`."""
        _inside()

    @classmethod
    def fetch(cls, *, source: str, revision: str | None, variant: str | None, **_: Any) -> None:
        whole(source, revision, variant)

    @classmethod
    def check_settings(cls, *, guidance: float | None = None, **own: Any) -> None:
        if guidance is not None:
            raise UsageError("model.guidance: state it as the pipeline calls it, in model.call")
        super().check_settings(guidance=1.0, **own)
        for name, valid in (("draws", DRAWS), ("offload", OFFLOADS)):
            if own[name] not in valid:
                raise UsageError(f"model.{name} = {own[name]} must be one of {', '.join(valid)}")
        if ours := sorted(OURS & set(own["call"] or ())):
            raise UsageError(f"model.call.{ours[0]} is for the suite to say: leave it out")

    @property
    def device(self) -> torch.device:
        return self._place[0]  # whatever is offloaded from it

    @property
    def dtype(self) -> torch.dtype:
        return self._place[1]

    @property
    def num_steps(self) -> int:
        """Network calls of the last images."""
        return len(self.pipe.scheduler.timesteps)

    @property
    def eta(self) -> dict[str, float]:
        """DDIM's eta, where the pipeline takes it."""
        taken = signature(self.kind.__call__).parameters
        return {"eta": self.call.get("eta", taken["eta"].default)} if "eta" in taken else {}

    @property
    def aspect(self) -> float:
        """Height over width of an image."""
        size = self.image_size
        return self.call.get("height", size) / self.call.get("width", size)

    def images(
        self, jobs: Sequence[Job], noise: Tensor, law: Coupling, *, seed: int, members: slice
    ) -> Tensor:
        """The images (G, n, 3, H, W) in [0, 1] of the noises (G, n, ...) of some members.

        Raises UsageError: it refuses how it is called, or returns something else.
        """
        step = len(jobs) if self.together else 1
        made = []
        for first in range(0, len(jobs), step):
            part = slice(first, first + step)
            made.append(
                self._called(
                    jobs[part],
                    noise[part],
                    self.of_steps(law),
                    seed=seed,
                    members=members,
                    output_type="pt",
                )
            )
        images = torch.cat(made)
        rgb = images.dim() == 4 and images.shape[1] == 3 and images.is_floating_point()
        if not rgb or images.min() < 0 or images.max() > 1:
            raise UsageError(
                f"{self.kind.__name__} returned {tuple(images.shape)} from {images.min():g} to "
                f"{images.max():g}; only images (N, 3, H, W) in [0, 1] can be scored"
            )
        return images.unflatten(0, noise.shape[:2])

    def first_output(self, job: Job, noise: Tensor) -> tuple[Entry, Tensor]:
        """The guided output at the first step, (n, ...) as the noises; and how they entered it."""
        seen: list[Tensor] = []

        def stop(model_output: Tensor, timestep: Tensor, sample: Tensor, *_: Any, **__: Any) -> Any:
            seen.extend((model_output, timestep, sample))
            raise _Stopped

        with _one_at_a_time:
            with patch.object(self.pipe.scheduler, "step", stop), suppress(_Stopped):
                law = iid(len(noise))
                self._called([job], noise.unsqueeze(0), law, seed=0, output_type="latent")
            self.pipe.maybe_free_model_hooks()  # as after a whole call
            output, time, state = seen
            if self._entry is None:
                self._entry = Entry.found(
                    self._start,
                    noise,
                    state,
                    self.pipe.scheduler,
                    time,
                    dtype=self.dtype,
                    **self.eta,
                )
        return self._entry, self._entry.unpacked(output, noise.shape)

    def _called(
        self,
        jobs: Sequence[Job],
        noise: Tensor,
        law: Coupling,
        *,
        seed: int,
        members: slice = ALL,
        output_type: str,
    ) -> Tensor:
        """What the pipeline returns for the prompts of jobs and their noises, in one call."""
        prompts: Any = [job.prompt for job in jobs]
        call = dict(self.call)
        if len(prompts) > 1:  # then it wants as many negative ones
            words = [k for k, v in call.items() if k.startswith("negative") and isinstance(v, str)]
            call |= {key: [call[key]] * len(prompts) for key in words}
        names = [job.id for job in jobs]  # of which copies fill a batch up
        names = [f"{n}\ncopy {k}" if n in names[:k] else n for k, n in enumerate(names)]
        coupled = draws(
            self.pipe,
            prompts,
            law,
            seed=seed,
            jobs=names,
            start=noise.flatten(0, 1),
            members=members,
        )
        call["prompt"] = prompts if len(prompts) > 1 else prompts[0]
        try:
            with _one_at_a_time, coupled, quiet():
                return self.pipe(
                    num_images_per_prompt=noise.shape[1], output_type=output_type, **call
                )[0]
        except (ValueError, TypeError) as error:
            raise self._refusal(error) from error

    def _refusal(self, error: Exception) -> UsageError:
        return UsageError(f"{self.kind.__name__}: {' '.join(str(error).split())}")


class _Stopped(Exception):
    """The network has answered at the first step."""
