"""The scores that a config names: a metric, its convention and the network whose features it reads.

Each turns a batch of G galleries into G numbers. `features` is the name of a network in the suite,
so that scores which read the same network share its features.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Protocol

from torch import Tensor

from metrics import alignment, diversity
from metrics.features import Network
from metrics.gallery import GalleryBatch


class Features(Protocol):
    """The features of one batch, computed at most once, by the name of their network."""

    def images(self, name: str) -> Tensor:
        """(G, K, F)"""

    def texts(self, name: str, prefix: str) -> Tensor:
        """(G, F) of the prompts, each with `prefix` before it."""

    def network(self, name: str) -> Network: ...


class Scorer(ABC):
    """One score of a gallery. `convention` says in a line what the number means."""

    convention: ClassVar[str]

    @abstractmethod
    def __call__(self, batch: GalleryBatch, features: Features) -> Tensor:
        """(G,), float64."""


@dataclass(frozen=True)
class PairwiseL2(Scorer):
    """`diversity.pairwise_l2`"""

    convention = "mean over pairs of the mean squared difference, RGB in [0, 1]"

    def __call__(self, batch: GalleryBatch, features: Features) -> Tensor:
        return diversity.pairwise_l2(batch.unit)


@dataclass(frozen=True)
class MeanPairwiseSimilarity(Scorer):
    """`diversity.mean_pairwise_similarity`"""

    features: str
    convention = "mean cosine over pairs, diagonal excluded"

    def __call__(self, batch: GalleryBatch, features: Features) -> Tensor:
        return diversity.mean_pairwise_similarity(features.images(self.features))


@dataclass(frozen=True)
class Vendi(Scorer):
    """`diversity.vendi`"""

    features: str
    convention = "order 1, cosine kernel"

    def __call__(self, batch: GalleryBatch, features: Features) -> Tensor:
        return diversity.vendi(features.images(self.features))


@dataclass(frozen=True)
class CLIPScore(Scorer):
    """Mean over the gallery of `alignment.clip_score`; texts are `prefix` + prompt."""

    features: str
    prefix: str
    convention = "mean of 2.5 max(cos, 0)"

    def __call__(self, batch: GalleryBatch, features: Features) -> Tensor:
        texts = features.texts(self.features, self.prefix).unsqueeze(1)
        return alignment.clip_score(features.images(self.features), texts).mean(-1)


@dataclass(frozen=True)
class CLIPPercent(Scorer):
    """Mean over the gallery of `alignment.clip_percent`; texts are `prefix` + prompt."""

    features: str
    prefix: str
    convention = "mean of 100 cos"

    def __call__(self, batch: GalleryBatch, features: Features) -> Tensor:
        texts = features.texts(self.features, self.prefix).unsqueeze(1)
        return alignment.clip_percent(features.images(self.features), texts).mean(-1)
