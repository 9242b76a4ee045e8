"""What a network is told about its images: by an embedding of the prompt, a size, a mask."""

from torch import Tensor

Condition = dict[str, Tensor]
"""Keyword arguments of the network, one row an image. Empty for an unconditional model."""


def repeat_rows(condition: Condition, count: int) -> Condition:
    """Every row `count` times in a row: G prompts -> G*count rows, gallery 0's members first."""
    return {name: rows.repeat_interleave(count, dim=0) for name, rows in condition.items()}
