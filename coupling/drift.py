"""How far noises have drifted from the law that the model was trained on.

Statistics of a gallery (K, C, h, w), which should be K standard normal noises with correlation R:

    norm         |x_i| / sqrt(D)                                  1 - 1/(4D) for white noise
    mean         of each channel                                  0
    variance     of each channel                                  1
    kurtosis     fourth standardised moment - 3                   0
    spectrum     power in rings of spatial frequency over white   1 in each
    correlation  <x_i, x_j> / D                                   R_ij

Sampling scatters all of them, so they are read over many galleries, against the same noises before
optimisation.
"""

import math
from dataclasses import dataclass
from itertools import combinations

import torch
from torch import Tensor

BANDS = 8
"""Rings of equal width in radial frequency, from 0 to the Nyquist frequency of the axes."""

Matrix = list[list[float]]


@dataclass(frozen=True)
class Drift:
    """The statistics of one gallery of K noises of C channels, as plain numbers.

    norm and kurtosis: K numbers; mean and variance, of channels: K x C; spectrum: BANDS numbers,
    None for a ring without a frequency; correlation, and target, the coupling's: K x K.
    """

    norm: list[float]
    mean: Matrix
    variance: Matrix
    kurtosis: list[float]
    spectrum: list[float | None]
    correlation: Matrix
    target: Matrix

    def scores(self) -> dict[str, float]:
        """One number each, over the gallery: near 1 of norm and variance, near 0 of kurtosis.

        noise_mean, noise_spectrum and noise_correlation are root mean square distances from 0, 1
        and the target; sampling alone makes them positive.
        """
        apart = [
            self.correlation[i][j] - self.target[i][j]
            for i, j in combinations(range(len(self.norm)), 2)
        ]
        return {
            "noise_norm": _mean(self.norm),
            "noise_mean": _rms([m for means in self.mean for m in means]),
            "noise_variance": _mean([v for variances in self.variance for v in variances]),
            "noise_kurtosis": _mean(self.kurtosis),
            "noise_spectrum": _rms([power - 1 for power in self.spectrum if power is not None]),
            "noise_correlation": _rms(apart),
        }


def drift(noise: Tensor, target: Tensor) -> Drift:
    """The statistics of noises (K, C, h, w) whose coupling has correlation `target` (K, K)."""
    x = noise.detach().to("cpu", torch.float64)
    flat, channels = x.flatten(1), x.flatten(2)
    variance, centred = flat.var(1, correction=0), flat - flat.mean(1, keepdim=True)
    return Drift(
        norm=flat.square().mean(1).sqrt().tolist(),
        mean=channels.mean(2).tolist(),
        variance=channels.var(2, correction=0).tolist(),
        kurtosis=(centred.pow(4).mean(1) / variance.square() - 3).tolist(),
        spectrum=_spectrum(x),
        correlation=(flat @ flat.T / flat.shape[1]).tolist(),
        target=target.tolist(),
    )


def _spectrum(x: Tensor) -> list[float | None]:
    """Mean power over rings of frequency of noises (K, C, h, w); white noise has 1."""
    power = torch.fft.fft2(x, norm="ortho").abs().square().mean((0, 1))
    rows, columns = (torch.fft.fftfreq(side, dtype=torch.float64) for side in power.shape)
    ring = (torch.hypot(rows.unsqueeze(1), columns) * 2 * BANDS).long().clamp(max=BANDS - 1)
    powers = [power[ring == band] for band in range(BANDS)]  # corners belong to the last ring
    return [float(found.mean()) if len(found) else None for found in powers]


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _rms(values: list[float]) -> float:
    return math.sqrt(_mean([value**2 for value in values])) if values else 0.0
