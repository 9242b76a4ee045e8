"""The features of one batch of galleries, shared by the scores that read the same network."""

from collections.abc import Mapping

from torch import Tensor

from metrics.features.network import Network
from metrics.gallery import GalleryBatch


class BatchFeatures:
    """Features by the name of their network, each computed at its first use."""

    def __init__(self, batch: GalleryBatch, networks: Mapping[str, Network]):
        self._batch, self._networks = batch, networks
        self._images: dict[str, Tensor] = {}
        self._texts: dict[tuple[str, str], Tensor] = {}

    def network(self, name: str) -> Network:
        return self._networks[name]

    def images(self, name: str) -> Tensor:
        """(G, K, F)"""
        if name not in self._images:
            images = self._batch.images
            flat = self._networks[name].images(images.flatten(0, 1))
            self._images[name] = flat.unflatten(0, images.shape[:2])
        return self._images[name]

    def texts(self, name: str, prefix: str) -> Tensor:
        """(G, F) of the prompts, each after `prefix`; one that occurs twice is encoded once."""
        if (name, prefix) not in self._texts:
            unique = list(dict.fromkeys(self._batch.prompts))
            encoded = self._networks[name].texts([prefix + prompt for prompt in unique])
            rows = [unique.index(prompt) for prompt in self._batch.prompts]
            self._texts[name, prefix] = encoded[rows]
        return self._texts[name, prefix]
