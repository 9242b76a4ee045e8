"""What the rounds say: speeds and factors, against the hardware's peak, through the gate."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np
import torch

from experiments.bench.arms import Arm
from experiments.bench.compare import Timing
from experiments.bench.gate import Deviation, deviation, failures
from experiments.bench.ladder import REFERENCE
from metrics import GalleryBatch, MetricSuite

Outputs = Mapping[str, tuple[torch.Tensor, np.ndarray]]
"""Latents and images of every arm."""


@dataclass(frozen=True)
class Verdict:
    """What the gate says of the pictures of an arm.

    Attributes:
        deviation: from the reference's.
        reasons: why the gate rejects them.
        scoring: seconds that the scores of a gallery take.
    """

    deviation: Deviation
    reasons: list[str]
    scoring: float


@dataclass(frozen=True)
class ArmResult:
    """What was measured of one arm.

    Attributes:
        rates: galleries a second: slowest round, median, fastest.
        over_reference: times the faster eager arm of diffusers; over_previous: times the arm above.
        flops: operations a second, and of_peak: their share of the hardware's peak.
        compile: seconds that the first batch took beyond the second, and repaid_after: how many
            galleries make up for them against the arm above; None where nothing is compiled.
        stages: seconds of a gallery; scoring is not part of `rates`.
        reasons: why the gate rejects it.
    """

    name: str
    label: str
    is_ours: bool
    rates: tuple[float, float, float]
    images: float
    over_reference: float
    over_previous: float | None
    flops: float
    of_peak: float
    memory: float
    stages: Mapping[str, float]
    compile: float | None
    repaid_after: float | None
    deviation: Deviation
    reasons: list[str]


def results(
    arms: Mapping[str, Arm],
    timings: Mapping[str, Timing],
    verdicts: Mapping[str, Verdict],
    *,
    flops: int,
    peak: float,
) -> list[ArmResult]:
    """What was measured of every arm, in order.

    Args:
        flops: operations that a gallery takes; peak: those a second that the hardware can do.
    """
    eager = [name for name, arm in arms.items() if not arm.is_ours and not arm.compiled]
    fastest = max(timings[name].rates[1] for name in eager)
    previous = dict(zip(list(arms)[1:], timings.values(), strict=False))
    made = []
    for name, arm in arms.items():
        timing, verdict, above = timings[name], verdicts[name], previous.get(name)
        rate = timing.rates[1]
        saved = above.per_gallery - timing.per_gallery if above else 0.0
        made.append(
            ArmResult(
                name=name,
                label=arm.label,
                is_ours=arm.is_ours,
                rates=timing.rates,
                images=rate * arm.coupling.size,
                over_reference=rate / fastest,
                over_previous=above.per_gallery / timing.per_gallery if above else None,
                flops=rate * flops,
                of_peak=rate * flops / peak,
                memory=timing.memory,
                stages={**timing.stages, "score": verdict.scoring},
                compile=timing.compiling if arm.compiled else None,
                repaid_after=timing.compiling / saved if arm.compiled and saved > 0 else None,
                deviation=verdict.deviation,
                reasons=verdict.reasons if arm.is_ours else [],
            )
        )
    return made


def judge(
    outputs: Outputs, *, yardstick: Deviation, suite: MetricSuite, prompts: Sequence[str]
) -> dict[str, Verdict]:
    """What the gate says to the outputs of every arm.

    Args:
        yardstick: what the shape of a batch alone does to the reference's.
    """

    def scored(images: np.ndarray) -> tuple[dict[str, np.ndarray], float]:
        pictures, names = torch.from_numpy(images).movedim(-1, 2), tuple(prompts)
        start = perf_counter()
        scores = suite.score(GalleryBatch(images=pictures, prompts=names, names=names))
        taken = perf_counter() - start
        return {metric: values.numpy() for metric, values in scores.items()}, taken

    latents, images = outputs[REFERENCE]
    reference, _ = scored(images)  # and the networks are warm
    verdicts = {}
    for name, output in outputs.items():
        found = deviation(*output, of_latents=latents, of_images=images)
        scores, seconds = scored(output[1])
        reasons = failures(found, yardstick=yardstick, metrics=scores, of_metrics=reference)
        verdicts[name] = Verdict(found, reasons, seconds / len(prompts))
    return verdicts
