"""How a model's networks are run: what changes the speed and, of an image, the last bits at most.

    channels_last   weights and activations lie (N, H, W, C), as convolution kernels want them
    compiled        the network's and the decoder's forward pass is one compiled graph, for each
                    batch shape that occurs

Neither is an input of a cell: an execution says as little about what an image shows as the device
and the shape of the batch do. A run that was started without compiling may be continued with it.
But like the batch's shape it decides about last bits, so it is recorded with every image and in the
manifest, and a replay repeats it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import torch
from torch import nn


class Executable(Protocol):
    """A model as far as its execution is concerned; see `experiments.models.model.Model`."""

    modules: tuple[nn.Module, ...]
    execution: "Execution"

    @property
    def busy_modules(self) -> Sequence[nn.Module]: ...


M = TypeVar("M", bound=Executable)


@dataclass(frozen=True)
class Execution:
    """How the networks of a model are run; the options of `configs/execution/`."""

    channels_last: bool
    compiled: bool

    def __call__(self, model: M) -> M:
        """Applies it to the model, in place, and returns the model."""
        if self.channels_last:
            for module in model.modules:
                module.to(memory_format=torch.channels_last)
        if self.compiled:
            for module in model.busy_modules:
                module.compile(fullgraph=True, dynamic=False)
        model.execution = self
        return model

    def __str__(self) -> str:
        kinds = ("channels_last", self.channels_last), ("compiled", self.compiled)
        return ", ".join(name for name, on in kinds if on) or "eager"


EAGER = Execution(channels_last=False, compiled=False)
