"""Coupled latents for any diffusers pipeline, whatever shape it draws or packs them in.

    latents = coupling.diffusers.latents(pipe, prompt, coupling.repulsive(4), seed=7)
    images = pipe(prompt, num_images_per_prompt=4, latents=latents).images

Pipelines differ in the shape that they draw in, in the shape that `latents=` takes, and in who
scales by the scheduler's sigma. None of it is written down here: the pipeline is asked. It is
called as it would be, up to the denoiser, which is not run, and what it drew is answered with
coupled noises. So a mask, a band or a channel means what it means in the drawn shape; packing is
the pipeline's own. A second call is then given the latents, and the denoiser must be handed what
it was handed before, else they are refused. The text encoders run in both.

This module knows diffusers by its interface alone: a pipeline has `components`, a `unet` or
`transformer`, a `scheduler`, and draws by the function `randn_tensor` of its module.
"""

import copy
import inspect
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol
from unittest.mock import patch

import torch
from torch import Tensor

from coupling.law import Coupling
from coupling.noise import base_noise

DENOISERS = ("transformer", "unet", "transformer_2")
COUNTS = ("num_images_per_prompt", "num_videos_per_prompt", "num_waveforms_per_prompt")


class BaseNoise(Protocol):
    """Independent noises (len(members), *shape), as `coupling.base_noise` and `torch_noise`."""

    def __call__(
        self, shape: Sequence[int], *, seed: int, job: str, members: Sequence[int]
    ) -> Tensor: ...


def latents(
    pipe: Any,
    prompt: str | Sequence[str],
    coupling: Coupling,
    *,
    seed: int,
    jobs: Sequence[str] | None = None,
    base: BaseNoise = base_noise,
    **call: Any,
) -> Tensor:
    """The `latents=` of `pipe(prompt, num_images_per_prompt=K, **call)`: a gallery a prompt.

    (G * K, ...), prompt-major, in the shape, dtype and device that the pipeline takes. `call` is
    what the pipeline will be called with (height, num_frames, guidance_scale, ...). The gallery of
    a prompt is `coupling.sample(shape, seed=seed, job=prompt)` in the shape that is drawn, whatever
    stands beside it; `jobs`, one a prompt, names it otherwise. `base` is where its independent
    noises come from.

    Raises ValueError where the pipeline takes no latents, draws more or less than once, or makes
    of the latents something else than of what it drew. Warns where its scheduler draws again in
    every step: then `draws` couples those, too.
    """
    galleries = Galleries(coupling, _jobs(prompt, jobs), seed, base)
    if "latents" not in inspect.signature(pipe.__call__).parameters:
        raise ValueError(f"{_name(pipe)} takes no latents; call it within coupling.diffusers.draws")
    arguments = _arguments(pipe, prompt, coupling.size, call)
    drawn = _start(pipe, arguments, galleries)
    if len(drawn.noises) != 1:
        shapes = ", ".join(str(tuple(noise.shape[1:])) for noise in drawn.noises) or "nothing"
        raise ValueError(
            f"{_name(pipe)} draws {shapes} before its first step; "
            "latents can stand for one draw alone: call it within coupling.diffusers.draws"
        )
    for candidate in drawn.candidates():
        try:
            given = _start(pipe, arguments | {"latents": candidate.clone()}, galleries)
        except (ValueError, RuntimeError, TypeError, IndexError):  # a shape that it does not take
            continue
        if not given.noises and _equal(given.denoised, drawn.denoised):
            _warn_of_later_draws(pipe, arguments)
            return candidate
    raise ValueError(
        f"{_name(pipe)} makes something else of latents than of what it draws, "
        f"{tuple(drawn.noises[0].shape[1:])}; call it within coupling.diffusers.draws"
    )


