"""Where frozen networks come from, and the proof that they are what they claim to be.

A variant is one network with its weights, by one name. It is fetched once per machine from pinned
sources, tried in order, verified every time before it is used, and never replaced by another.
"""

from metrics.weights.file import cache_folder
from metrics.weights.registry import VARIANTS, describe, ensure, locate, variant_of
from metrics.weights.variant import Variant, WeightsError, sha256

__all__ = [
    "VARIANTS",
    "Variant",
    "WeightsError",
    "cache_folder",
    "describe",
    "ensure",
    "locate",
    "sha256",
    "variant_of",
]
