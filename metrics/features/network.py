"""What every frozen network is: named cheaply, loaded on first use, run in chunks."""

import warnings
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from typing import Any, ClassVar, TypeVar

import torch
from torch import Tensor

from metrics import weights
from metrics.gallery import GalleryBatch

N = TypeVar("N", bound="Network")

Kept = Mapping[str, MutableMapping[str, Tensor]]
"""Features of galleries, (K, F), by the name of their network and the digest of their images."""


class Network:
    """A frozen network. Constructing one reads no weights; its first use does.

    source: a variant of `metrics.weights`, or a local folder with a model.safetensors; library: the
    package that runs the network, and its version.
    """

    library: ClassVar[str]
    device = torch.device("cpu")
    dtype = torch.float32
    batch_size = 16

    def __init__(self, source: str):
        self.source = str(source)
        self._warned = False

    def place(self, *, device: torch.device, dtype: torch.dtype, batch_size: int) -> None:
        """Set where the network will run, in which dtype, and how many images at a time."""
        self.device, self.dtype, self.batch_size = device, dtype, batch_size

    @property
    def requirements(self) -> tuple[str, ...]:
        """The sources that have to be on this machine before the network can run."""
        return (self.source,)

    def images(self, images: Tensor) -> Tensor:
        """Features of images: (N, 3, H, W), uint8 or float in [0, 1] -> (N, F), on the CPU."""
        raise TypeError(f"{type(self).__name__} has no features of images")

    def texts(self, texts: list[str]) -> Tensor:
        """Features of N texts, (N, F), on the CPU."""
        raise TypeError(f"{type(self).__name__} has no features of texts")

    @property
    def identity(self) -> dict[str, str]:
        """What decides a score of this network: its weights, library, dtype and device class."""
        return {
            **weights.describe(self.source),
            "library": self.library,
            "dtype": str(self.dtype).removeprefix("torch."),
            "device": self.device.type,
        }

    def warn_of_long(self, is_long: Sequence[bool], limit: int) -> None:
        """Says, the first time, how many of the texts are longer than the network's `limit`."""
        if any(is_long) and not self._warned:
            self._warned = True
            some = f"{sum(is_long)} of {len(is_long)} texts exceed {limit} tokens"
            warnings.warn(f"{some} and are truncated", stacklevel=3)

    def in_chunks(
        self, function: Callable[[Tensor], Tensor], inputs: Tensor, each: int = 1
    ) -> Tensor:
        """Concatenate `function` over chunks of `inputs`, without gradients, on the CPU.

        each: how many images a row of `inputs` stands for.
        """
        rows = max(1, self.batch_size // each)
        with torch.inference_mode():
            return torch.cat([function(x).cpu() for x in inputs.split(rows)])


class BatchFeatures:
    """The features of one batch of galleries, by the name of their network.

    Each is computed at its first use, and shared by the scores that read it; those of a name in
    `kept` are looked up there first, and put there.
    """

    def __init__(self, batch: GalleryBatch, networks: Mapping[str, Network], kept: Kept):
        self._batch, self._networks, self._kept = batch, networks, kept
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
            kept, digests = self._kept.get(name, {}), self._batch.digests
            if kept and all(digest in kept for digest in digests):
                self._images[name] = torch.stack([kept[digest] for digest in digests])
            else:
                images = self._batch.images
                flat = self._networks[name].images(images.flatten(0, 1))
                self._images[name] = flat.unflatten(0, images.shape[:2])
                kept.update(zip(digests, self._images[name], strict=False))
        return self._images[name]

    def texts(self, name: str, prefix: str) -> Tensor:
        """Features of the prompts, each after `prefix`, (G, 1, F); equal ones are encoded once."""
        if (name, prefix) not in self._texts:
            unique = list(dict.fromkeys(self._batch.prompts))
            encoded = self._networks[name].texts([prefix + prompt for prompt in unique])
            rows = [unique.index(prompt) for prompt in self._batch.prompts]
            self._texts[name, prefix] = encoded[rows].unsqueeze(1)
        return self._texts[name, prefix]


def pretrained(kind: Any, network: Network) -> Any:
    """The model of class `kind` of transformers, where and as the network runs."""
    from transformers.utils import logging

    logging.disable_progress_bar()  # the files are on this machine already
    model = kind.from_pretrained(
        weights.locate(network.source),
        dtype=network.dtype,
        use_safetensors=True,
        local_files_only=True,
    )
    logging.enable_progress_bar()
    return model.eval().requires_grad_(False).to(network.device)


def as_bytes(images: Tensor) -> Tensor:
    """Images as the 8-bit files that they are stored as: float in [0, 1] is rounded."""
    if images.dtype == torch.uint8:
        return images
    return images.float().mul(255).round().to(torch.uint8)


def as_unit(images: Tensor) -> Tensor:
    """Images as float in [0, 1]: uint8 is divided by 255."""
    return images / 255 if images.dtype == torch.uint8 else images
