"""BRISQUE (Mittal, Moorthy and Bovik, IEEE TIP 2012), batched: lower is more natural, not clamped.

After the authors' 2011 MATLAB release, whose support vector machine (trained on the LIVE database)
is fetched; MATLAB's own built-in is another model and disagrees by tens of points. For the luma
I = floor((299 R + 587 G + 114 B + 500) / 1000), in integers, so that no device's rounding decides a
tie, and a Gaussian window of 7 x 7 pixels and sigma 7/6 with zeros outside,
  mscn = (I - mu) / (sigma + 1)
Features are those of generalised Gaussians, fitted by moments, to mscn (2 numbers) and to its
products with four neighbours, wrapping around (4 x 4 numbers), at full and at half size.

Why this file and not a package: piq 0.8.0, the permissive one that is batched, misses the reference
by 0.5 to 0.6 points where a side is odd (it halves to the floor; the release to the ceiling) and
takes 25 to 100 ms an image; others clamp, carry another machine or a non-commercial licence.
Two deviations. MATLAB's luma has more digits (.298936 R + .587043 G + .114021 B). And |I - mu|
below 1e-9 counts as zero: in flat areas it is rounding noise, whose sign decides the one-sided
moments of the release, so that there its score hangs on the order of a filter's sums, and ours does
not. Measured once, on the published calibration picture I19, of which 30 % are flat and which is
not ours to ship: 74.43 here, 72.26 by MATLAB.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.linalg import vecdot
from torch.nn.functional import hardshrink, pad

from metrics import weights
from metrics.features.network import Network, as_bytes

LUMA = (299, 587, 114)  # ITU-R BT.601, thousandths
NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (-1, 1))
PIXELS_AT_ONCE = 1 << 18  # so that temporaries stay in the processor's cache


@dataclass(frozen=True)
class SVM:
    """A support vector regression with a Gaussian kernel on features scaled to [-1, 1]."""

    vectors: Tensor
    coefficients: Tensor
    gamma: float
    rho: float
    low: Tensor
    extent: Tensor

    @classmethod
    def load(cls, path: Path) -> "SVM":
        """From an npz with sv, sv_coef, gamma, rho, feat_min and feat_range; no pickle."""
        with np.load(path, allow_pickle=False) as file:
            a = {name: torch.from_numpy(file[name]).double() for name in file}
        gamma, rho = a["gamma"].item(), a["rho"].item()
        return cls(a["sv"], a["sv_coef"], gamma, rho, a["feat_min"], a["feat_range"])

    def __call__(self, features: Tensor) -> Tensor:
        """(N, 36) -> (N,) float64."""
        x = 2 * (features - self.low) / self.extent - 1
        # by matrix products, distances would lose digits and depend on the batch
        distance = torch.cdist(x, self.vectors, compute_mode="donot_use_mm_for_euclid_dist")
        return torch.exp(-self.gamma * distance.square()) @ self.coefficients - self.rho


def brisque(images: Tensor, svm: SVM) -> Tensor:
    """(N, 3, H, W) uint8 -> (N,) float64. Both sides at least 16 pixels."""
    return svm(natural_scene_statistics(images))


def natural_scene_statistics(images: Tensor) -> Tensor:
    """The 36 features: (N, 3, H, W) uint8 -> (N, 36) float64, on the CPU."""
    rows = max(1, PIXELS_AT_ONCE // math.prod(images.shape[-2:]))
    return torch.cat([_both_scales(x) for x in images.cpu().split(rows)])


class BrisqueFeatures(Network):
    """Natural scene statistics, and the machine that scores them: always in float64 on the CPU."""

    library = f"torch {torch.__version__}"

    def place(self, *, device: torch.device, dtype: torch.dtype, batch_size: int) -> None:
        super().place(device=torch.device("cpu"), dtype=torch.float64, batch_size=batch_size)

    @cached_property
    def svm(self) -> SVM:
        return SVM.load(weights.locate(self.source))

    def images(self, images: Tensor) -> Tensor:
        """(N, 3, H, W), uint8 or float in [0, 1] -> (N, 36), float64 on the CPU."""
        return natural_scene_statistics(as_bytes(images))


def _both_scales(images: Tensor) -> Tensor:
    weighted = (weight * images[:, c].int() for c, weight in enumerate(LUMA))
    luma = (sum(weighted, torch.tensor(500)) // 1000).double()
    return torch.cat([_statistics(luma), _statistics(_half(luma))], -1)


def _statistics(luma: Tensor) -> Tensor:
    """(N, H, W) -> (N, 18)"""
    mu = _blur(luma)
    sigma = _blur(luma * luma).addcmul_(mu, mu, value=-1).abs_().sqrt_()
    mscn = hardshrink(luma - mu, 1e-9).div_(sigma.add_(1))
    _, _, magnitude, power = _moments(mscn)
    features = [_shape(magnitude.square() / power), power]
    H, W = mscn.shape[-2:]
    around = pad(mscn.unsqueeze(1), (1, 1, 1, 1), mode="circular").squeeze(1)
    for dy, dx in NEIGHBOURS:
        features += _asymmetric(mscn * around[:, 1 - dy : 1 - dy + H, 1 - dx : 1 - dx + W])
    return torch.stack(features, -1)


def _asymmetric(products: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Shape, mean and both variances of an asymmetric generalised Gaussian."""
    left, right, magnitude, power = _moments(products)
    # of the ratio g = left / right, written so that either may be zero
    skew = (left**3 + right**3) * (left + right) / (left.square() + right.square()).square()
    a = _shape(magnitude.square() / power * skew)
    mean = (right - left) * torch.exp(_ln_gamma(2 / a) - (_ln_gamma(1 / a) + _ln_gamma(3 / a)) / 2)
    return a, mean, left.square(), right.square()


