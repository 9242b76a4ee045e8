"""Which value of each named attribute an image shows: the colour of its bed, the time of day, ...

    attributes: {bed: {red: a red bed, blue: a blue bed}, rug: {none: "", red: a red rug}}

An attribute has values, a value the phrase by which a prompt asks for it ("" where none does). An
attribute is open in a prompt that has none of its phrases; the images of a gallery are then free to
differ in it. Features are the numbers of the values, in the order of the attributes.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, normalize

from metrics import weights
from metrics.features.clip import CLIPFeatures
from metrics.features.network import Network, as_unit

Attributes = Mapping[str, Mapping[str, str]]

SIDE = 64  # pixels of what `reader` takes


class AttributeFeatures(Network):
    """A network that says of each attribute which of its values an image shows: its features of
    images are (N, A), int64.
    """

    def __init__(self, source: str, attributes: Attributes):
        super().__init__(source)
        self.attributes = {name: dict(phrases) for name, phrases in attributes.items()}

    @property
    def identity(self) -> dict[str, str]:
        listed = json.dumps(self.attributes).encode()  # their order decides, too
        return {**super().identity, "attributes": hashlib.sha256(listed).hexdigest()[:16]}

    @property
    def sizes(self) -> list[int]:
        """How many values each attribute has."""
        return [len(phrases) for phrases in self.attributes.values()]

    def is_open(self, prompts: Sequence[str]) -> Tensor:
        """Which attributes each of G prompts leaves open, (G, A) bool."""
        asked = [
            re.compile(rf"\b({'|'.join(map(re.escape, filter(None, phrases.values())))})\b", re.I)
            for phrases in self.attributes.values()
        ]
        return torch.tensor([[not one.search(prompt) for one in asked] for prompt in prompts])


class ZeroShotAttributes(AttributeFeatures):
    """By a CLIP: the value whose phrase, after `prefix`, has the largest cosine with the image.

    Raises ValueError for a value without a phrase.
    """

    library = CLIPFeatures.library

    def __init__(self, *, clip: CLIPFeatures, prefix: str, attributes: Attributes):
        super().__init__(clip.source, attributes)
        self.clip, self.prefix = clip, prefix
        for name, phrases in self.attributes.items():
            if not all(phrases.values()):
                raise ValueError(f"attribute {name}: a CLIP needs a phrase for each of its values")

    def place(self, *, device: torch.device, dtype: torch.dtype, batch_size: int) -> None:
        super().place(device=device, dtype=dtype, batch_size=batch_size)
        self.clip.place(device=device, dtype=dtype, batch_size=batch_size)

    @property
    def requirements(self) -> tuple[str, ...]:
        return self.clip.requirements

    @property
    def identity(self) -> dict[str, str]:
        return {**super().identity, "prefix": self.prefix}

    @cached_property
    def _phrases(self) -> list[Tensor]:
        """Of each attribute, the features of its phrases, (values, F)."""
        texts = [self.prefix + text for each in self.attributes.values() for text in each.values()]
        return list(normalize(self.clip.texts(texts), dim=-1).split(self.sizes))

    def images(self, images: Tensor) -> Tensor:
        return self.in_chunks(self._values, images)

    def _values(self, images: Tensor) -> Tensor:
        features = self.clip.images(images)
        return torch.stack([(features @ phrases.T).argmax(-1) for phrases in self._phrases], -1)


class ReadAttributes(AttributeFeatures):
    """By `reader`, a small network that was trained on pictures whose attributes are known.

    source: a folder with its model.safetensors.
    """

    library = f"torch {torch.__version__}"

    def __init__(self, *, source: str, attributes: Attributes):
        super().__init__(source, attributes)

    @cached_property
    def model(self) -> nn.Module:
        from safetensors.torch import load_file

        model = reader(sum(self.sizes))
        model.load_state_dict(load_file(weights.locate(self.source) / "model.safetensors"))
        return model.eval().requires_grad_(False).to(self.device)

    def images(self, images: Tensor) -> Tensor:
        return self.in_chunks(self._values, images)

    def _values(self, images: Tensor) -> Tensor:
        x = as_unit(images).float()
        if x.shape[-2:] != (SIDE, SIDE):
            x = interpolate(x, (SIDE, SIDE), mode="bilinear", antialias=True)
        logits = self.model(x.to(self.device))
        return torch.stack([each.argmax(-1) for each in logits.split(self.sizes, -1)], -1)


def reader(outputs: int) -> nn.Sequential:
    """The untrained network: (N, 3, 64, 64) in [0, 1] -> (N, outputs), logits of all values."""
    widths = (3, 24, 48, 64, 64)
    layers: list[nn.Module] = []
    for a, b in pairwise(widths):
        layers += [nn.Conv2d(a, b, 3, stride=2, padding=1), nn.BatchNorm2d(b), nn.ReLU()]
    side = SIDE // 2 ** (len(widths) - 1)
    head = [nn.Flatten(), nn.Linear(widths[-1] * side**2, 96), nn.ReLU(), nn.Linear(96, outputs)]
    return nn.Sequential(*layers, *head)