@contextmanager
def draws(
    pipe: Any,
    prompt: str | Sequence[str],
    coupling: Coupling,
    *,
    seed: int,
    jobs: Sequence[str] | None = None,
    base: BaseNoise = base_noise,
) -> Iterator[None]:
    """Within it, every draw of `pipe(prompt, num_images_per_prompt=K)` is coupled, step by step.

    The draw that it starts from is that of `latents`; the n-th draw of its scheduler is a gallery
    of its own, independent of all others, coupled by the same law. Each path keeps its law, since
    each of its draws does. For schedulers that draw at each step (LCM, ancestral, SDE) and for
    pipelines that take no latents. Not for threads: it answers for the modules of the pipeline's
    and the scheduler's class.

    Raises ValueError, within, at a draw that is not of G * K rows.
    """
    names = _jobs(prompt, jobs)

    def numbered(what: str) -> Callable[..., Tensor]:
        made = 0

        def answer(*args: Any, **kwargs: Any) -> Tensor:
            nonlocal made
            suffix = f"\n{what} {made}" if what == "step" or made else ""
            made += 1
            return Galleries(coupling, [n + suffix for n in names], seed, base)(*args, **kwargs)

        return answer

    with (
        _answering(pipe, numbered("draw")),
        _answering(pipe.scheduler, numbered("step")),
    ):
        yield


@dataclass(frozen=True)
class Galleries:
    """Stands in for `randn_tensor`: answers each draw with the galleries of `jobs`."""

    coupling: Coupling
    jobs: Sequence[str]
    seed: int
    base: BaseNoise

    def __call__(
        self,
        shape: Sequence[int],
        generator: Any = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        layout: torch.layout | None = None,
    ) -> Tensor:
        """(G * K, *shape), coupled in float32 on the CPU and cast; `generator` is not used."""
        rows = len(self.jobs) * self.coupling.size
        if shape[0] != rows:
            raise ValueError(
                f"the pipeline draws {shape[0]} noises of {tuple(shape[1:])}; "
                f"valid is {rows}: {len(self.jobs)} prompts with K = {self.coupling.size} each"
            )
        members = range(self.coupling.base_size)
        noise = [
            self.coupling.couple(
                self.base(tuple(shape[1:]), seed=self.seed, job=job, members=members)
            )
            for job in self.jobs
        ]
        return torch.cat(noise).to(device=device, dtype=dtype)


class _Reached(Exception):
    """The denoiser is about to run: all that comes before it is known."""


@dataclass
class _Start:
    """What a pipeline does before its denoiser first runs."""

    noises: list[Tensor]
    prepared: list[Tensor]
    denoised: list[Tensor]

    def candidates(self) -> Iterator[Tensor]:
        """What `latents=` may take: as drawn, as packed, as packed and scaled."""
        noise = self.noises[0]
        yield noise
        for tensor in self.prepared:
            if tensor.numel() == noise.numel() and tensor.shape != noise.shape:
                scale = tensor.double().norm() / noise.double().norm()
                yield (tensor if torch.isclose(scale, torch.ones_like(scale)) else tensor / scale)
                yield tensor


def _start(pipe: Any, arguments: dict[str, Any], galleries: Galleries) -> _Start:
    """Call the pipeline up to its denoiser, its draws answered by `galleries`."""
    start = _Start([], [], [])

    def answer(*args: Any, **kwargs: Any) -> Tensor:
        start.noises.append(galleries(*args, **kwargs))
        return start.noises[-1].clone()

    def reached(module: Any, args: Any, kwargs: Any) -> None:
        start.denoised.extend(_tensors((args, kwargs)))
        raise _Reached

    with ExitStack() as stack:
        stack.enter_context(_quiet(pipe))
        stack.enter_context(_answering(pipe, answer))
        if prepare := getattr(pipe, "prepare_latents", None):

            def prepared(*args: Any, **kwargs: Any) -> Any:
                result = prepare(*args, **kwargs)
                start.prepared.extend(tensor.clone() for tensor in _tensors(result))
                return result

            stack.enter_context(patch.object(pipe, "prepare_latents", prepared))
        for name in DENOISERS:
            if isinstance(module := getattr(pipe, name, None), torch.nn.Module):
                handle = module.register_forward_pre_hook(reached, with_kwargs=True)
                stack.callback(handle.remove)
        try:
            pipe(**arguments)
        except _Reached:
            return start
    raise ValueError(f"{_name(pipe)} ran no {' or '.join(DENOISERS[:2])}; its draws are unknown")


