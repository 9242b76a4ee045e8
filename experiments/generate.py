"""From jobs to galleries: base noise -> coupling -> model -> images.

Many galleries share a device batch without seeing each other. Every batch has the same number of
rows (the last one is filled up with copies), so a gallery's images do not depend on how many others
were left to do.
"""

from collections.abc import Callable, Iterator, Sequence
from time import perf_counter

import numpy as np
import torch
from torch import Tensor

from coupling import Coupling
from experiments.models.model import Model, repeat_rows
from experiments.store import Gallery
from experiments.tasks import Job


def generate(
    model: Model,
    coupling: Coupling,
    jobs: Sequence[Job],
    *,
    seed: int,
    galleries_per_batch: int,
    members: range | None = None,
) -> Iterator[Gallery]:
    """Yields a gallery for every job, in order: the images of `members`, by default of all.

    The noise of a gallery is a function of (seed, job, coupling) alone.
    """
    members = members or range(coupling.size)
    for start in range(0, len(jobs), galleries_per_batch):
        batch = jobs[start : start + galleries_per_batch]
        full = [*batch, *[batch[-1]] * (galleries_per_batch - len(batch))]
        images, seconds = _generate_batch(model, coupling, full, seed=seed, members=members)
        share = {stage: spent / len(batch) for stage, spent in seconds.items()}
        for job, gallery in zip(batch, images, strict=False):
            yield Gallery(
                job=job,
                images=gallery,
                seconds=share,
                first=members.start,
                galleries_per_batch=galleries_per_batch,
            )


@torch.inference_mode()
def _generate_batch(
    model: Model, coupling: Coupling, jobs: Sequence[Job], *, seed: int, members: range
) -> tuple[np.ndarray, dict[str, float]]:
    """Images (G, len(members), H, W, 3) uint8 of G jobs, and the seconds of every stage."""
    seconds: dict[str, float] = {}

    def timed(stage: str, work: Callable[[], Tensor]) -> Tensor:
        start = perf_counter()
        result = work()
        if model.device.type == "cuda":
            torch.cuda.synchronize(model.device)
        seconds[stage] = perf_counter() - start
        return result

    def draw() -> Tensor:
        shape = model.noise_shape
        galleries = [coupling.sample(shape, seed=seed, job=job.id) for job in jobs]
        return torch.cat([gallery[members.start : members.stop] for gallery in galleries])

    prompts = [job.prompt for job in jobs]
    noise = timed("couple", draw)
    condition = timed("encode", lambda: repeat_rows(model.encode_prompts(prompts), len(members)))
    latents = timed("denoise", lambda: model.sample(noise, condition))
    pixels = timed("decode", lambda: to_uint8(model.decode(latents)).cpu())
    return pixels.unflatten(0, (len(jobs), len(members))).numpy(), seconds


def to_uint8(images: Tensor) -> Tensor:
    """(N, 3, H, W) in [0, 1] -> (N, H, W, 3) uint8, rounded as diffusers' image processor does."""
    return (images.float() * 255).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)
