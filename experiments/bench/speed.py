"""The whole comparison of a model: its arms in turns, their pictures judged."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd
import torch

import coupling
from experiments.bench import compare, ladder
from experiments.bench.arms import Arm
from experiments.bench.gate import deviation, failures, step_rounding
from experiments.bench.overhead import overhead
from experiments.bench.probes import arithmetic_peak, gallery_flops
from experiments.bench.scoring import score_rates
from experiments.models.model import Model
from experiments.tasks.job import Job
from experiments.workers.provenance import provenance
from metrics import GalleryBatch, MetricSuite

SIZE = 3
SEED = 0
LAW = coupling.repulsive(SIZE)
CACHE = "TORCHINDUCTOR_CACHE_DIR"  # an empty one: nothing has been compiled before


@dataclass(frozen=True)
class Speed:
    """What was measured of a model.

    Attributes:
        settings: in words.
        made_with: the libraries and the device.
        threads: that PyTorch uses unless it is told otherwise.
        peak: FLOP/s of large matrix products and convolutions in the model's dtype.
        flops_of_a_gallery: operations that it takes.
        arms, stages: see `compare`; scoring is a stage, and no part of the rates.
        pictures: the `gate.Deviation` of each yardstick and arm, and what the gate says: "equal" or
            why it rejects it.
        overhead, scores: see the functions that measure them.
    """

    settings: str
    made_with: Mapping[str, str | None]
    dtype: str
    threads: int
    peak: float
    flops_of_a_gallery: int
    arms: pd.DataFrame
    stages: pd.DataFrame
    pictures: pd.DataFrame
    overhead: pd.DataFrame
    scores: pd.DataFrame

    @property
    def rejected(self) -> list[str]:
        """The arms that make other pictures."""
        gate = self.pictures["gate"].loc[self.arms.index]
        return list(gate.index[gate != "equal"])


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
    peak, flops = arithmetic_peak(model.device, model.dtype), gallery_flops(model, SIZE)
    theirs = ladder.diffusers_arms(pipeline, model, LAW, seed=SEED)
    ours = ladder.our_arms(model, LAW, seed=SEED, batch=batch)
    arms = {name: arm for name, arm in {**theirs, **ours}.items() if name not in without}
    yardsticks = ladder.yardstick_arms(theirs[ladder.REFERENCE])
    judged = jobs[: 2 * batch]
    with TemporaryDirectory() as scratch, patch.dict(os.environ, {CACHE: f"{scratch}/compiled"}):
        folder = Path(scratch)
        taken, compiling = compare.compare(
            arms, jobs, rounds=rounds, warm_up=batch, folder=folder, device=model.device
        )
        for name, arm in yardsticks.items():
            arm.run(judged, folder / name)
        made = {**yardsticks, **arms}.items()
        images = {name: arm.images(judged, folder / name) for name, arm in made}
        scores, seconds = _scored(images, suite, prompts=tuple(job.prompt for job in judged))
        return Speed(
            settings=f"{len(jobs)} galleries of {SIZE} images at {model.image_size} px, "
            f"{model.process.num_steps} steps, guidance {model.guidance:g}; {rounds} rounds.",
            made_with=provenance(model.device),
            dtype=str(model.dtype).removeprefix("torch."),
            threads=torch.get_num_threads(),
            peak=peak,
            flops_of_a_gallery=flops,
            arms=compare.speeds(arms, taken, compiling, flops=flops, peak=peak),
            stages=compare.stages(taken).assign(score=seconds),
            pictures=_pictures(
                arms,
                yardsticks,
                images,
                scores,
                judged,
                rounding=step_rounding(model.dtype, num_steps=model.process.num_steps),
            ),
            overhead=overhead(LAW, model.noise_shape, images[ladder.REFERENCE][0], folder),
            scores=score_rates(images[ladder.REFERENCE]),
        )


def _scored(
    images: Mapping[str, np.ndarray], suite: MetricSuite, *, prompts: tuple[str, ...]
) -> tuple[dict[str, dict[str, np.ndarray]], dict[str, float]]:
    """By arm, the values of each metric (G,) of images (G, K, H, W, 3), and seconds a gallery."""
    scores, seconds = {}, {}
    for name in [ladder.REFERENCE, *images]:  # twice: the second time the networks are warm
        start = perf_counter()
        pictures = torch.from_numpy(images[name]).movedim(-1, 2)
        found = suite.score(GalleryBatch(images=pictures, prompts=prompts, names=prompts))
        seconds[name] = (perf_counter() - start) / len(prompts)
        scores[name] = {metric: values.numpy() for metric, values in found.items()}
    return scores, seconds


def _pictures(
    arms: Mapping[str, Arm],
    yardsticks: Mapping[str, Arm],
    images: Mapping[str, np.ndarray],
    scores: Mapping[str, Mapping[str, np.ndarray]],
    jobs: Sequence[Job],
    *,
    rounding: float,
) -> pd.DataFrame:
    """How far the yardsticks and the arms are from the reference; the gate judges arms of ours."""
    reference = ladder.REFERENCE
    latents = arms[reference].latents(jobs)
    found = {
        name: deviation(
            arm.latents(jobs), images[name], of_latents=latents, of_images=images[reference]
        )
        for name, arm in {**yardsticks, **arms}.items()
    }
    yardstick, of_metrics = found[next(iter(yardsticks))], scores[reference]
    gate = dict.fromkeys(yardsticks, "") | dict.fromkeys(arms, "equal")
    for name, arm in arms.items():
        why = failures(
            found[name],
            yardstick=yardstick,
            rounding=rounding,
            metrics=scores[name],
            of_metrics=of_metrics,
        )
        if arm.is_ours and why:
            gate[name] = "; ".join(why)
    return pd.DataFrame(map(vars, found.values()), index=list(found)).assign(gate=gate.values())
