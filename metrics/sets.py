"""Scores of a set of images as a whole, against a reference set, and how surely they are known.

All work in float64 on features of any network. A set is (N, F), a reference (M, F).

A set score has no value for a single prompt, so its spread is found by a bootstrap over prompts,
without replacement: the score of m of n prompts varies (n - m) / m times as much as that of all n
(the delete-d jackknife; Shao and Wu, Annals of Statistics 1989). Of halves that is 1, and the error
of a mean is s / sqrt(n), as in every textbook. Drawing with replacement would put copies of images
into a set, each other's nearest neighbours at distance zero, and bias whatever reads neighbours or
spectra. Rows are compared on the same halves. What the number of images itself does to a score,
such as the bias of a Frechet distance, is in no interval: rows of equal size have it alike.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize


@dataclass(frozen=True, eq=False)
class Gaussian:
    """Mean (F,) of a set, and its deviations (N, F) over (N - 1)^{1/2}: their Gram matrix (F, F) is
    the covariance.
    """

    mean: Tensor
    deviations: Tensor

    @classmethod
    def of(cls, features: Tensor) -> "Gaussian":
        x = features.double()
        mean = x.mean(0)
        return cls(mean, (x - mean) / math.sqrt(len(x) - 1))

    @cached_property
    def root(self) -> Tensor:
        """R, (F, min(N, F)), of the covariance R R^T, which may be singular."""
        x = self.deviations
        if len(x) <= x.shape[1]:
            return x.T
        eigenvalues, vectors = torch.linalg.eigh(x.T @ x)
        return vectors * eigenvalues.clamp_min(0).sqrt()


def frechet(a: Gaussian, b: Gaussian) -> float:
    """Frechet distance of two Gaussians (Heusel et al., NeurIPS 2017).

    |m_a - m_b|^2 + tr(S_a + S_b - 2 (S_a S_b)^{1/2}); FID on Inception's 2048 features, FD-DINOv2
    on DINOv2's. With S_a = R R^T and deviations D of b, the last trace is the sum of the singular
    values of D R: no covariance is formed, and one that is singular, as with fewer images than
    features, needs no care. The root of `a` is found once.
    """
    product = b.deviations @ a.root
    wide = product.shape[0] < product.shape[1]
    gram = product @ product.T if wide else product.T @ product
    cross = torch.linalg.eigvalsh(gram).clamp_min(0).sqrt().sum()
    shift = (a.mean - b.mean).square().sum()
    return float(shift + a.deviations.square().sum() + b.deviations.square().sum() - 2 * cross)


def kernel_distance(fake: Tensor, real: Tensor, real_alike: float) -> float:
    """KID: the unbiased squared MMD with the kernel (x.y / F + 1)^3 (Binkowski et al., ICLR 2018).

    Of the whole sets at once; the authors average it over subsets, for memory. May be negative.
    real_alike: `alike` of the real ones.
    """
    return alike(fake) + real_alike - 2 * float(_kernel(fake, real).mean())


def alike(features: Tensor) -> float:
    """Mean kernel of two different images of a set."""
    kernel = _kernel(features, features)
    return float((kernel.sum() - kernel.trace()) / (len(kernel) * (len(kernel) - 1)))


def _kernel(a: Tensor, b: Tensor) -> Tensor:
    return (a.double() @ b.double().T / a.shape[-1] + 1) ** 3


def radii(features: Tensor, k: int) -> Tensor:
    """The distance of each of N images to its k-th nearest other one, (N,); k < N."""
    return _distances(features, features).kthvalue(k + 1, dim=-1).values


def _distances(a: Tensor, b: Tensor) -> Tensor:
    return torch.cdist(a.double(), b.double())


def precision(fake: Tensor, real: Tensor, real_radii: Tensor) -> float:
    """Share of the images within the k-th neighbour's reach of a real one (Kynkaanniemi et al.,
    NeurIPS 2019).
    """
    return float((_distances(fake, real) < real_radii).any(1).double().mean())


def density(fake: Tensor, real: Tensor, real_radii: Tensor, *, k: int) -> float:
    """Mean number of real ones that have an image within their reach, over k (Naeem et al., ICML
    2020). May exceed 1.
    """
    return float((_distances(fake, real) < real_radii).double().sum(1).mean() / k)


def recall(fake: Tensor, real: Tensor, *, k: int) -> float:
    """Share of the real ones within the k-th neighbour's reach of an image, as `precision`."""
    return float((_distances(real, fake) < radii(fake, k)).any(1).double().mean())


def coverage(fake: Tensor, real: Tensor, real_radii: Tensor) -> float:
    """Share of the real ones that have an image within their reach (Naeem et al., ICML 2020)."""
    return float((_distances(real, fake).amin(1) < real_radii).double().mean())


def mean_variance(features: Tensor) -> float:
    """How much the mean of a gallery varies between galleries of one prompt.

    features: (P, S, K, F), S galleries of each prompt. Unbiased over S, mean over F and P; nan
    where S = 1. Of independent images it is the variance of an image over K.
    """
    if features.shape[1] < 2:
        return math.nan
    return float(features.double().mean(2).var(1).mean())


def within_share(galleries: Tensor) -> float:
    """Spread within prompts over spread between them: mean 1 - cos of two images of a gallery, over
    that of two images of different prompts.

    galleries: (P, S, K, F), P prompts, S galleries of each. 0: a prompt settles its picture; 1: its
    galleries differ as much as the whole set.
    """
    x = normalize(galleries.double(), dim=-1)
    P, S, K, _ = x.shape

    def squares(dims: tuple[int, ...] | int) -> float:
        return float(x.sum(dims).square().sum())  # sum over the rest of |sum of a group|^2

    N = P * S * K
    within = 1 - (squares(2) - N) / (N * (K - 1))
    between = 1 - (squares((0, 1, 2)) - squares((1, 2))) / (N * (N - S * K))
    return within / between


def halves(n: int, *, count: int, seed: int = 0) -> list[Tensor]:
    """`count` random halves of n things, n // 2 numbers each; the same for the same arguments."""
    rng = np.random.default_rng(seed)
    return [torch.from_numpy(np.sort(rng.permutation(n)[: n // 2])) for _ in range(count)]


def spread(scores: Sequence[float] | np.ndarray, n: int) -> float:
    """Standard error of a score of n things, from its values on random halves of them."""
    m = n // 2
    return math.sqrt(m / (n - m) * float(np.var(scores)))
