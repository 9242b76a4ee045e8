"""How fast galleries are scored: all at once, against a package with one after another."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median
from time import perf_counter
from unittest.mock import patch

import numpy as np
import piq
import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, mse_loss, normalize
from vendi_score import vendi

from metrics import diversity
from metrics.features import BrisqueFeatures, LPIPSFeatures, brisque

TURNS = 3
FEATURES = 512  # of an image, as CLIP and SSCD have them


@dataclass(frozen=True)
class ScoreRate:
    """One score.

    Attributes:
        package: what scores the galleries one at a time.
        ours, theirs: galleries a second.
        apart: the largest difference between both over the galleries.
    """

    score: str
    package: str
    ours: float
    theirs: float
    apart: float


@dataclass(frozen=True)
class Contest:
    """Both ways to a score: `ours` of all galleries, `theirs` of the gallery of that number."""

    score: str
    package: str
    ours: Callable[[], Tensor]
    theirs: Callable[[int], float]


def score_rates(images: np.ndarray) -> list[ScoreRate]:
    """The rates of scoring galleries (G, K, H, W, 3) uint8, the two ways taking turns.

    Features of networks are random, for a score does not ask where they come from. `lpips` runs the
    same network in both ways, and `piq` the same support vector machine, which it would fetch.

    Raises:
        metrics.weights.WeightsError: weights cannot be had.
    """
    pictures = torch.from_numpy(images).movedim(-1, 2).contiguous()
    with torch.inference_mode():
        return [_rate(contest, len(pictures)) for contest in _contests(pictures)]


def _contests(pictures: Tensor) -> Sequence[Contest]:
    unit, flat = pictures / 255, pictures.flatten(0, 1)
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(*pictures.shape[:2], FEATURES, generator=generator)
    svm = BrisqueFeatures(source="brisque_live").svm
    lpips = LPIPSFeatures(source="lpips_alex", net="alex")

    def machine(*_, **__) -> tuple[Tensor, Tensor]:
        vectors = svm.vectors.float().clone()  # which piq transposes in place
        return svm.coefficients.float(), vectors

    def vendi_score(gallery: int) -> float:
        x = normalize(features[gallery].double(), dim=-1).numpy()
        return float(vendi.score_K(x @ x.T))

    def piq_brisque(gallery: int) -> float:
        with patch.object(sys.modules["piq.brisque"], "load_url", machine):
            return _mean(piq.brisque(image.unsqueeze(0)) for image in unit[gallery])

    return (
        Contest(
            "L2",
            "torch, a pair at a time",
            lambda: diversity.pairwise_l2(unit),
            lambda g: _mean(mse_loss(a, b) for a, b in combinations(unit[g].double(), 2)),
        ),
        Contest(
            "MSS",
            "torch, a pair at a time",
            lambda: diversity.mean_pairwise_similarity(features),
            lambda g: _mean(
                cosine_similarity(a, b, 0) for a, b in combinations(features[g].double(), 2)
            ),
        ),
        Contest("Vendi", "vendi-score", lambda: diversity.vendi(features), vendi_score),
        Contest(
            "BRISQUE",
            "piq",
            lambda: brisque.brisque(flat, svm).unflatten(0, pictures.shape[:2]).mean(-1),
            piq_brisque,
        ),
        Contest(
            "LPIPS",
            "lpips",
            lambda: lpips.in_chunks(lpips.pairs, pictures, each=pictures.shape[1]).mean(-1),
            lambda g: _mean(
                lpips.model(a.unsqueeze(0), b.unsqueeze(0), normalize=True)
                for a, b in combinations(unit[g], 2)
            ),
        ),
    )


def _rate(contest: Contest, count: int) -> ScoreRate:
    def one_by_one() -> Tensor:
        return torch.tensor([contest.theirs(gallery) for gallery in range(count)])

    apart = (contest.ours() - one_by_one()).abs().max().item()  # and both are warm
    ours, theirs = zip(
        *((_seconds(contest.ours), _seconds(one_by_one)) for _ in range(TURNS)), strict=True
    )
    return ScoreRate(
        contest.score, contest.package, count / median(ours), count / median(theirs), apart
    )


def _seconds(work: Callable[[], object]) -> float:
    start = perf_counter()
    work()
    return perf_counter() - start


def _mean(values) -> float:
    return float(np.mean([float(value) for value in values]))
