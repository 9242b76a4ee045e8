"""Coupled latents for any diffusers pipeline, whatever shape it draws or packs them in.

    latents = coupling.diffusers.latents(pipe, prompt, coupling.repulsive(4), seed=7)
    images = pipe(prompt, num_images_per_prompt=4, latents=latents).images

Pipelines differ in the shape that they draw in, in the shape that `latents=` takes, and in who
scales by the scheduler's sigma. None of it is written down here: the pipeline is asked. It is
called as it would be, up to the denoiser, which is not run, and what it draws is answered with
coupled noises. So a mask, a band or a channel means what it means in the drawn shape; packing is
the pipeline's own. Then it is given what it made of them as `latents=`, and its denoiser must be
handed what it was handed before. The text encoders run in each of these two or three calls.

This module knows diffusers by its interface alone: a pipeline has `components`, of which the
denoisers are named `transformer...` or `unet...`, and a `scheduler`; both draw by the function
`randn_tensor` of their module.
"""

import copy
import inspect
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol
from unittest.mock import patch

import torch
from torch import Tensor

from coupling.law import Coupling
from coupling.noise import base_noise

COUNTS = ("num_images_per_prompt", "num_videos_per_prompt", "num_waveforms_per_prompt")
INSTEAD = "call it within coupling.diffusers.draws, without latents"


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
    noises come from. No global generator is moved.

    Raises ValueError where the coupling does not fit the drawn shape, or the pipeline takes no
    latents, draws more or less than once, or makes of latents something else than of what it
    drew. Warns where its scheduler draws again in every step: then `draws` couples those, too.
    """
    answer = _Galleries(_name(pipe), coupling, _jobs(prompt, jobs), seed, base)
    arguments = _arguments(pipe, prompt, coupling.size, call)
    if "latents" not in inspect.signature(pipe.__call__).parameters:
        raise ValueError(f"{_name(pipe)} takes no latents; {INSTEAD}")
    drawn = _start(pipe, arguments, answer)
    if len(drawn.noises) != 1:
        shapes = ", ".join(str(tuple(noise.shape[1:])) for noise in drawn.noises) or "nothing"
        raise ValueError(
            f"{_name(pipe)} draws {shapes} before its first step, and latents can stand for "
            f"one draw alone; {INSTEAD}"
        )
    for candidate in drawn.candidates():
        try:
            given = _start(pipe, arguments | {"latents": candidate.clone()}, answer)
        except (ValueError, RuntimeError, TypeError, IndexError):  # a shape that it does not take
            continue
        if not given.noises and _equal(given.denoised, drawn.denoised):
            _warn_of_later_draws(pipe.scheduler, arguments.get("eta", 0.0))
            return candidate
    raise ValueError(
        f"{_name(pipe)} makes something else of latents than of what it draws, "
        f"{tuple(drawn.noises[0].shape[1:])}; {INSTEAD}"
    )


@contextmanager
def draws(
    pipe: Any,
    prompt: str | Sequence[str],
    coupling: Coupling,
    *,
    seed: int,
    jobs: Sequence[str] | None = None,
) -> Iterator[None]:
    """Within it, every draw of one `pipe(prompt, num_images_per_prompt=K)` is coupled.

    What it starts from is what `latents` gives; given that, or others, it starts from them. The
    n-th draw after the denoiser first ran is a gallery of its own, independent of the start and of
    all others, coupled by the same law. Each path keeps its law, since each of its draws does. For
    schedulers that draw at each step (LCM, ancestral, SDE) and for pipelines that take no latents.
    The pipeline's `generator` is not used. Not for threads: it answers for all pipelines and
    schedulers of these classes.

    Raises ValueError if the scheduler draws by torchsde; and, within, at a draw that is not of
    G * K noises or that the coupling does not fit.
    """
    names = _jobs(prompt, jobs)
    scheduler = getattr(pipe, "scheduler", None)
    if _draws_by_itself(scheduler):
        raise ValueError(f"{_name(scheduler)} draws by torchsde; valid is a scheduler that does not")
    made: Counter[str] = Counter()
    stage = "start"

    def run(*_: Any) -> None:
        nonlocal stage
        stage = "step"

    def answer(*args: Any, **kwargs: Any) -> Tensor:
        suffix = f"\n{stage} {made[stage]}" if stage == "step" or made[stage] else ""
        made[stage] += 1
        jobs = [name + suffix for name in names]
        return _Galleries(_name(pipe), coupling, jobs, seed, base_noise)(*args, **kwargs)

    with _answering(pipe, answer), _answering(scheduler, answer), _before_denoisers(pipe, run):
        yield


@dataclass(frozen=True)
class _Galleries:
    """Stands in for `randn_tensor`: answers each draw with the galleries of `jobs`."""

    drawer: str
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
        rows, *one = shape
        if rows != len(self.jobs) * self.coupling.size:
            raise ValueError(
                f"{self.drawer} draws {rows} noises of {tuple(one)}; valid is "
                f"K = {self.coupling.size} for each prompt, of which there are {len(self.jobs)}"
            )
        members = range(self.coupling.base_size)
        bases = (self.base(one, seed=self.seed, job=job, members=members) for job in self.jobs)
        try:
            noise = torch.cat([self.coupling.couple(base) for base in bases])
        except ValueError as error:
            raise ValueError(
                f"{self.drawer} draws noises of {tuple(one)}; make the coupling for these: {error}"
            ) from error
        return noise.to(device=device, dtype=dtype)


class _Reached(Exception):
    """The denoiser is about to run: all that comes before it is known."""


@dataclass(frozen=True)
class _Start:
    """What a pipeline does before its denoiser first runs."""

    noises: list[Tensor] = field(default_factory=list)
    prepared: list[Tensor] = field(default_factory=list)
    denoised: list[Tensor] = field(default_factory=list)

    def candidates(self) -> Iterator[Tensor]:
        """What `latents=` may take: as drawn, as prepared (packed), as prepared but not scaled."""
        (noise,) = self.noises
        yield noise
        for tensor in self.prepared:
            if tensor.numel() == noise.numel():
                yield tensor
                yield tensor * (noise.double().norm() / tensor.double().norm()).item()


def _start(pipe: Any, arguments: dict[str, Any], galleries: _Galleries) -> _Start:
    """Call the pipeline up to its denoiser, its draws answered by `galleries`."""
    start = _Start()
    prepare = getattr(pipe, "prepare_latents", lambda: None)

    def answer(*args: Any, **kwargs: Any) -> Tensor:
        start.noises.append(galleries(*args, **kwargs))
        return start.noises[-1].clone()

    def prepared(*args: Any, **kwargs: Any) -> Any:
        result = prepare(*args, **kwargs)
        start.prepared.extend(tensor.clone() for tensor in _tensors(result))
        return result

    def reached(module: Any, args: Any, kwargs: Any) -> None:
        start.denoised.extend(_tensors((args, kwargs)))
        raise _Reached

    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else []
    try:
        with (
            torch.random.fork_rng(devices),  # a VAE that encodes an image draws, too
            patch.object(pipe, "_progress_bar_config", {"disable": True}, create=True),
            patch.object(pipe, "prepare_latents", prepared, create=True),
            _answering(pipe, answer),
            _before_denoisers(pipe, reached),
        ):
            # Copies of lists, for Z-Image writes into the prompts that it is given.
            pipe(**{k: list(v) if isinstance(v, list) else v for k, v in arguments.items()})
    except _Reached:
        return start
    finally:
        pipe.maybe_free_model_hooks()  # offloaded networks go back, as after a whole call
    raise ValueError(f"{_name(pipe)} ran no transformer and no unet, so its draws are unknown")


@contextmanager
def _before_denoisers(pipe: Any, hook: Callable[..., None]) -> Iterator[None]:
    """`hook(module, args, kwargs)` is called whenever a denoiser is about to run."""
    with ExitStack() as stack:
        for name, module in pipe.components.items():
            if name.startswith(("transformer", "unet")) and isinstance(module, torch.nn.Module):
                handle = module.register_forward_pre_hook(hook, with_kwargs=True)
                stack.callback(handle.remove)
        yield


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
    """What the pipeline is called with. Raises ValueError where `call` is not its, or says more."""
    taken = inspect.signature(pipe.__call__).parameters
    if twice := sorted({"generator", *COUNTS} & call.keys()):
        raise ValueError(f"{', '.join(twice)} is said by the coupling and the seed; leave it out")
    if unknown := sorted({"prompt", *call} - taken.keys()):
        raise ValueError(f"{_name(pipe)} takes no {', '.join(unknown)}; it takes {', '.join(taken)}")
    for count in COUNTS:
        if count in taken:
            return call | {"prompt": prompt, count: size}
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


def _warn_of_later_draws(scheduler: Any, eta: float) -> None:
    """Step twice from one state, under two seeds: a scheduler that draws differs.

    The dry calls have set its steps as the pipeline sets them.
    """
    takes_eta = "eta" in inspect.signature(scheduler.step).parameters
    sample = torch.linspace(-1, 1, 64, device="cpu").reshape(1, 1, 8, 8)
    outcomes = []
    for seed in range(2):
        stepper = copy.deepcopy(scheduler)
        with torch.random.fork_rng([]):
            torch.default_generator.manual_seed(seed)
            try:
                time = stepper.timesteps[0]
                extra = {"eta": eta} if takes_eta else {}
                outcomes.append(stepper.step(sample / 2, time, sample, **extra)[0])
            except Exception:  # a scheduler of another interface tells nothing
                return
    if not torch.equal(*outcomes):
        remedy = "within coupling.diffusers.draws every draw is coupled"
        if _draws_by_itself(scheduler):
            remedy = "by torchsde, which nothing here can couple"
        warnings.warn(
            f"{_name(scheduler)} draws again at every step, which leaves only the start coupled; "
            f"{remedy}",
            stacklevel=3,
        )


def _draws_by_itself(scheduler: Any) -> bool:
    return hasattr(scheduler, "noise_sampler")


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


def _name(thing: Any) -> str:
    return type(thing).__name__
