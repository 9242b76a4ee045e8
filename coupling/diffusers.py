"""Coupled latents for any diffusers pipeline, whatever shape it draws or packs them in.

    latents = coupling.diffusers.latents(pipe, prompt, coupling.repulsive(4), seed=7)
    images = pipe(prompt, num_images_per_prompt=4, latents=latents).images

Pipelines differ in the shape that they draw in, in the shape that `latents=` takes, and in who
scales by the scheduler's sigma. None of it is written down here: the pipeline is asked. It is
called as it would be, up to the denoiser, which is not run, and what it draws is answered with
coupled noises. So a mask, a band or a channel means what it means in the drawn shape; packing is
the pipeline's own. Then it is given what it made of them as `latents=`, and its denoiser must be
handed what it was handed before. The text encoders run in each of these few calls.

Of diffusers it is known that denoisers are components called `transformer...` or `unet...`, and
that a pipeline and its `scheduler` draw by the `randn_tensor` of their modules.
"""

import copy
import inspect
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor
from torch.testing import assert_close

from coupling.law import Coupling
from coupling.noise import base_noise

COUNTS = ("num_images_per_prompt", "num_videos_per_prompt", "num_waveforms_per_prompt")
INSTEAD = "call it within coupling.diffusers.draws instead"
ALL = slice(None)
Draw = Callable[..., Tensor]


def latents(
    pipe: Any,
    prompt: str | Sequence[str],
    coupling: Coupling,
    *,
    seed: int,
    jobs: Sequence[str] | None = None,
    base: Draw = base_noise,
    **call: Any,
) -> Tensor:
    """The `latents=` of `pipe(prompt, num_images_per_prompt=K, **call)`: a gallery a prompt.

    (G * K, ...), prompt-major, in the shape, dtype and device that the pipeline takes. `call` is
    what the pipeline will be called with (height, num_frames, guidance_scale, ...). The gallery of
    a prompt is `coupling.sample(shape, seed=seed, job=prompt)` in the shape that is drawn, whatever
    stands beside it; `jobs`, one a prompt, names it otherwise. `base` draws its independent noises:
    `base_noise`, or `torch_noise` for the seeds of other programs. No global generator is moved.

    Raises ValueError where the coupling does not fit the drawn shape, or the pipeline takes no
    latents, draws more or less than once, or makes of latents something else than of what it
    drew. Warns where its scheduler draws again at every step: `draws` couples those, too.
    """
    name, taken = _name(pipe), inspect.signature(pipe.__call__).parameters
    answer = _galleries(name, coupling, _jobs(prompt, jobs), seed, base=base)
    if twice := sorted({"generator", "latents", *COUNTS} & call.keys()):
        raise ValueError(f"the coupling and the seed say {', '.join(twice)}; leave it out")
    if "latents" not in taken:
        raise ValueError(f"{name} takes no latents; {INSTEAD}")
    prompts = [prompt] if isinstance(prompt, str) else list(prompt)
    if counts := [count for count in COUNTS if count in taken]:
        call |= {"prompt": prompt if prompts == [prompt] else prompts, counts[0]: coupling.size}
    else:
        call |= {"prompt": [text for text in prompts for _ in range(coupling.size)]}

    drawn, prepared, denoised = _start(pipe, call, answer)
    _require_one(name, drawn)
    fitting = [drawn[0], *(tensor for tensor in prepared if tensor.numel() == drawn[0].numel())]
    for candidate in sorted(fitting, key=lambda x: x.shape == drawn[0].shape):  # packed first
        with suppress(Exception):  # whatever it says to a shape that it does not take
            again, _, given = _start(pipe, call | {"latents": candidate.clone()}, answer)
            assert_close((again, given), ([], denoised), equal_nan=True)  # but for rounding
            break
    else:
        shape = tuple(drawn[0].shape[1:])
        raise ValueError(f"{name} makes something else of latents than of its {shape}; {INSTEAD}")
    eta = {"eta": call.get("eta", taken["eta"].default)} if "eta" in taken else {}
    if draws_again(pipe.scheduler, **eta):
        warnings.warn(
            f"{_name(pipe.scheduler)} draws again at every step, so only the start is coupled; "
            "within coupling.diffusers.draws every draw is",
            stacklevel=2,
        )
    return candidate


