"""What the rounds say: speeds and factors, against the hardware's peak, through the gate."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import perf_counter

import numpy as np
import torch

from experiments.bench.arms import Arm
from experiments.bench.compare import Timing
from experiments.bench.gate import Deviation, deviation, failures
from experiments.bench.ladder import REFERENCE

Outputs = Mapping[str, tuple[torch.Tensor, np.ndarray]]
"""Latents and images of every arm."""

Scores = Mapping[str, np.ndarray]
"""Values of each metric, one a gallery, (G,)."""


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
    outputs: Outputs,
    *,
    yardstick: Deviation,
    scored: Callable[[np.ndarray], Scores],
    flops: int,
    peak: float,
) -> list[ArmResult]:
    """What was measured of every arm, in order, and what the gate says of its pictures.

    Args:
        yardstick: what the shape of a batch alone does to the reference's.
        scored: images (G, K, H, W, 3) -> the scores of each gallery.
        flops: operations that a gallery takes; peak: those a second that the hardware can do.
    """
    eager = [name for name, arm in arms.items() if not arm.is_ours and not arm.compiled]
    fastest = max(timings[name].rates[1] for name in eager)
    latents, images = outputs[REFERENCE]
    reference = scored(images)  # and the networks are warm
    above: Timing | None = None
    made = []
    for name, arm in arms.items():
        timing, rate = timings[name], timings[name].rates[1]
        saved = above.per_gallery - timing.per_gallery if above else 0.0
        found = deviation(*outputs[name], of_latents=latents, of_images=images)
        start = perf_counter()
        scores = scored(outputs[name][1])
        scoring = (perf_counter() - start) / len(images)
        reasons = failures(found, yardstick=yardstick, metrics=scores, of_metrics=reference)
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
                stages={**timing.stages, "score": scoring},
                compile=timing.compiling if arm.compiled else None,
                repaid_after=timing.compiling / saved if arm.compiled and saved > 0 else None,
                deviation=found,
                reasons=reasons if arm.is_ours else [],
            )
        )
        above = timing
    return made
