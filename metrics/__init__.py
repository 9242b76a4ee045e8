"""Scores of galleries: pure functions on tensors, frozen feature networks, and what configs name.

`MetricSuite(...).score(GalleryBatch(...))` is the whole interface; the functions in `diversity`,
`alignment` and their neighbours take plain tensors and can be used alone.
"""

from metrics.brightness import contrast as brightness_contrast
from metrics.diversity import pairwise_l2, pairwise_ssim
from metrics.gallery import GalleryBatch, ImageError
from metrics.scorers import (
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
)
from metrics.suite import MetricSuite

__all__ = [
    "BackgroundL2",
    "BackgroundLPIPS",
    "BoundaryTV",
    "BrightnessContrast",
    "BrightnessGap",
    "BrightnessMargin",
    "Brisque",
    "CLIPScore",
    "ForegroundRMSE",
    "GalleryBatch",
    "ImageError",
    "MeanPairwiseSimilarity",
    "MetricSuite",
    "PairwiseL2",
    "PairwiseLPIPS",
    "PickScore",
    "Scorer",
    "Vendi",
    "brightness_contrast",
    "pairwise_l2",
    "pairwise_ssim",
]
