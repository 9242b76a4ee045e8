"""Frozen networks. Nothing outside this package resizes or normalises an image."""

from metrics.features.clip import CLIPFeatures
from metrics.features.network import Network

__all__ = ["CLIPFeatures", "Network"]
