"""What a gallery shows of what its prompt leaves open, in words: how many values of attributes.

An attribute is a thing that a picture settles and a prompt need not name, such as the colour of a
bed; `features.attributes` reads its value from each image, as a number.
"""

import torch
from torch import Tensor


def values_shown(values: Tensor) -> Tensor:
    """How many different values the images of a gallery show.

    values: (..., K, A) numbers. Returns (..., A), float64, in [1, K].
    """
    ordered = values.sort(-2).values
    return (ordered.diff(dim=-2) != 0).sum(-2).double() + 1


def coverage(values: Tensor, sizes: list[int]) -> Tensor:
    """`values_shown` over how many K images could show, (..., A), in (0, 1].

    sizes: how many values each attribute has.
    """
    possible = torch.tensor(sizes).clamp_max(values.shape[-2])
    return values_shown(values) / possible


def entropy(values: Tensor) -> Tensor:
    """Entropy in bits of the values shown, (..., K, A) -> (..., A), float64, in [0, log2 K]."""
    same = (values.unsqueeze(-2) == values.unsqueeze(-3)).double().mean(-2)  # (..., K, A)
    return -same.log2().mean(-2)


def over_open(scores: Tensor, is_open: Tensor, *, otherwise: float) -> Tensor:
    """Mean over the attributes that a prompt leaves open, (G, A) and (G, A) bool -> (G,).

    `otherwise` stands for a prompt that leaves none.
    """
    count = is_open.sum(-1)
    means = (scores * is_open).sum(-1) / count.clamp_min(1)
    return torch.where(count > 0, means, otherwise)
