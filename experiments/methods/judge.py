"""What an estimate is worth to group inference, by a CLIP."""

from collections.abc import Sequence
from importlib import resources
from threading import Lock

import torch
from torch import Tensor
from torch.nn.functional import normalize

from experiments.errors import UsageError
from metrics.features import CLIPFeatures
from metrics.weights import WeightsError, ensure

BUNDLED = str(resources.files("experiments.models") / "tiny" / "clip")
_one_at_a_time = Lock()  # lanes ask at once, and a tokenizer answers one


class CLIPJudge:
    """How well images show their prompt, the cosine of image and text; how far two are apart, one
    minus the cosine of the two. The paper (arXiv:2508.15773) takes CLIP ViT-B/32 for the first, and
    DINOv2 for the second.

    clip: a variant of `metrics.weights`, a folder, or "bundled", that of the bundled model.
    """

    def __init__(self, clip: str) -> None:
        source = BUNDLED if clip == "bundled" else clip
        self._network = CLIPFeatures(source=source, processor=source)

    def prepare(self) -> None:
        """Downloads its weights, if they are not here. Raises UsageError."""
        try:
            ensure(self._network.requirements)
        except WeightsError as error:
            raise UsageError(f"optimizer.judge: {error}") from error

    def __call__(self, images: Tensor, prompts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Images (G, n, 3, H, W) in [0, 1] of G prompts -> (G, n) in [-1, 1], (G, n, n) in [0, 2],
        on the CPU."""
        flat, network = images.flatten(0, 1), self._network
        with _one_at_a_time:
            network.place(device=images.device, dtype=torch.float32, batch_size=len(flat))
            shown = normalize(network.images(flat), dim=-1).unflatten(0, images.shape[:2])
            said = normalize(network.texts([*prompts]), dim=-1)
        return (shown @ said.unsqueeze(-1)).squeeze(-1), 1 - shown @ shown.mT
