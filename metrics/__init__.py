"""Scores of galleries: pure functions on tensors, frozen feature networks, and what configs name.

`MetricSuite(...).score(GalleryBatch(...))` is the whole interface; the functions in `diversity`,
`alignment` and their neighbours take plain tensors and can be used alone.
"""

import pkgutil
from typing import Any

from metrics.brightness import contrast as brightness_contrast
from metrics.diversity import pairwise_l2, pairwise_ssim
from metrics.gallery import GalleryBatch, ImageError
from metrics.scorers import (
    HPS,
    AttributeCoverage,
    AttributeEntropy,
    AttributeValues,
    BackgroundL2,
    BackgroundLPIPS,
    BoundaryTV,
    BrightnessContrast,
    BrightnessGap,
    BrightnessMargin,
    Brisque,
    CLIPScore,
    ForegroundRMSE,
    MeanPairwiseSimilarity,
    PairwiseL2,
    PairwiseLPIPS,
    PickScore,
    Scorer,
    Vendi,
    VQAScore,
)
from metrics.setscorers import (
    Coverage,
    Density,
    FrechetDistance,
    KernelDistance,
    MeanVariance,
    OpenValues,
    Precision,
    Recall,
    Reference,
    SetRow,
    SetScorer,
    SetVendi,
    WithinShare,
)
from metrics.suite import MetricSuite

__all__ = [
    "HPS",
    "AttributeCoverage",
    "AttributeEntropy",
    "AttributeValues",
    "BackgroundL2",
    "BackgroundLPIPS",
    "BoundaryTV",
    "BrightnessContrast",
    "BrightnessGap",
    "BrightnessMargin",
    "Brisque",
    "CLIPScore",
    "Coverage",
    "Density",
    "ForegroundRMSE",
    "FrechetDistance",
    "GalleryBatch",
    "ImageError",
    "KernelDistance",
    "MeanPairwiseSimilarity",
    "MeanVariance",
    "MetricSuite",
    "OpenValues",
    "PairwiseL2",
    "PairwiseLPIPS",
    "PickScore",
    "Precision",
    "Recall",
    "Reference",
    "Scorer",
    "SetRow",
    "SetScorer",
    "SetVendi",
    "VQAScore",
    "Vendi",
    "WithinShare",
    "brightness_contrast",
    "pairwise_l2",
    "pairwise_ssim",
]


def __getattr__(name: str) -> Any:
    """`score`, which reads files and configurations: it is named here, and lies with those."""
    if name == "score":
        return pkgutil.resolve_name("experiments.calls:score")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
