"""What the rounds say: speeds and factors, against the hardware's peak, through the gate."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

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
    device: the processor, in words; threads: that PyTorch uses without lanes.
    peak: FLOP/s of a large matrix product in the model's dtype.
    """

    device: str
    dtype: str
    threads: int
    peak: float


@dataclass(frozen=True)
class Row:
    """One arm.

    Attributes:
        rates: galleries a second: slowest round, median, fastest.
        over_reference: times the faster eager arm of diffusers; over_previous: times the arm above.
        compile: seconds that the first batch took beyond the second, and repaid_after: how many
            galleries make up for them against the arm above; None where nothing is compiled.
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
    *,
    size: int,
    flops: int,
    hardware: Hardware,
    synchronisations: Mapping[str, float | None],
    deviations: Mapping[str, Deviation],
    reasons: Mapping[str, list[str]],
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
                stages=timing.stages,
                synchronisations=synchronisations[name],
                compile=compile_seconds if compiles else None,
                repaid_after=compile_seconds / saved if compiles and saved > 0 else None,
                deviation=deviations[name],
                reasons=reasons[name] if is_ours else [],
            )
        )
        before = timing
    return made


def judge(
    arms: Mapping[str, Arm],
    outputs: Mapping[str, tuple[torch.Tensor, np.ndarray]],
    *,
    alone: tuple[torch.Tensor, np.ndarray],
    suite: MetricSuite,
    prompts: Sequence[str],
) -> tuple[dict[str, Deviation], dict[str, list[str]], Deviation]:
    """Deviations from A, why the gate rejects an arm, and what the batch shape alone does to A.

    Args:
        outputs: latents and images of every arm; `alone`: of A, an image at a time.
    """
    latents, images = outputs[REFERENCE]
    yardstick = deviation(*alone, of_latents=latents, of_images=images)
    found = {
        name: deviation(*output, of_latents=latents, of_images=images)
        for name, output in outputs.items()
    }
    scores = {name: _scores(suite, output[1], prompts) for name, output in outputs.items()}
    reasons = {
        name: failures(
            found[name],
            yardstick=yardstick,
            metrics=scores[name],
            of_metrics=scores[REFERENCE],
        )
        for name in arms
    }
    return found, reasons, yardstick


def _scores(
    suite: MetricSuite, images: np.ndarray, prompts: Sequence[str]
) -> dict[str, np.ndarray]:
    batch = GalleryBatch(
        images=torch.from_numpy(images).movedim(-1, 2),
        prompts=tuple(prompts),
        names=tuple(prompts),
    )
    return {metric: values.numpy() for metric, values in suite.score(batch).items()}


def as_json(table: Sequence[Row], **rest: Any) -> dict[str, Any]:
    """Everything, as JSON values."""
    return {**rest, "arms": [asdict(row) for row in table]}
