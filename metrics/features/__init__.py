"""Frozen networks. Nothing outside this package resizes or normalises an image."""

from metrics.features.attributes import AttributeFeatures, ReadAttributes, ZeroShotAttributes
from metrics.features.brisque import BrisqueFeatures
from metrics.features.clip import CLIPFeatures
from metrics.features.dinov2 import DINOv2Features
from metrics.features.inception import InceptionFeatures
from metrics.features.lpips import LPIPSFeatures
from metrics.features.network import BatchFeatures, Network
from metrics.features.openclip import OpenCLIPFeatures
from metrics.features.pixels import Pixels
from metrics.features.sscd import SSCDOnnx, SSCDTorchScript
from metrics.features.vqa import YesOrNo

__all__ = [
    "AttributeFeatures",
    "BatchFeatures",
    "BrisqueFeatures",
    "CLIPFeatures",
    "DINOv2Features",
    "InceptionFeatures",
    "LPIPSFeatures",
    "Network",
    "OpenCLIPFeatures",
    "Pixels",
    "ReadAttributes",
    "SSCDOnnx",
    "SSCDTorchScript",
    "YesOrNo",
    "ZeroShotAttributes",
]
