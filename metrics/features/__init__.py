"""Frozen networks. Nothing outside this package resizes or normalises an image."""

from metrics.features.brisque import BrisqueFeatures
from metrics.features.clip import CLIPFeatures
from metrics.features.lpips import LPIPSFeatures
from metrics.features.network import BatchFeatures, Network
from metrics.features.sscd import SSCDOnnx, SSCDTorchScript

__all__ = [
    "BatchFeatures",
    "BrisqueFeatures",
    "CLIPFeatures",
    "LPIPSFeatures",
    "Network",
    "SSCDOnnx",
    "SSCDTorchScript",
]
