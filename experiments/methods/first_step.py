"""The sampler's first step as noise optimisers see it: galleries in, one guided output each.

A gallery's noises may be optimised together, but the network is called on at most `rows_per_pass`
images at once, so optimising takes no more memory than sampling unless gradients run through it.
"""

from collections import Counter

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from experiments.models.model import Condition, Model, repeat_rows


class FirstStep:
    """Step 0 of a model for G galleries.

    Args:
        condition: one row a gallery.
        rows_per_pass: the most images in one network call.

    Attributes:
        passes: guided network passes of one image, "forward" and "backward", over all galleries.
            Recomputation by checkpointing counts as forward.
    """

    def __init__(self, model: Model, condition: Condition, *, rows_per_pass: int) -> None:
        self._model = model
        self._condition = condition
        self._rows_per_pass = rows_per_pass
        self.passes: Counter[str] = Counter()

    def output(self, noise: Tensor, *, checkpointed: bool = False) -> Tensor:
        """The guided network output at noise (G, n, C, h, w), of the same shape."""
        rows = noise.flatten(0, 1).to(self._model.device)
        condition = repeat_rows(self._condition, noise.shape[1])
        differentiated = torch.is_grad_enabled() and noise.requires_grad
        outputs = []
        for start in range(0, len(rows), self._rows_per_pass):
            part = slice(start, start + self._rows_per_pass)
            arguments = rows[part], 0, {name: value[part] for name, value in condition.items()}
            if differentiated and checkpointed:
                outputs.append(checkpoint(self._model.predict, *arguments, use_reentrant=False))
            else:
                outputs.append(self._model.predict(*arguments))
        self.passes["forward"] += len(rows) * (2 if differentiated and checkpointed else 1)
        self.passes["backward"] += len(rows) if differentiated else 0
        return torch.cat(outputs).view(noise.shape)

    def clean(self, noise: Tensor, output: Tensor, *, shifted: bool = False) -> Tensor:
        """Tweedie's estimate, at least float32; `shifted` reads alpha one training step earlier.

        Raises:
            UsageError: `shifted` with a flow model, which has no such table.
        """
        process = self._model.process
        noise = noise.to(output.device)
        return (process.shifted() if shifted else process).clean(noise, output, 0)
