"""Scores of galleries: pure functions on tensors, frozen feature networks, and what configs name.

`MetricSuite(...).score(GalleryBatch(...))` is the whole interface; the functions in `diversity`,
`alignment` and their neighbours take plain tensors and can be used alone.
"""

from metrics.gallery import GalleryBatch, ImageError
from metrics.suite import MetricSuite

__all__ = ["GalleryBatch", "ImageError", "MetricSuite"]
