"""The set scores that a config names: one number for a whole table row, from features of a network.

Beside `scorers`, whose scores are of single galleries.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import ClassVar

from torch import Tensor

from metrics import attributes, diversity, sets
from metrics.features import AttributeFeatures, Network


@dataclass(frozen=True, eq=False)
class Reference:
    """Features of the images that a row is held against, (M, F); what scores derive is kept."""

    features: Tensor

    @cached_property
    def gaussian(self) -> sets.Gaussian:
        return sets.Gaussian.of(self.features)

    @cached_property
    def alike(self) -> float:
        return sets.alike(self.features)

    def radii(self, k: int) -> Tensor:
        return _radii(self, k)


_radii = cache(lambda reference, k: sets.radii(reference.features, k))


@dataclass(frozen=True, eq=False)
class SetRow:
    """A table row: features of all its galleries, (P, S, K, F) for P prompts with S galleries each,
    and the network that made them.
    """

    features: Tensor
    prompts: Sequence[str]
    network: Network

    @property
    def images(self) -> Tensor:
        """All images as one set, (P S K, F)."""
        return self.features.flatten(0, 2)

    def at(self, numbers: Tensor) -> "SetRow":
        """The row of these prompts alone."""
        chosen = [self.prompts[number] for number in numbers.tolist()]
        return SetRow(self.features[numbers], chosen, self.network)


@dataclass(frozen=True)
class SetScorer(ABC):
    """One score of a table row.

    features: the name of a network in the suite. convention and version: as of a `Scorer`; better:
    higher, lower or neutral; reference: whether it reads one; least: images of a gallery.
    """

    features: str
    convention: ClassVar[str]
    better: ClassVar[str]
    version: ClassVar[int] = 1
    reference: ClassVar[bool] = True
    least: ClassVar[int] = 1

    @abstractmethod
    def __call__(self, row: SetRow, reference: Reference) -> float: ...


class FrechetDistance(SetScorer):
    """`sets.frechet`"""

    convention = "Frechet distance of Gaussians, covariances with n - 1"
    better = "lower"

    def __call__(self, row: SetRow, reference: Reference) -> float:
        return sets.frechet(reference.gaussian, sets.Gaussian.of(row.images))


class KernelDistance(SetScorer):
    """`sets.kernel_distance`"""

    convention = "unbiased squared MMD, cubic kernel, of the whole sets"
    better = "lower"

    def __call__(self, row: SetRow, reference: Reference) -> float:
        return sets.kernel_distance(row.images, reference.features, reference.alike)


@dataclass(frozen=True)
class NearestNeighbours(SetScorer):
    """Within reach is what is no further than the k-th of `neighbours`."""

    neighbours: int
    better = "higher"


class Precision(NearestNeighbours):
    """`sets.precision`"""

    convention = "share of images within reach of a reference image"

    def __call__(self, row: SetRow, reference: Reference) -> float:
        return sets.precision(row.images, reference.features, reference.radii(self.neighbours))


class Recall(NearestNeighbours):
    """`sets.recall`"""

    convention = "share of reference images within reach of an image"

    def __call__(self, row: SetRow, reference: Reference) -> float:
        return sets.recall(row.images, reference.features, k=self.neighbours)


class Density(NearestNeighbours):
    """`sets.density`"""

    convention = "mean number of reference images within whose reach an image is, over k"

    def __call__(self, row: SetRow, reference: Reference) -> float:
        radii = reference.radii(self.neighbours)
        return sets.density(row.images, reference.features, radii, k=self.neighbours)


class Coverage(NearestNeighbours):
    """`sets.coverage`"""

    convention = "share of reference images with an image within reach"

    def __call__(self, row: SetRow, reference: Reference) -> float:
        return sets.coverage(row.images, reference.features, reference.radii(self.neighbours))


class SetVendi(SetScorer):
    """`diversity.vendi`"""

    convention = "order 1, cosine kernel, over all galleries"
    better = "higher"
    reference = False

    def __call__(self, row: SetRow, reference: Reference) -> float:
        return float(diversity.vendi(row.images))


class WithinShare(SetScorer):
    """`sets.within_share`"""

    convention = "mean 1 - cos within galleries over that between prompts"
    better = "higher"
    reference = False
    least = 2

    def __call__(self, row: SetRow, reference: Reference) -> float:
        return sets.within_share(row.features)


class MeanVariance(SetScorer):
    """`sets.mean_variance`, of prompts with several seeds; of one it is no number."""

    convention = "variance over seeds of the mean of a gallery, mean over features and prompts"
    better = "lower"
    reference = False

    def __call__(self, row: SetRow, reference: Reference) -> float:
        return sets.mean_variance(row.features)


@dataclass(frozen=True)
class OpenValues(SetScorer):
    """Mean of `attributes.values_shown` of one attribute, over the prompts that leave it open."""

    attribute: str
    convention = "mean number of values that a gallery shows, where the prompt leaves it open"
    better = "higher"
    reference = False

    def __call__(self, row: SetRow, reference: Reference) -> float:
        if not isinstance(row.network, AttributeFeatures):
            raise ValueError(f"features {self.features} are no attributes")
        number = list(row.network.attributes).index(self.attribute)
        shown = attributes.values_shown(row.features)[..., number]
        return float(shown[row.network.is_open(row.prompts)[:, number]].mean())
