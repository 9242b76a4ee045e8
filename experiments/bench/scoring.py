"""How fast galleries are scored: all at once, against a package with one after another."""

import sys
from collections.abc import Callable
from functools import partial
from itertools import combinations
from statistics import fmean, median
from timeit import timeit
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd
import piq
import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, mse_loss, normalize
from vendi_score import vendi

from metrics import diversity
from metrics.features import BrisqueFeatures, LPIPSFeatures, brisque

TURNS = 3
FEATURES = 512  # of an image, as CLIP and SSCD have them

Way = Callable[[int], float]
"""The score of one gallery, by its place."""


@torch.inference_mode()
def score_rates(images: np.ndarray) -> pd.DataFrame:
    """The rates of scoring galleries (G, K, H, W, 3) uint8, the two ways taking turns.

    Features of networks are random, for a score does not ask where they come from. `lpips` runs the
    same network in both ways, and `piq` the same support vector machine, which it would fetch.

    Returns:
        By score, the `package` that scores the galleries one at a time, galleries a second of
        `ours` and `theirs`, and how far they are `apart`: their largest difference.

    Raises:
        metrics.weights.WeightsError: weights cannot be had.
    """
    pictures = torch.from_numpy(images).movedim(-1, 2).contiguous()
    count, members = pictures.shape[:2]
    unit, flat = pictures / 255, pictures.flatten(0, 1)
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(count, members, FEATURES, generator=generator)
    svm = BrisqueFeatures(source="brisque_live").svm
    lpips = LPIPSFeatures(source="lpips_alex", net="alex")

    def machine(*_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        vectors = svm.vectors.float().clone()  # which piq transposes in place
        return svm.coefficients.float(), vectors

    def by_pair(of: Tensor, distance: Callable[[Tensor, Tensor], Tensor]) -> Way:
        return lambda gallery: fmean(distance(a, b) for a, b in combinations(of[gallery], 2))

    def vendi_score(gallery: int) -> float:
        x = normalize(features[gallery].double(), dim=-1).numpy()
        return float(vendi.score_K(x @ x.T))

    def piq_brisque(gallery: int) -> float:
        with patch.object(sys.modules["piq.brisque"], "load_url", machine):
            return fmean(piq.brisque(image.unsqueeze(0)) for image in unit[gallery])

    def our_brisque() -> Tensor:
        return brisque.brisque(flat, svm).unflatten(0, (count, members)).mean(-1)

    def our_lpips() -> Tensor:
        return lpips.in_chunks(lpips.pairs, pictures, each=members).mean(-1)

    one_by_one = "torch, a pair at a time"
    l2 = by_pair(unit.double(), mse_loss)
    cosine = by_pair(features.double(), partial(cosine_similarity, dim=0))
    lpips_pairs = by_pair(unit.unsqueeze(2), partial(lpips.model, normalize=True))
    ways: dict[str, tuple[str, Callable[[], Tensor], Way]] = {
        "L2": (one_by_one, lambda: diversity.pairwise_l2(unit), l2),
        "MSS": (one_by_one, lambda: diversity.mean_pairwise_similarity(features), cosine),
        "Vendi": ("vendi-score", lambda: diversity.vendi(features), vendi_score),
        "BRISQUE": ("piq", our_brisque, piq_brisque),
        "LPIPS": ("lpips", our_lpips, lpips_pairs),
    }
    rates = {
        score: {"package": package, **_rate(ours, theirs, count)}
        for score, (package, ours, theirs) in ways.items()
    }
    return pd.DataFrame.from_dict(rates, orient="index")


def _rate(ours: Callable[[], Tensor], theirs: Way, count: int) -> dict[str, float]:
    def one_by_one() -> Tensor:
        return torch.tensor([theirs(gallery) for gallery in range(count)])

    apart = (ours() - one_by_one()).abs().max().item()  # and both are warm
    taken = [(timeit(ours, number=1), timeit(one_by_one, number=1)) for _ in range(TURNS)]
    our_rate, their_rate = (count / median(seconds) for seconds in zip(*taken, strict=True))
    return {"ours": our_rate, "theirs": their_rate, "apart": apart}
