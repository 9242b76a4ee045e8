"""The same pictures: how far an arm may be from the reference before its speed counts for nothing.

Rounding is the only excuse. The reference arm itself shows what rounding does when nothing but the
shape of its batches changes: its images one at a time, against K at a time. Other kernels round as
often, but elsewhere, so an arm may deviate by SLACK times that, and its images by a grey level. And
the mean of every metric over the galleries must lie in the reference's bootstrap interval.

A network may be so small that the shape of its batches changes no bit. Then there is nothing to
measure by, and the arithmetic of the N steps stands in, whose operations round independently:
sqrt(OPERATIONS N) of the precision's epsilon.

As a scale for the eye, the same is measured for the reference in bfloat16: that is what a user
accepts who turns on half precision. On a float32 model it is thousands of times further away.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

SLACK = 4.0
OPERATIONS = 9  # of a guided step of DDIM: 3 for the prediction, 3 for the estimate, 3 for the next


@dataclass(frozen=True)
class Deviation:
    """From the reference, over all galleries.

    Attributes:
        latents: root mean square of the difference over that of the reference.
        images: root mean square of the difference, in grey levels of 255.
        worst: the largest difference of a value of an image, in grey levels.
    """

    latents: float
    images: float
    worst: int


def deviation(
    latents: Tensor, images: np.ndarray, *, of_latents: Tensor, of_images: np.ndarray
) -> Deviation:
    """How far latents (G, K, C, h, w) and images (G, K, H, W, 3) are from `of_` the reference."""
    reference = of_latents.double()
    apart = latents.double() - reference
    grey = images.astype(int) - of_images.astype(int)
    return Deviation(
        latents=float(apart.square().mean().sqrt() / reference.square().mean().sqrt()),
        images=float(np.sqrt(np.square(grey).mean())),
        worst=int(np.abs(grey).max()),
    )


def bootstrap(values: np.ndarray) -> tuple[float, float]:
    """The 95 % percentile interval of the mean of `values` (G,), resampled."""
    means = np.random.default_rng(0).choice(values, (2000, len(values))).mean(axis=1)
    low, high = np.quantile(means, (0.025, 0.975)).tolist()
    return low, high


def step_rounding(dtype: torch.dtype, *, num_steps: int) -> float:
    """Of latents, relative: what the arithmetic of the steps rounds away."""
    return float(torch.finfo(dtype).eps * (OPERATIONS * num_steps) ** 0.5)


def failures(
    found: Deviation,
    *,
    yardstick: Deviation,
    rounding: float,
    metrics: Mapping[str, np.ndarray],
    of_metrics: Mapping[str, np.ndarray],
) -> list[str]:
    """Why an arm does not make the reference's pictures; empty if it does.

    Args:
        yardstick: what the shape of a batch alone does to the reference.
        rounding: what latents may deviate by if that is nothing; `step_rounding`.
        metrics, of_metrics: a value for each gallery (G,), of the arm and of the reference.
    """
    reasons = []
    allowed = yardstick.latents or rounding
    if not found.latents <= SLACK * allowed:
        reasons.append(f"latents deviate by {found.latents:.1e}, rounding alone by {allowed:.1e}")
    if not found.images <= SLACK * yardstick.images and found.worst > 1:
        reasons.append(
            f"images deviate by {found.images:.1e} grey levels, "
            f"batch shape alone by {yardstick.images:.1e}"
        )
    if found.worst > max(1, yardstick.worst):
        reasons.append(f"a value of an image deviates by {found.worst} grey levels")
    for metric, values in metrics.items():
        low, high = bootstrap(of_metrics[metric])
        if not low <= values.mean() <= high:
            reasons.append(f"{metric} {values.mean():.5f} is outside [{low:.5f}, {high:.5f}]")
    return reasons
