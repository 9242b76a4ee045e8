"""From jobs to galleries: base noise -> coupling -> optimiser -> model -> images.

Many galleries share a device batch without seeing each other. Every batch has the same number of
rows (the last one is filled up with copies), so a gallery's images do not depend on how many others
were left to do.
"""

from collections.abc import Callable, Iterator, Sequence
from time import perf_counter
from typing import TypeVar

import torch
from torch import Tensor

from coupling import Coupling, base_noise
from coupling.drift import drift
from coupling.optimizer import NoiseOptimizer, couple
from experiments.first_step import FirstStep
from experiments.models.model import Model, repeat_rows
from experiments.store import Gallery
from experiments.tasks import Job

T = TypeVar("T")


def generate(
    model: Model,
    coupling: Coupling,
    optimizer: NoiseOptimizer | None,
    jobs: Sequence[Job],
    *,
    seed: int,
    galleries_per_batch: int,
    members: range | None = None,
) -> Iterator[Gallery]:
    """Yields a gallery for every job, in order: the images of `members`, by default of all.

    The noise of a gallery is a function of (seed, job, coupling, optimizer, model) alone, and
    without an optimiser of the first three.
    """
    members = members or range(coupling.size)
    for start in range(0, len(jobs), galleries_per_batch):
        batch = jobs[start : start + galleries_per_batch]
        full = [*batch, *[batch[-1]] * (galleries_per_batch - len(batch))]
        made = _generate_batch(
            model, coupling, optimizer, full, seed=seed, members=members, kept=len(batch)
        )
        yield from made


@torch.no_grad()
def _generate_batch(
    model: Model,
    coupling: Coupling,
    optimizer: NoiseOptimizer | None,
    jobs: Sequence[Job],
    *,
    seed: int,
    members: range,
    kept: int,
) -> list[Gallery]:
    """The galleries of the first `kept` jobs, which share the batch's seconds."""
    seconds: dict[str, float] = {}

    def timed(stage: str, work: Callable[[], T]) -> T:
        start = perf_counter()
        result = work()
        if model.device.type == "cuda":
            torch.cuda.synchronize(model.device)
        seconds[stage] = (perf_counter() - start) / kept
        return result

    streams = range(optimizer.base_size(coupling) if optimizer else coupling.base_size)

    def draw() -> Tensor:
        shape = model.noise_shape
        return torch.stack([base_noise(shape, seed=seed, job=j.id, members=streams) for j in jobs])

    condition = timed("encode", lambda: model.encode_prompts([job.prompt for job in jobs]))
    first = FirstStep(model, condition, rows_per_pass=len(jobs) * coupling.size)
    if optimizer is None:
        noise, losses = timed("couple", lambda: couple(draw(), coupling)), torch.empty(len(jobs), 0)
    else:
        base = timed("couple", draw)
        states = timed("optimize", lambda: list(optimizer.optimize(base, coupling, first)))
        noise, losses = states[-1].noise, torch.stack([state.loss for state in states], dim=1)
    started = noise[:, members.start : members.stop].flatten(0, 1)
    rows = repeat_rows(condition, len(members))
    latents = timed("denoise", lambda: model.sample(started, rows))
    pixels = timed("decode", lambda: to_uint8(model.decode(latents)).cpu())
    passes = {
        "sample": model.process.num_steps * len(members),
        **{kind: count // len(jobs) for kind, count in first.passes.items()},
    }
    here = members.stop  # of a plan, the members that there are by now
    return [
        Gallery(
            job=job,
            images=images,
            seconds=seconds,
            passes=passes,
            loss=tuple(loss),
            drift=drift(gallery[:here], coupling.correlation[:here, :here]),
            first=members.start,
            galleries_per_batch=len(jobs),
        )
        for job, images, gallery, loss in zip(
            jobs[:kept],
            pixels.unflatten(0, (len(jobs), len(members))).numpy(),
            noise,
            losses.tolist(),
            strict=False,
        )
    ]


def to_uint8(images: Tensor) -> Tensor:
    """(N, 3, H, W) in [0, 1] -> (N, H, W, 3) uint8, rounded as diffusers' image processor does."""
    return (images.float() * 255).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)
