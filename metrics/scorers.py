"""The scores that a config names: a metric, its convention and the network whose features it reads.

Each turns a batch of G galleries into G numbers. `features` is the name of a network in the suite,
so that scores which read the same network share its features.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from metrics import alignment, attributes, brightness, diversity, regions
from metrics.features import (
    AttributeFeatures,
    BatchFeatures,
    BrisqueFeatures,
    CLIPFeatures,
    LPIPSFeatures,
    YesOrNo,
)
from metrics.gallery import GalleryBatch


class Scorer(ABC):
    """One score of a gallery.

    convention: what the number means, in a line; version: of that convention as it is computed
    here, raised with whatever changes the number, for no table mixes two; least: how many images a
    gallery must have, two for a score that compares them.
    """

    convention: ClassVar[str]
    version: ClassVar[int] = 1
    least: ClassVar[int] = 1

    @abstractmethod
    def __call__(self, batch: GalleryBatch, features: BatchFeatures) -> Tensor:
        """(G,), float64."""


@dataclass(frozen=True)
class PairwiseL2(Scorer):
    """`diversity.pairwise_l2`"""

    convention = "mean over pairs of the mean squared difference, RGB in [0, 1]"
    least = 2

    def __call__(self, batch: GalleryBatch, features: BatchFeatures) -> Tensor:
        return diversity.pairwise_l2(batch.unit)


@dataclass(frozen=True)
class MeanPairwiseSimilarity(Scorer):
    """`diversity.mean_pairwise_similarity`"""

    features: str
    convention = "mean cosine over pairs, diagonal excluded"
    least = 2

    def __call__(self, batch: GalleryBatch, features: BatchFeatures) -> Tensor:
        return diversity.mean_pairwise_similarity(features.images(self.features))


@dataclass(frozen=True)
class Vendi(Scorer):
    """`diversity.vendi`"""

    features: str
    convention = "order 1, cosine kernel"

    def __call__(self, batch: GalleryBatch, features: BatchFeatures) -> Tensor:
        return diversity.vendi(features.images(self.features))


@dataclass(frozen=True)
class CLIPScore(Scorer):
    """Mean over the gallery of `alignment.clip_score`; texts are `prefix` + prompt."""

    features: str
    prefix: str
    convention = "mean of 2.5 max(cos, 0)"

    def __call__(self, batch: GalleryBatch, features: BatchFeatures) -> Tensor:
        texts = features.texts(self.features, self.prefix)
        return alignment.clip_score(features.images(self.features), texts).mean(-1)


@dataclass(frozen=True)
class PickScore(Scorer):
    """Mean over the gallery of `alignment.pick_score`, with the network's own temperature."""

    features: str
    convention = "mean of exp(logit_scale) cos"

    def __call__(self, batch: GalleryBatch, features: BatchFeatures) -> Tensor:
        texts = features.texts(self.features, prefix="")
        scale = features.network(self.features, CLIPFeatures).logit_scale
        return alignment.pick_score(features.images(self.features), texts, scale).mean(-1)


@dataclass(frozen=True)
class HPS(Scorer):
    """Mean over the gallery of `alignment.hps_score`"""

    features: str
    convention = "mean of cos"

    def __call__(self, batch: GalleryBatch, features: BatchFeatures) -> Tensor:
        texts = features.texts(self.features, prefix="")
        return alignment.hps_score(features.images(self.features), texts).mean(-1)


@dataclass(frozen=True)
class VQAScore(Scorer):
    """Mean over the gallery of `YesOrNo.yes`"""

    features: str
    convention = "mean of P(yes) / (P(yes) + P(no))"

    def __call__(self, batch: GalleryBatch, features: BatchFeatures) -> Tensor:
        network = features.network(self.features, YesOrNo)
        shape = batch.images.shape[:2]
        texts = [prompt for prompt in batch.prompts for _ in range(shape[1])]
        return network.yes(batch.images.flatten(0, 1), texts).view(shape).mean(-1)


@dataclass(frozen=True)
class PairwiseLPIPS(Scorer):
    """Mean over the pairs of a gallery of `LPIPSFeatures.pairs`"""

    features: str
    convention = "mean over pairs, version 0.1"
    least = 2

    def __call__(self, batch: GalleryBatch, features: BatchFeatures) -> Tensor:
        network = features.network(self.features, LPIPSFeatures)
        pairs = network.in_chunks(network.pairs, batch.images, each=batch.images.shape[1])
        return pairs.double().mean(-1)