@contextmanager
def draws(
    pipe: Any,
    prompt: str | Sequence[str],
    coupling: Coupling,
    *,
    seed: int,
    jobs: Sequence[str] | None = None,
    start: Tensor | None = None,
    members: slice = ALL,
) -> Iterator[None]:
    """Within it, every draw of one `pipe(prompt, num_images_per_prompt=K)` is coupled.

    Its start is that of `latents`, or `start`, (G * K, ...) as it would be drawn; given `latents=`,
    it starts from them. `members` are those of each gallery that are made now. The n-th draw after
    the denoiser first ran is a gallery of its own, independent of the start and of all others,
    coupled by the same law. Each path keeps its law, since each of its draws does. For schedulers
    that draw at every step (LCM, ancestral, SDE) and for pipelines that take no latents. The
    pipeline's `generator` is not used. Not for threads: it answers for all pipelines of this class.

    Raises ValueError if the scheduler draws from torchsde, and, within, at a draw that is not of
    G * K noises or that the coupling does not fit.
    """
    names, made, stage = _jobs(prompt, jobs), Counter[str](), "start"
    if hasattr(pipe.scheduler, "noise_sampler"):
        raise ValueError(
            f"{_name(pipe.scheduler)} draws by torchsde, which cannot be coupled; valid is another "
            "scheduler, such as DPMSolverMultistepScheduler"
        )

    def begun(*_: Any) -> None:
        nonlocal stage
        stage = "step"

    def draw(shape: Any, *args: Any, **kwargs: Any) -> Tensor:
        given = start if stage == "start" and not made[stage] else None
        suffix = f"\n{stage} {made[stage]}" if stage == "step" or made[stage] else ""
        made[stage] += 1
        jobs = [name + suffix for name in names]
        answer = _galleries(_name(pipe), coupling, jobs, seed, start=given, members=members)
        return answer(shape, *args, **kwargs)

    with _watching(pipe, draw, begun):
        yield


def start_of(pipe: Any, prompt: str, **call: Any) -> tuple[Tensor, list[Tensor]]:
    """Where each number that `pipe(prompt, **call)` draws for one image comes to lie.

    The noise as it is drawn, (1, ...), with 1, 2, 3, ... in place of its numbers, and what
     `prepare_latents` makes of it: candidates for what the scheduler is given. The denoiser is not
    run. Raises ValueError unless it draws one noise.
    """

    def counting(shape: Any, *_: Any, device: Any = None, **__: Any) -> Tensor:
        size = torch.Size(shape)
        return torch.arange(1.0, size.numel() + 1, device=device).view(size)

    drawn, prepared, _ = _start(pipe, {"prompt": prompt, **call}, counting)
    _require_one(_name(pipe), drawn)
    return drawn[0], prepared


def _require_one(name: str, drawn: Sequence[Tensor]) -> None:
    if len(drawn) != 1:
        shapes = ", ".join(str(tuple(noise.shape[1:])) for noise in drawn) or "nothing"
        raise ValueError(f"{name} draws {shapes} at its start, not one noise; {INSTEAD}")


def _galleries(
    name: str,
    coupling: Coupling,
    jobs: Sequence[str],
    seed: int,
    *,
    base: Draw = base_noise,
    start: Tensor | None = None,
    members: slice = ALL,
) -> Draw:
    """What stands in for the `randn_tensor` of `name`: each draw is the galleries of `jobs`, or
    `start`."""

    def draw(shape: Any, _: Any = None, device: Any = None, dtype: Any = None, **__: Any) -> Tensor:
        rows, one = shape[0], tuple(shape[1:])
        size = len(range(coupling.size)[members])
        if rows != len(jobs) * size:
            valid = f"K = {size} for each of {len(jobs)} prompts"
            raise ValueError(f"{name} draws {rows} noises of {one}; valid is {valid}")
        if start is not None:
            return start.to(device=device, dtype=dtype)
        streams = range(coupling.base_size)
        bases = [base(one, seed=seed, job=job, members=streams) for job in jobs]
        try:  # in float32 on the CPU, then cast
            noise = torch.cat([coupling.couple(independent)[members] for independent in bases])
        except ValueError as error:
            raise ValueError(f"{name} draws {one}; make the coupling for that: {error}") from error
        return noise.to(device=device, dtype=dtype)

    return draw


