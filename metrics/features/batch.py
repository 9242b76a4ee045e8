"""The features of one batch of galleries, shared by the scores that read the same network."""

from collections.abc import Mapping
from typing import TypeVar

from torch import Tensor

from metrics.features.network import Network
from metrics.gallery import GalleryBatch

N = TypeVar("N", bound=Network)


class BatchFeatures:
    """Features by the name of their network, each computed at its first use."""

    def __init__(self, batch: GalleryBatch, networks: Mapping[str, Network]):
        self._batch, self._networks = batch, networks
        self._images: dict[str, Tensor] = {}
        self._texts: dict[tuple[str, str], Tensor] = {}

    def network(self, name: str, kind: type[N]) -> N:
        """The network of this name. Raises ValueError if it is not of the class `kind`."""
        network = self._networks[name]
        if not isinstance(network, kind):
            found = type(network).__name__
            raise ValueError(f"features {name} are {found}; this score reads {kind.__name__}")
        return network

    def images(self, name: str) -> Tensor:
        """Features of the images, (G, K, F)."""
        if name not in self._images:
            images = self._batch.images
            flat = self._networks[name].images(images.flatten(0, 1))
            self._images[name] = flat.unflatten(0, images.shape[:2])
        return self._images[name]

    def texts(self, name: str, prefix: str) -> Tensor:
        """Features of the prompts, each after `prefix`, (G, 1, F); equal ones are encoded once."""
        if (name, prefix) not in self._texts:
            unique = list(dict.fromkeys(self._batch.prompts))
            encoded = self._networks[name].texts([prefix + prompt for prompt in unique])
            rows = [unique.index(prompt) for prompt in self._batch.prompts]
            self._texts[name, prefix] = encoded[rows].unsqueeze(1)
        return self._texts[name, prefix]
