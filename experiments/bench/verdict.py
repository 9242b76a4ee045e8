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
    hardware: Hardware,
) -> list[ArmResult]:
    """What was measured of every arm, in order; `flops` are the operations that a gallery takes."""
    fastest = max(
        timing.rates[1]
        for name, timing in timings.items()
        if not arms[name].is_ours and not arms[name].compiled
    )
    made: list[ArmResult] = []
    before: Timing | None = None
    for name, timing in timings.items():
        arm, verdict, rate = arms[name], verdicts[name], timing.rates[1]
        saved = before.per_gallery - timing.per_gallery if before else 0.0
        compile_seconds = max(0.0, timing.first - timing.later)
        made.append(
            ArmResult(
                name=name,
                label=arm.label,
                is_ours=arm.is_ours,
                rates=timing.rates,
                images=rate * arm.coupling.size,
                over_reference=rate / fastest,
                over_previous=before.per_gallery / timing.per_gallery if before else None,
                flops=rate * flops,
                of_peak=rate * flops / hardware.peak,
                memory=timing.memory,
                stages={**timing.stages, "score": verdict.scoring},
                compile=compile_seconds if arm.compiled else None,
                repaid_after=compile_seconds / saved if arm.compiled and saved > 0 else None,
                deviation=verdict.deviation,
                reasons=verdict.reasons if arm.is_ours else [],
            )
        )
        before = timing
    return made


def judge(
    outputs: Mapping[str, tuple[torch.Tensor, np.ndarray]],
    *,
    yardstick: Deviation,
    suite: MetricSuite,
    prompts: Sequence[str],
) -> dict[str, Verdict]:
    """What the gate says to the latents and images of every arm.

    Args:
        yardstick: what the shape of a batch alone does to the reference's.
    """
    latents, images = outputs[REFERENCE]
    reference, _ = _scores(suite, images, prompts)  # and the networks are warm
    verdicts = {}
    for name, output in outputs.items():
        found = deviation(*output, of_latents=latents, of_images=images)
        scores, seconds = _scores(suite, output[1], prompts)
        reasons = failures(found, yardstick=yardstick, metrics=scores, of_metrics=reference)
        verdicts[name] = Verdict(found, reasons, seconds / len(prompts))
    return verdicts


def _scores(
    suite: MetricSuite, images: np.ndarray, prompts: Sequence[str]
) -> tuple[dict[str, np.ndarray], float]:
    """The scores of the galleries, and the seconds that they took."""
    pictures, names = torch.from_numpy(images).movedim(-1, 2), tuple(prompts)
    start = perf_counter()
    scores = suite.score(GalleryBatch(images=pictures, prompts=names, names=names))
    return {metric: values.numpy() for metric, values in scores.items()}, perf_counter() - start