def _moments(x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Root mean squares below and above zero, mean magnitude and mean square, of (N, H, W)."""
    x = x.flatten(1)
    n, size, sign = x.shape[-1], x.abs(), x.sign()
    # of each pair of sums, those above and below zero are half of the sum and of the difference
    power, signed_power = vecdot(x, x), vecdot(x, size)
    count, signed_count = vecdot(sign, sign), sign.sum(-1)
    # where nothing lies on a side, 0 / 1
    left = ((power - signed_power) / (count - signed_count).clamp_min(1)).clamp_min(0).sqrt()
    right = ((power + signed_power) / (count + signed_count).clamp_min(1)).clamp_min(0).sqrt()
    return left, right, size.sum(-1) / n, power / n


_ln_gamma = torch.special.gammaln
_SHAPES = torch.arange(200, 10_001, dtype=torch.float64) / 1000
# (E|x|)^2 / E x^2 of a generalised Gaussian, rising with its shape
_RATIOS = torch.exp(2 * _ln_gamma(2 / _SHAPES) - _ln_gamma(1 / _SHAPES) - _ln_gamma(3 / _SHAPES))


def _shape(ratio: Tensor) -> Tensor:
    """The shape on the release's grid, 0.2 to 10 in steps of 0.001, whose ratio is nearest."""
    above = torch.searchsorted(_RATIOS, ratio.contiguous()).clamp(1, len(_RATIOS) - 1)
    nearer = ratio - _RATIOS[above - 1] < _RATIOS[above] - ratio
    return _SHAPES[torch.where(nearer, above - 1, above)]


def _gaussian() -> list[float]:
    x = torch.arange(-3, 4, dtype=torch.float64)
    g = torch.exp(-x.square() / (2 * (7 / 6) ** 2))
    return (g / g.sum()).tolist()


def _cubic_half() -> list[float]:
    """Keys' cubic stretched to twice its width: the antialiased halving of MATLAB's imresize."""
    x = ((torch.arange(8, dtype=torch.float64) - 3.5) / 2).abs()
    near, far = 1.5 * x**3 - 2.5 * x**2 + 1, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    taps = torch.where(x <= 1, near, far)
    return (taps / taps.sum()).tolist()


_GAUSSIAN, _CUBIC_HALF = _gaussian(), _cubic_half()


def _blur(x: Tensor) -> Tensor:
    x = pad(x, (3, 3, 3, 3))
    return _filter(_filter(x, _GAUSSIAN, dim=-2), _GAUSSIAN, dim=-1)


def _half(x: Tensor) -> Tensor:
    """(N, H, W) at half size, odd sides rounded up; beyond the edge is its mirror image."""
    beyond = [(0, 0), *((3, 3 + side % 2) for side in x.shape[1:])]
    x = torch.from_numpy(np.pad(x.numpy(), beyond, mode="symmetric"))
    for dim in (-2, -1):
        x = _filter(x, _CUBIC_HALF, dim=dim, stride=2)
    return x


def _filter(x: Tensor, taps: list[float], *, dim: int, stride: int = 1) -> Tensor:
    """Correlation along one dimension. Shifted sums are several times as fast as conv2d here."""
    windows = x.unfold(dim, len(taps), stride)
    out = windows[..., 0] * taps[0]
    for k, tap in enumerate(taps[1:], start=1):
        out.add_(windows[..., k], alpha=tap)
    return out
