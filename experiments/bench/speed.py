"""The whole comparison of a model: its arms in turns, their pictures judged."""

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch

import coupling
from experiments.bench import ladder, overhead, verdict
from experiments.bench.arms import Arm, PlainLoop
from experiments.bench.compare import compare
from experiments.bench.gate import Deviation, deviation
from experiments.bench.probes import arithmetic_peak, gallery_flops
from experiments.bench.scoring import ScoreRate, score_rates
from experiments.models.model import Model
from experiments.tasks.job import Job
from experiments.workers.provenance import provenance
from metrics import GalleryBatch, MetricSuite

SIZE = 3
SEED = 0
LAW = coupling.repulsive(SIZE)


@dataclass(frozen=True)
class Hardware:
    """What the arms run on.

    Attributes:
        device: the processor, in words.
        threads: that PyTorch uses unless it is told otherwise.
        peak: FLOP/s of large matrix products and convolutions in the model's dtype.
    """

    device: str
    dtype: str
    threads: int
    peak: float


@dataclass(frozen=True)
class Speed:
    """What was measured of a model.

    Attributes:
        made_with: the libraries and the device.
        settings: in words; flops_of_a_gallery: operations that it takes.
        yardsticks: what the shape of a batch and half precision do to diffusers' pictures.
        overhead: what coupling and storing add to a gallery, "here" and to one of "sd15".
        scores: how fast galleries are scored.
    """

    settings: str
    hardware: Hardware
    made_with: Mapping[str, str | None]
    flops_of_a_gallery: int
    yardsticks: Mapping[str, Deviation]
    overhead: Mapping[str, overhead.Overhead]
    scores: Sequence[ScoreRate]
    arms: Sequence[verdict.ArmResult]

    @property
    def rejected(self) -> list[str]:
        """The arms that make other pictures."""
        return [arm.name for arm in self.arms if arm.reasons]


def measure(
    model: Model,
    pipeline: Any,
    jobs: Sequence[Job],
    *,
    suite: MetricSuite,
    batch: int,
    rounds: int,
    without: Sequence[str],
) -> Speed:
    """Compares the arms of a model, all jobs in every round.

    Args:
        pipeline: diffusers' own, with the same weights.
        batch: galleries in a device batch of ours.
        without: names of arms that are left out.
    """
    made_with = provenance(model.device)
    dtype = str(model.dtype).removeprefix("torch.")
    peak = arithmetic_peak(model.device, model.dtype)
    arms = {
        **ladder.diffusers_arms(pipeline, model, LAW, seed=SEED),
        **ladder.our_arms(model, LAW, seed=SEED, batch=batch),
    }
    arms = {name: arm for name, arm in arms.items() if name not in without}
    flops = gallery_flops(model, SIZE)
    judged = jobs[: 2 * batch]
    with _nothing_compiled_before() as folder:
        timings = compare(
            arms, jobs, rounds=rounds, warm_up=batch, folder=folder, device=model.device
        )
        outputs, yardsticks = _pictures(arms, judged, folder)
        results = verdict.results(
            arms,
            timings,
            outputs,
            yardstick=next(iter(yardsticks.values())),
            scored=partial(_scored, suite, tuple(job.prompt for job in judged)),
            flops=flops,
            peak=peak,
        )
        _, images = outputs[ladder.REFERENCE]
        return Speed(
            settings=f"{len(jobs)} galleries of {SIZE} images at {model.image_size} px, "
            f"{model.process.num_steps} steps, guidance {model.guidance:g}; {rounds} rounds.",
            hardware=Hardware(made_with["device"], dtype, torch.get_num_threads(), peak),
            made_with=made_with,
            flops_of_a_gallery=flops,
            yardsticks=yardsticks,
            overhead=overhead.here_and_projected(
                LAW, model.noise_shape, images[0], folder / "overhead"
            ),
            scores=score_rates(images),
            arms=results,
        )


def _scored(suite: MetricSuite, prompts: tuple[str, ...], images: np.ndarray) -> verdict.Scores:
    pictures = torch.from_numpy(images).movedim(-1, 2)
    scores = suite.score(GalleryBatch(images=pictures, prompts=prompts, names=prompts))
    return {metric: values.numpy() for metric, values in scores.items()}


@contextmanager
def _nothing_compiled_before() -> Iterator[Path]:
    """A folder that goes again, with the cache of what is compiled in it."""
    with tempfile.TemporaryDirectory() as scratch:
        cache = {"TORCHINDUCTOR_CACHE_DIR": f"{scratch}/compiled"}
        with patch.dict(os.environ, cache):
            yield Path(scratch)


def _pictures(
    arms: Mapping[str, Arm], jobs: Sequence[Job], folder: Path
) -> tuple[verdict.Outputs, dict[str, Deviation]]:
    """Latents and images of every arm, and how far the yardsticks are from the reference's."""
    outputs = {
        name: (arm.latents(jobs), arm.images(jobs, folder / name)) for name, arm in arms.items()
    }
    reference = arms[ladder.REFERENCE]
    assert isinstance(reference, PlainLoop)
    latents, images = outputs[ladder.REFERENCE]
    yardsticks = {}
    for name, arm in ladder.yardstick_arms(reference).items():
        arm.run(jobs, folder / "other")
        output = arm.latents(jobs), arm.images(jobs, folder / "other")
        yardsticks[name] = deviation(*output, of_latents=latents, of_images=images)
    return outputs, yardsticks
