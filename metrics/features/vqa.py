"""How surely a vision-language model says yes when it is asked whether an image shows its prompt:
VQAScore (Lin et al., ECCV 2024, arXiv:2404.01291), with any model of transformers that takes images
and text.

The answer is the first token after the question. Yes and no are each written four ways, of which
those that are one token count:

    p = P(yes) / (P(yes) + P(no))

The paper takes P(yes) of the whole vocabulary, from CLIP-FlanT5-XXL; a small model spends much of
that on other words.
"""

from collections.abc import Sequence
from functools import cached_property
from importlib.metadata import version
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from metrics import weights
from metrics.features.network import Network, as_bytes, pretrained

ANSWERS = {"yes": ("Yes", " Yes", "yes", " yes"), "no": ("No", " No", "no", " no")}


class YesOrNo(Network):
    """source: the folder or variant of the model and its processor; question: what it is given,
    as its own chat template writes it, where {} is an image's text and <image> or the like stands
    for the image, which is seen whole, as one tile.
    """

    library = f"transformers {version('transformers')}"

    def __init__(self, *, source: str, question: str):
        super().__init__(source)
        self._question = question

    @property
    def identity(self) -> dict[str, str]:
        return {**super().identity, "question": self._question}

    @cached_property
    def model(self) -> Any:
        from transformers import AutoModelForImageTextToText

        return pretrained(AutoModelForImageTextToText, self)

    @cached_property
    def processor(self) -> Any:
        from transformers import AutoProcessor

        folder = weights.locate(self.source)
        processor = AutoProcessor.from_pretrained(folder, local_files_only=True)
        processor.tokenizer.padding_side = "left"  # the answer follows the last token of every row
        return processor

    @cached_property
    def _answers(self) -> list[list[int]]:
        """The tokens of yes, and of no."""
        read = self.processor.tokenizer
        tokens = [
            [read.encode(word, add_special_tokens=False) for word in words]
            for words in ANSWERS.values()
        ]
        single = [sorted({of[0] for of in each if len(of) == 1}) for each in tokens]
        if not all(single):
            raise ValueError(f"{self.source} writes neither yes nor no as one token")
        return single

    def yes(self, images: Tensor, texts: Sequence[str]) -> Tensor:
        """Of every image whether it shows its text, (N, 3, H, W), uint8 or float in [0, 1], and N
        texts -> (N,) in [0, 1], float64 on the CPU.
        """
        pixels = as_bytes(images).cpu().permute(0, 2, 3, 1).contiguous().numpy()
        asked = [self._question.format(text) for text in texts]

        def answered(rows: Tensor) -> Tensor:
            given = self.processor(
                text=[asked[k] for k in rows],
                images=[[Image.fromarray(pixels[k])] for k in rows],
                do_image_splitting=False,
                padding=True,
                return_tensors="pt",
            ).to(self.device, self.dtype)
            logits = self.model(**given).logits[:, -1].double()
            yes, no = (logits[:, tokens].logsumexp(-1) for tokens in self._answers)
            return torch.sigmoid(yes - no)

        return self.in_chunks(answered, torch.arange(len(asked)))
