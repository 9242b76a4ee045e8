"""How well an image shows what its prompt says, from the features of a CLIP.

Which CLIP, which prefix its texts get and which scale change a score; all stand with every score.
"""

import math

from torch import Tensor
from torch.nn.functional import cosine_similarity


def clip_score(image_features: Tensor, text_features: Tensor) -> Tensor:
    """CLIPScore, 2.5 max(cos, 0) (Hessel et al., EMNLP 2021, equation 1), the scale of the paper.

    (..., F) and (..., F), broadcast against each other. Returns (...), float64, in [0, 2.5].
    Hessel et al. use ViT-B/32 and prefix texts with "A photo depicts "; the paper's 0.66 fits
    ViT-L/14 without a prefix. Each image is clamped, before any average.
    """
    return 2.5 * _cosine(image_features, text_features).clamp_min(0)


def pick_score(image_features: Tensor, text_features: Tensor, logit_scale: float) -> Tensor:
    """PickScore, exp(logit_scale) cos (Kirstain et al., NeurIPS 2023), without the softmax.

    (..., F), (..., F) -> (...), float64. `logit_scale` is the parameter that the checkpoint holds,
    a logarithm. The softmax turns scores of rival images into preferences; the mean of a gallery
    (21 to 22 in the paper) is over plain scores.
    """
    return _cosine(image_features, text_features) * math.exp(logit_scale)


def hps_score(image_features: Tensor, text_features: Tensor) -> Tensor:
    """HPSv2, the cosine itself (Wu et al., Human Preference Score v2, 2023); papers print it times
    100.

    (..., F), (..., F) -> (...), float64.
    """
    return _cosine(image_features, text_features)


def _cosine(a: Tensor, b: Tensor) -> Tensor:
    return cosine_similarity(a.double(), b.double(), dim=-1)
