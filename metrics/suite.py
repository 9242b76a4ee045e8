"""The scores of a config, and the networks that they share."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import asdict, is_dataclass
from functools import cached_property
from typing import Protocol, Self

import torch
from torch import Tensor

from metrics import weights
from metrics.code import door, source_hash
from metrics.features import BatchFeatures, Network
from metrics.features.network import Kept
from metrics.gallery import GalleryBatch, ImageError
from metrics.scorers import Scorer
from metrics.setscorers import SetScorer


class ReferenceImages(Protocol):
    """Images that sets are held against; an identity of strings says which they are."""

    @property
    def identity(self) -> Mapping[str, str]: ...
    def batches(self) -> Iterator[Tensor]:
        """Yields (N, 3, H, W), uint8."""


DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}

# the identity of a score that reads pixels and no network
ON_PIXELS = {"library": f"torch {torch.__version__}", "dtype": "float64", "device": "cpu"}


class MetricSuite:
    """Named scores over named networks.

    features: networks by name; they load at the first batch that needs them.
    scores: scorers by name, the names that tables know; sets: set scorers likewise, which score the
    rows of a table; reference: the images that these are held against (see `Reference`).
    device: "auto" (an accelerator if there is one), "cpu", "cuda" or "mps"; dtype: "float32",
    "float16" or "bfloat16", for the networks that allow it; batch_size: images at a time in a
    network, which changes no score beyond rounding.
    Raises ValueError for a scorer whose network is not among `features`, an unknown dtype, and a
    device that is not here.
    """

    def __init__(
        self,
        *,
        features: Mapping[str, Network],
        scores: Mapping[str, Scorer],
        device: str,
        dtype: str,
        batch_size: int,
        sets: Mapping[str, SetScorer] | None = None,
        reference: ReferenceImages | None = None,
    ):
        self.features, self.scores = dict(features), dict(scores)
        self.sets, self.reference = dict(sets or {}), reference
        self.kept: Kept = {}
        if dtype not in DTYPES:
            raise ValueError(f"dtype must be one of {', '.join(DTYPES)}, not {dtype}")
        place = _device(device)
        for network in self.features.values():
            network.place(device=place, dtype=DTYPES[dtype], batch_size=batch_size)
        for name, scorer in {**self.scores, **self.sets}.items():
            wanted = getattr(scorer, "features", None)
            if wanted is not None and wanted not in self.features:
                raise ValueError(
                    f"score {name} reads features {wanted!r}, but only "
                    f"{', '.join(self.features) or 'none'} are configured"
                )
        if reference is None and any(scorer.reference for scorer in self.sets.values()):
            raise ValueError("sets: some need a reference, and metrics.reference is none")

    def without(self, names: Collection[str]) -> Self:
        """The scores and set scores but those of these names, over the same networks."""
        other = copy(self)
        for cached in ("identities", "set_identities", "requirements"):
            other.__dict__.pop(cached, None)
        for of in ("scores", "sets"):
            setattr(other, of, {k: v for k, v in getattr(self, of).items() if k not in names})
        return other

    @cached_property
    def identities(self) -> dict[str, dict[str, str]]:
        """What made each score: implementation, convention, its version, weights, library, dtype,
        device class.

        Code that is not the suite's own enters by the hash of its source, too. Strings only. Equal
        identities and equal images mean equal scores. Loads no network.
        """
        return self._identities(self.scores)

    @cached_property
    def set_identities(self) -> dict[str, dict[str, str]]:
        """`identities` of the set scores."""
        return self._identities(self.sets)

    def network_identity(self, name: str) -> dict[str, str]:
        """What decides about the features of a network. Loads none."""
        network = self.features[name]
        return {**network.identity, **_source("network_source", network)}

    def _identities(self, scorers: Mapping[str, Scorer | SetScorer]) -> dict[str, dict[str, str]]:
        networks = {name: self.network_identity(name) for name in self.features}
        found = {}
        for name, scorer in scorers.items():
            settings: dict = asdict(scorer) if is_dataclass(scorer) else {}
            found[name] = {
                "implementation": door(type(scorer)),
                "convention": scorer.convention,
                "convention_version": str(scorer.version),
                **{key: str(value) for key, value in settings.items() if key != "features"},
                **networks.get(getattr(scorer, "features", ""), ON_PIXELS),
                **_source("source", scorer),
            }
        return found

    @cached_property
    def requirements(self) -> tuple[str, ...]:
        """The sources of weights, variants and local folders, that the scores need."""
        scorers = {**self.scores, **self.sets}.values()
        wanted = {getattr(scorer, "features", None) for scorer in scorers}
        used = [network for name, network in self.features.items() if name in wanted]
        return tuple(dict.fromkeys(source for network in used for source in network.requirements))

    def prepare(self) -> None:
        """Download every weight that is not on this machine yet, before work starts.

        Raises weights.WeightsError with a line for each one that is not available.
        """
        weights.ensure(self.requirements)

    def score(self, batch: GalleryBatch) -> dict[str, Tensor]:
        """Each score of each gallery, (G,) float64 on the CPU, by the score's name.

        Raises ImageError, naming the gallery, where a score comes out as no number, and
        weights.WeightsError.
        """
        scores = {}
        for name, values in self.attempt(batch, tuple(self.scores)).items():
            if isinstance(values, Exception):
                raise values
            scores[name] = values
        return scores

    def attempt(self, batch: GalleryBatch, names: Sequence[str]) -> dict[str, Tensor | Exception]:
        """The scores of these names, as `score` gives them, or the error of each that fails.

        Features that are to be kept are, if the batch has digests.
        """
        kept = self.kept if batch.digests else {}
        features = BatchFeatures(batch, self.features, kept)
        scores: dict[str, Tensor | Exception] = {}
        for name in names:
            try:
                scores[name] = values = self.scores[name](batch, features)
                if not values.isfinite().all():
                    gallery = batch.names[int(values.isfinite().logical_not().nonzero()[0])]
                    raise ImageError(f"gallery {gallery}: its score {name} is no number")
            except Exception as error:
                scores[name] = error
        for name in kept:
            features.images(name)
        return scores


def _source(name: str, code: object) -> dict[str, str]:
    """The hash of the source of somebody else's scorer or network, under `name`; {} of our own."""
    found = source_hash(type(code))
    return {name: found} if found else {}


def _device(name: str) -> torch.device:
    accelerator = torch.accelerator.current_accelerator(check_available=True)
    if name == "auto":
        return accelerator or torch.device("cpu")
    if name != "cpu" and (accelerator is None or name.split(":")[0] != accelerator.type):
        raise ValueError(f"device {name} is not on this machine; say auto or cpu")
    return torch.device(name)