@dataclass(frozen=True)
class Brisque(Scorer):
    """Mean over the gallery of `features.brisque.brisque`"""

    features: str
    convention = "mean of the authors' 2011 release, not clamped, of the whole image"
    version = 2  # 1 rounded the luma's ties to even

    def __call__(self, batch: GalleryBatch, features: BatchFeatures) -> Tensor:
        statistics = features.images(self.features)
        svm = features.network(self.features, BrisqueFeatures).svm
        return svm(statistics.flatten(0, 1)).unflatten(0, statistics.shape[:2]).mean(-1)


@dataclass(frozen=True)
class BackgroundL2(Scorer):
    """`regions.l2_background`"""

    convention = "mean over pairs of the mean squared difference outside the mask"
    least = 2

    def __call__(self, batch: GalleryBatch, features: BatchFeatures) -> Tensor:
        _, masks = batch.regions
        return regions.l2_background(batch.unit, masks)


@dataclass(frozen=True)
class BackgroundLPIPS(Scorer):
    """`regions.lpips_background`"""

    features: str
    convention = "mean over pairs of the spatial map, version 0.1, outside the mask"
    least = 2

    def __call__(self, batch: GalleryBatch, features: BatchFeatures) -> Tensor:
        _, masks = batch.regions
        network = features.network(self.features, LPIPSFeatures)
        maps = network.in_chunks(network.maps, batch.images, each=batch.images.shape[1])
        return regions.lpips_background(maps, masks)


@dataclass(frozen=True)
class ForegroundRMSE(Scorer):
    """`regions.rmse_foreground`"""

    convention = "mean over images of the root mean squared error inside the mask"

    def __call__(self, batch: GalleryBatch, features: BatchFeatures) -> Tensor:
        return regions.rmse_foreground(batch.unit, *batch.regions)


@dataclass(frozen=True)
class BoundaryTV(Scorer):
    """`regions.boundary_tv`"""

    width: int
    convention = "mean absolute neighbour difference in the mask's dilation minus its erosion"

    def __call__(self, batch: GalleryBatch, features: BatchFeatures) -> Tensor:
        _, masks = batch.regions
        return regions.boundary_tv(batch.unit, masks, width=self.width)


@dataclass(frozen=True)
class BrightnessGap(Scorer):
    """`brightness.gap`"""

    convention = "mean value channel, first half of the gallery against the second, absolute"
    least = 2

    def __call__(self, batch: GalleryBatch, features: BatchFeatures) -> Tensor:
        return brightness.gap(batch.unit)


@dataclass(frozen=True)
class BrightnessContrast(Scorer):
    """`brightness.contrast`"""

    weight: float
    convention = "gap and weighted standard deviations within the halves"
    least = 2

    def __call__(self, batch: GalleryBatch, features: BatchFeatures) -> Tensor:
        return brightness.contrast(batch.unit, weight=self.weight)


@dataclass(frozen=True)
class BrightnessMargin(Scorer):
    """`brightness.margin`"""

    convention = "between the brighter and the darker half of the sorted gallery"
    least = 2

    def __call__(self, batch: GalleryBatch, features: BatchFeatures) -> Tensor:
        return brightness.margin(batch.unit)


@dataclass(frozen=True)
class _OfAttributes(Scorer):
    """A score of every attribute, averaged over those that the prompt leaves open.

    A prompt that leaves none is scored as if it left one with a single value.
    """

    features: str
    closed: ClassVar[float] = 1.0  # the score of an attribute with a single value

    def __call__(self, batch: GalleryBatch, features: BatchFeatures) -> Tensor:
        network = features.network(self.features, AttributeFeatures)
        scores = self._of_each(features.images(self.features), network.sizes)
        is_open = network.is_open(batch.prompts)
        return attributes.over_open(scores, is_open, otherwise=self.closed)

    @abstractmethod
    def _of_each(self, values: Tensor, sizes: list[int]) -> Tensor:
        """(G, K, A) -> (G, A)."""


class AttributeValues(_OfAttributes):
    """`attributes.values_shown`"""

    convention = "mean over attributes that the prompt leaves open of how many values are shown"

    def _of_each(self, values: Tensor, sizes: list[int]) -> Tensor:
        return attributes.values_shown(values)


class AttributeCoverage(_OfAttributes):
    """`attributes.coverage`"""

    convention = "mean over open attributes of values shown, over those that K images could show"

    def _of_each(self, values: Tensor, sizes: list[int]) -> Tensor:
        return attributes.coverage(values, sizes)


class AttributeEntropy(_OfAttributes):
    """`attributes.entropy`"""

    closed = 0.0
    convention = "mean over open attributes of the entropy of the values shown, in bits"

    def _of_each(self, values: Tensor, sizes: list[int]) -> Tensor:
        return attributes.entropy(values)
