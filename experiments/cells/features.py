"""Features that are kept beside the score rows, for the scores of whole table rows.

A network sees an image once: what a gallery was scored by is stored by the digest of its images,
and looked up by every score that reads the same network. A file holds the features of one network,
as safetensors, and what decides about them; those of another network, or version, are not taken.
"""

import json
from collections.abc import Iterable, Mapping, MutableMapping
from contextlib import suppress
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from experiments.galleries.durable import replace_file
from metrics import MetricSuite, Reference
from metrics.weights import sha256

REFERENCE = "reference"


def read(path: Path, identity: Mapping[str, str]) -> dict[str, Tensor]:
    """The tensors of a file, if it is there, sound and of this identity; else none."""
    with suppress(FileNotFoundError, SafetensorError), safe_open(path, "pt") as file:
        if json.loads((file.metadata() or {}).get("identity", "null")) == dict(identity):
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    return {}


def write(path: Path, tensors: Mapping[str, Tensor], identity: Mapping[str, str]) -> None:
    """Replaces a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = {name: tensor.contiguous() for name, tensor in tensors.items()}
    replace_file(path, save(whole, {"identity": json.dumps(dict(identity))}))


def path_of(scores: Path, network: str) -> Path:
    """Where the features of a network are, beside the file of score rows."""
    return scores.with_suffix(f".{network}.safetensors")


def kept(suite: MetricSuite, scores: Path) -> dict[str, MutableMapping[str, Tensor]]:
    """The features that the suite's set scores need, by network and digest, as far as stored."""
    names = dict.fromkeys(scorer.features for scorer in suite.sets.values())
    return {name: read(path_of(scores, name), suite.network_identity(name)) for name in names}


def keep(suite: MetricSuite, scores: Path, digests: Iterable[str]) -> None:
    """Stores what the suite has kept of the galleries with these digests."""
    wanted = set(digests)
    for name, features in suite.kept.items():
        found = {digest: one for digest, one in features.items() if digest in wanted}
        write(path_of(scores, name), found, suite.network_identity(name))


def reference(suite: MetricSuite, network: str, folder: Path) -> tuple[Reference, str]:
    """The features of the suite's reference images, and the sha256 of the file that has them.

    Made at the first call, and read back afterwards; whoever has the file need not have the images.
    """
    assert suite.reference is not None
    of_images = dict(suite.reference.identity)
    identity = of_images | suite.network_identity(network)
    path = folder / f"{REFERENCE}-{'-'.join(of_images.values())}.{network}.safetensors"
    if not (found := read(path, identity)):
        batches = suite.reference.batches()
        found = {REFERENCE: torch.cat([suite.features[network].images(one) for one in batches])}
        write(path, found, identity)
    return Reference(found[REFERENCE]), sha256(path)