class _Reached(Exception):
    """The denoiser is about to run: all that comes before it is known."""


def _start(pipe: Any, call: dict[str, Any], galleries: Draw) -> tuple[list[Tensor], ...]:
    """What `pipe(**call)` draws, as answered, prepares of it, and hands to its denoiser at last."""
    start: tuple[list[Tensor], ...] = ([], [], [])
    drawn, prepared, denoised = start
    prepare: Any = getattr(pipe, "prepare_latents", None)

    def draw(*args: Any, **kwargs: Any) -> Tensor:
        drawn.append(galleries(*args, **kwargs))
        return drawn[-1].clone()

    def preparing(*args: Any, **kwargs: Any) -> Any:
        result = prepare(*args, **kwargs)
        prepared.extend(tensor.clone() for tensor in _tensors(result))
        return result

    def reached(_: Any, *given: Any) -> None:
        denoised.extend(_tensors(given))
        raise _Reached

    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else []
    try:
        with (
            torch.random.fork_rng(devices),  # a VAE that encodes an image draws, too
            patch.object(pipe, "_progress_bar_config", {"disable": True}, create=True),
            patch.object(pipe, "prepare_latents", prepare and preparing, create=True),
            _watching(pipe, draw, reached),
        ):
            # Copies of lists, for some pipelines write into the prompts that they are given.
            pipe(**{k: list(v) if isinstance(v, list) else v for k, v in call.items()})
    except _Reached:
        return start
    finally:
        pipe.maybe_free_model_hooks()  # offloaded networks go back, as after a whole call
    raise ValueError(f"{_name(pipe)} ran no transformer and no unet, so its draws are unknown")


@contextmanager
def _watching(pipe: Any, draw: Draw, denoise: Callable[..., None]) -> Iterator[None]:
    """`draw` is the `randn_tensor` of pipeline and scheduler; `denoise` runs before a denoiser."""
    with ExitStack() as stack:
        for cls in (*type(pipe).__mro__, *type(pipe.scheduler).__mro__):
            if hasattr(module := sys.modules[cls.__module__], "randn_tensor"):
                stack.enter_context(patch.object(module, "randn_tensor", draw))
        for name, part in pipe.components.items():
            if name.startswith(("transformer", "unet")) and isinstance(part, torch.nn.Module):
                stack.callback(part.register_forward_pre_hook(denoise, with_kwargs=True).remove)
        yield


def _jobs(prompt: str | Sequence[str], jobs: Sequence[str] | None) -> list[str]:
    """The names of the galleries. Raises ValueError unless they are one a prompt, all different."""
    prompts = [prompt] if isinstance(prompt, str) else list(prompt)
    names = prompts if jobs is None else list(jobs)
    if not prompts or len(names) != len(prompts):
        raise ValueError(f"{len(prompts)} prompts and {len(names)} jobs; valid is one job a prompt")
    if len(set(names)) < len(names):
        raise ValueError("two prompts would get the same gallery; give each a name by jobs=")
    return names


def draws_again(scheduler: Any, **extra: float) -> bool:
    """Whether its steps, as the last call set them, lead apart from one state under two seeds."""
    extra = {k: extra[k] for k in extra.keys() & inspect.signature(scheduler.step).parameters}
    ends = set()
    with torch.random.fork_rng([]):
        for seed in range(2):
            torch.default_generator.manual_seed(seed)
            stepper, x = copy.deepcopy(scheduler), torch.ones(1, 1, 8, 8, device="cpu")
            with suppress(Exception):  # one timestep more than it takes, or another interface
                for time in stepper.timesteps:
                    x = stepper.step(torch.zeros_like(x), time, x, **extra)[0]
            ends.add(tuple(x.flatten().tolist()))
    return len(ends) == 2


def _tensors(nested: Any) -> list[Tensor]:
    """All tensors in tuples, lists and dictionaries, in their order."""
    if isinstance(nested, dict):
        nested = list(nested.values())
    if isinstance(nested, list | tuple):
        return [tensor for part in nested for tensor in _tensors(part)]
    return [nested] if isinstance(nested, Tensor) else []


def _name(thing: Any) -> str:
    return type(thing).__name__
