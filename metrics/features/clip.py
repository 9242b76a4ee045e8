"""Image and text features of a CLIP (Radford et al., ICML 2021), through transformers.

Images are resized (short side, bicubic with antialiasing), cropped at the centre and normalised as
the model's own preprocessor_config.json says, by transformers' tensor path. Against its PIL path,
in which the reference scores were computed, a resized pixel differs by at most 1/255.
"""

from functools import cached_property
from importlib.metadata import version
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from metrics import weights
from metrics.features.network import Network, as_bytes, pretrained

if TYPE_CHECKING:
    from transformers import CLIPImageProcessor, CLIPModel, CLIPTokenizer


class CLIPFeatures(Network):
    """Projected features, not normalised, of a CLIPModel.

    source: the folder or variant of the model; processor: that of its tokenizer and its image
    processor, mostly the same one (PickScore is used with those of the CLIP it was trained from).
    """

    library = f"transformers {version('transformers')}"

    def __init__(self, *, source: str, processor: str):
        super().__init__(source)
        self._processor_source = str(processor)

    @property
    def requirements(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((self.source, self._processor_source)))

    @cached_property
    def model(self) -> "CLIPModel":
        from transformers import CLIPModel

        return pretrained(CLIPModel, self)

    @cached_property
    def processor(self) -> "CLIPImageProcessor":
        from transformers import CLIPImageProcessor

        folder = weights.locate(self._processor_source)
        return CLIPImageProcessor.from_pretrained(folder, local_files_only=True)

    @cached_property
    def tokenizer(self) -> "CLIPTokenizer":
        from transformers import CLIPTokenizer

        folder = weights.locate(self._processor_source)
        return CLIPTokenizer.from_pretrained(folder, local_files_only=True)

    @cached_property
    def logit_scale(self) -> float:
        """The logarithm of the temperature, as stored: half precision would round it visibly."""
        from safetensors import safe_open

        with safe_open(weights.locate(self.source) / "model.safetensors", "pt") as file:
            return file.get_tensor("logit_scale").item()

    def images(self, images: Tensor) -> Tensor:
        """(N, 3, H, W), uint8 or float in [0, 1] -> (N, F), float32 on the CPU."""
        return self.in_chunks(self._images, as_bytes(images))

    def texts(self, texts: list[str]) -> Tensor:
        """N texts -> (N, F), float32 on the CPU.

        A text beyond the model's length (77 tokens, start and end included) is truncated; the first
        time, a warning says how many are.
        """
        limit = self.model.text_model.embeddings.position_embedding.num_embeddings
        tokens = self.tokenizer(texts, padding="max_length", truncation=True, max_length=limit)
        lengths = [len(ids) for ids in self.tokenizer(texts, verbose=False)["input_ids"]]
        self.warn_of_long([n > limit for n in lengths], limit)
        return self.in_chunks(self._texts, torch.tensor(tokens["input_ids"]))

    def _images(self, images: Tensor) -> Tensor:
        pixels = self.processor(list(images), return_tensors="pt", device=self.device)
        values = pixels["pixel_values"].to(self.dtype)
        return self.model.get_image_features(values, return_dict=True).pooler_output.float()

    def _texts(self, tokens: Tensor) -> Tensor:
        # Attention is causal and the feature is read at the end token, so padding needs no mask.
        features = self.model.get_text_features(tokens.to(self.device), return_dict=True)
        return features.pooler_output.float()
