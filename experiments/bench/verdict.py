"""What the rounds say: speeds and factors, against the hardware's peak, through the gate."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np
import torch

from experiments.bench.arms import Arm, PlainLoop
from experiments.bench.compare import Timing
from experiments.bench.gate import Deviation, deviation, failures
from experiments.bench.ladder import FINAL
from metrics import GalleryBatch, MetricSuite

REFERENCE = "A"


@dataclass(frozen=True)
class Hardware:
    """Attributes:
    device: the processor, in words; threads: that PyTorch uses unless it is told otherwise.
    peak: FLOP/s of large matrix products and convolutions in the model's dtype.
    """

    device: str
    dtype: str
    threads: int
    peak: float


@dataclass(frozen=True)
class Verdict:
    """On the pictures of an arm.

    Attributes:
        deviation: from the reference's.
        reasons: why the gate rejects it.
        scoring: seconds that its galleries' scores take, each.
    """

    deviation: Deviation
    reasons: list[str]
    scoring: float


@dataclass(frozen=True)
class Row:
    """One arm.

    Attributes:
        rates: galleries a second: slowest round, median, fastest.
        over_reference: times the faster eager arm of diffusers; over_previous: times the arm above.
        compile: seconds that the first batch took beyond the second, and repaid_after: how many
            galleries make up for them against the arm above; None where nothing is compiled.
        stages: seconds of a gallery; scoring is not part of `rates`.
        synchronisations: of the host with the device in a sampler step; None on a CPU.
        reasons: why the gate rejects it.
    """

    name: str
    label: str
    rates: tuple[float, float, float]
    images: float
    over_reference: float
    over_previous: float | None
    flops: float
    of_peak: float
    memory: float
    stages: Mapping[str, float]
    synchronisations: float | None
    compile: float | None
    repaid_after: float | None
    deviation: Deviation
    reasons: list[str]


def rows(
    arms: Mapping[str, Arm],
    timings: Mapping[str, Timing],
    verdicts: Mapping[str, Verdict],
    *,
    size: int,
    flops: int,
    hardware: Hardware,
    synchronisations: Mapping[str, float | None],
) -> list[Row]:
    """One row an arm, in order.

    Args:
        size: images of a gallery; flops: operations that it takes.
    """
    fastest = max(
        timing.rates[1]
        for name, timing in timings.items()
        if isinstance(arms[name], PlainLoop) and not name.endswith("'")
    )
    made, before = [], None
    for name, timing in timings.items():
        rate, is_ours = timing.rates[1], not isinstance(arms[name], PlainLoop)
        compiles = name in ("A'", FINAL)
        saved = before.per_gallery - timing.per_gallery if before else 0
        compile_seconds = max(0.0, timing.first - timing.later)
        made.append(
            Row(
                name=name,
                label=arms[name].label,
                rates=timing.rates,
                images=rate * size,
                over_reference=rate / fastest,
                over_previous=before.per_gallery / timing.per_gallery if before else None,
                flops=rate * flops,
                of_peak=rate * flops / hardware.peak,
                memory=timing.memory,
                stages={**timing.stages, "score": verdicts[name].scoring},
                synchronisations=synchronisations[name],
                compile=compile_seconds if compiles else None,
                repaid_after=compile_seconds / saved if compiles and saved > 0 else None,
                deviation=verdicts[name].deviation,
                reasons=verdicts[name].reasons if is_ours else [],
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
    batch = GalleryBatch(
        images=torch.from_numpy(images).movedim(-1, 2),
        prompts=tuple(prompts),
        names=tuple(prompts),
    )
    start = perf_counter()
    scores = suite.score(batch)
    return {metric: values.numpy() for metric, values in scores.items()}, perf_counter() - start
