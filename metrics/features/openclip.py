"""Image and text features of any CLIP that open_clip runs: OpenCLIP's own, SigLIP 2, MobileCLIP,
and what was trained from one, as HPSv2.1 (Wu et al., 2023) was from ViT-H/14.

Network, image transform and tokenizer are open_clip's, as the published open_clip_config.json says.
"""

import logging
from functools import cached_property
from importlib.metadata import version
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from metrics import weights
from metrics.features.network import Network, as_bytes


class OpenCLIPFeatures(Network):
    """Features of both towers, not normalised.

    source: the variant, or folder, of the weights, or `open_clip:MODEL/TAG@COMMIT`; config: that of
    open_clip_config.json and of the tokenizer, mostly the same one; resize_mode: how an image gets
    the network's size, None for what the configuration says, "longest" for the whole image on a
    black ground, as HPSv2 does.
    """

    library = f"open_clip {version('open_clip_torch')}"

    def __init__(self, *, source: str, config: str, resize_mode: str | None):
        super().__init__(source)
        self._config, self._resize_mode = str(config), resize_mode

    @property
    def requirements(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((self.source, self._config)))

    @property
    def identity(self) -> dict[str, str]:
        config = " ".join(weights.describe(self._config).values())
        return {**super().identity, "config": config, "resize_mode": str(self._resize_mode)}

    @cached_property
    def model(self) -> Any:
        import open_clip

        forced = {"resize_mode": self._resize_mode} if self._resize_mode else None
        logging.disable(logging.WARNING)  # that it has no weights yet
        try:
            model = open_clip.create_model(
                self._local, load_weights=False, pretrained_text=False, force_preprocess_cfg=forced
            )
        finally:
            logging.disable(logging.NOTSET)
        found = weights.locate(self.source)
        path = found if found.is_file() else found / "open_clip_model.safetensors"
        open_clip.load_checkpoint(model, str(path), weights_only=True)
        return model.eval().requires_grad_(False).to(self.device, self.dtype)

    @cached_property
    def transform(self) -> Any:
        from open_clip.transform import PreprocessCfg, image_transform_v2

        return image_transform_v2(PreprocessCfg(**self.model.visual.preprocess_cfg), is_train=False)

    @cached_property
    def tokenizer(self) -> Any:
        import open_clip

        return open_clip.get_tokenizer(self._local)

    def images(self, images: Tensor) -> Tensor:
        """(N, 3, H, W), uint8 or float in [0, 1] -> (N, F), float32 on the CPU."""
        return self.in_chunks(self._images, as_bytes(images).cpu())

    def texts(self, texts: list[str]) -> Tensor:
        """N texts -> (N, F), float32 on the CPU; one beyond the model's length is truncated, and a
        warning says how many are.
        """
        limit = self.tokenizer.context_length
        whole = self.tokenizer([*texts, ""], context_length=4 * limit)
        self.warn_of_long((whole[:-1, limit:] != whole[-1, -1]).any(-1).tolist(), limit)
        return self.in_chunks(self._texts, self.tokenizer(texts))

    @property
    def _local(self) -> str:
        return f"local-dir:{weights.locate(self._config)}"

    def _images(self, images: Tensor) -> Tensor:
        pictures = map(Image.fromarray, images.permute(0, 2, 3, 1).contiguous().numpy())
        pixels = torch.stack([self.transform(picture) for picture in pictures])
        return self.model.encode_image(pixels.to(self.device, self.dtype)).float()

    def _texts(self, tokens: Tensor) -> Tensor:
        return self.model.encode_text(tokens.to(self.device)).float()
