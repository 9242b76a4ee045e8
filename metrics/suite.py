"""The scores of a config, and the networks that they share."""

from collections.abc import Mapping
from dataclasses import asdict
from functools import cached_property

import torch
from torch import Tensor

from metrics.features import Network
from metrics.gallery import GalleryBatch
from metrics.scorers import Scorer


class BatchFeatures:
    """Features of one batch of galleries, each computed at its first use."""

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
        """(G, F); a prompt that occurs twice is encoded once."""
        if (name, prefix) not in self._texts:
            unique = list(dict.fromkeys(self._batch.prompts))
            encoded = self._networks[name].texts([prefix + prompt for prompt in unique])
            rows = [unique.index(prompt) for prompt in self._batch.prompts]
            self._texts[name, prefix] = encoded[rows]
        return self._texts[name, prefix]


class MetricSuite:
    """Named scores over named networks.

    features: networks by name; they load at the first batch that needs them.
    scores: scorers by name, the names that tables know.
    device: "auto" (an accelerator if there is one), "cpu", "cuda" or "mps"; dtype: "float32",
    "float16" or "bfloat16", for the networks that allow it; batch_size: images at a time in a
    network, which changes no score beyond rounding.
    Raises ValueError for a scorer whose network is not among `features`.
    """

    def __init__(
        self,
        *,
        features: Mapping[str, Network],
        scores: Mapping[str, Scorer],
        device: str,
        dtype: str,
        batch_size: int,
    ):
        self.features, self.scores = dict(features), dict(scores)
        place = {"device": _device(device), "dtype": getattr(torch, dtype)}
        for network in self.features.values():
            network.place(**place, batch_size=batch_size)
        for name, scorer in self.scores.items():
            wanted = getattr(scorer, "features", None)
            if wanted is not None and wanted not in self.features:
                raise ValueError(
                    f"score {name} reads features {wanted!r}, but only "
                    f"{', '.join(self.features) or 'none'} are configured"
                )

    @cached_property
    def identities(self) -> dict[str, dict[str, str]]:
        """What made each score: implementation, convention, weights, library, dtype, device class.

        Strings only. Equal identities and equal images mean equal scores. Loads no network.
        """
        networks = {name: network.identity for name, network in self.features.items()}
        return {
            name: {
                "implementation": f"{type(scorer).__module__}.{type(scorer).__qualname__}",
                "convention": scorer.convention,
                **{k: str(v) for k, v in asdict(scorer).items() if k != "features"},
                **networks.get(getattr(scorer, "features", None), _ON_PIXELS),
            }
            for name, scorer in self.scores.items()
        }

    def score(self, batch: GalleryBatch) -> dict[str, Tensor]:
        """Each score of each gallery, (G,) float64 on the CPU, by the score's name."""
        features = BatchFeatures(batch, self.features)
        return {name: scorer(batch, features) for name, scorer in self.scores.items()}


# of a score that reads pixels and no network
_ON_PIXELS = {"library": f"torch {torch.__version__}", "dtype": "float64", "device": "cpu"}


def _device(name: str) -> torch.device:
    if name != "auto":
        return torch.device(name)
    return torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")