@contextmanager
def _quiet(pipe: Any) -> Iterator[None]:
    """No progress bar; offloaded networks are sent back, as they are after a whole call."""
    before = dict(getattr(pipe, "_progress_bar_config", {}))
    pipe.set_progress_bar_config(**before | {"disable": True})
    try:
        yield
    finally:
        pipe.set_progress_bar_config(**before)
        if free := getattr(pipe, "maybe_free_model_hooks", None):
            free()


@contextmanager
def _answering(drawer: Any, answer: Callable[..., Tensor]) -> Iterator[None]:
    """`randn_tensor` is `answer` in every module that the class of `drawer` is made of."""
    with ExitStack() as stack:
        for name in dict.fromkeys(cls.__module__ for cls in type(drawer).__mro__):
            if hasattr(module := sys.modules[name], "randn_tensor"):
                stack.enter_context(patch.object(module, "randn_tensor", answer))
        yield


def _arguments(
    pipe: Any, prompt: str | Sequence[str], size: int, call: dict[str, Any]
) -> dict[str, Any]:
    """What the pipeline is called with. Raises ValueError where `call` says it, too."""
    taken = inspect.signature(pipe.__call__).parameters
    counts = [count for count in COUNTS if count in taken]
    if twice := sorted({"prompt", "latents", "generator", *COUNTS} & call.keys()):
        raise ValueError(f"{', '.join(twice)} is said by the prompt, the coupling and the seed")
    if unknown := sorted(call.keys() - taken.keys()):
        raise ValueError(f"{_name(pipe)} takes no {', '.join(unknown)}; {', '.join(taken)} it does")
    if counts:
        return call | {"prompt": prompt, counts[0]: size}
    prompts = [prompt] if isinstance(prompt, str) else prompt
    return call | {"prompt": [text for text in prompts for _ in range(size)]}


def _jobs(prompt: str | Sequence[str], jobs: Sequence[str] | None) -> list[str]:
    prompts = [prompt] if isinstance(prompt, str) else list(prompt)
    names = prompts if jobs is None else list(jobs)
    if not prompts or len(names) != len(prompts):
        raise ValueError(f"{len(prompts)} prompts and {len(names)} jobs; valid is one job a prompt")
    if len(set(names)) < len(names):
        raise ValueError("a prompt stands twice and would get the same gallery; name them by jobs=")
    return names


def _warn_of_later_draws(pipe: Any, arguments: dict[str, Any]) -> None:
    """Step twice from one state, under two seeds: a scheduler that draws differs.

    The second dry call has set the scheduler's steps as the pipeline sets them.
    """
    scheduler = pipe.scheduler
    parameters = inspect.signature(scheduler.step).parameters
    extra = {"eta": arguments["eta"]} if {"eta"} <= arguments.keys() & parameters.keys() else {}
    sample = torch.linspace(-1, 1, 64).reshape(1, 1, 8, 8)
    outcomes = []
    for seed in range(2):
        stepper = copy.deepcopy(scheduler)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            try:
                time = stepper.timesteps[0]
                outcomes.append(stepper.step(sample / 2, time, sample, **extra)[0])
            except Exception:  # noqa: BLE001 - a scheduler of another interface tells nothing
                return
    if not torch.equal(*outcomes):
        warnings.warn(
            f"{type(scheduler).__name__} draws again at every step, which leaves only the start "
            "coupled; within coupling.diffusers.draws every draw is",
            stacklevel=3,
        )


def _equal(given: list[Tensor], drawn: list[Tensor]) -> bool:
    """Whether the denoiser is handed the same, but for rounding in the tensors' precision."""
    return len(given) == len(drawn) and all(
        a.shape == b.shape and torch.allclose(a.double(), b.double(), rtol=0, atol=_rounding(b))
        for a, b in zip(given, drawn, strict=True)
    )


def _rounding(x: Tensor) -> float:
    if not x.is_floating_point() or not x.numel():
        return 0.0
    return 8 * torch.finfo(x.dtype).eps * x.abs().max().item()


def _tensors(nested: Any) -> list[Tensor]:
    """All tensors in tuples, lists and dictionaries, in their order."""
    if isinstance(nested, Tensor):
        return [nested]
    if isinstance(nested, dict):
        return _tensors(list(nested.values()))
    if isinstance(nested, list | tuple):
        return [tensor for part in nested for tensor in _tensors(part)]
    return []


def _name(pipe: Any) -> str:
    return type(pipe).__name__
