"""How the galleries of a cell are made, in values that can be sent to another process."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import torch

from experiments.methods.method import Method
from experiments.models.model import Model


class ModelSource(Protocol):
    """Where a model comes from; small and picklable, unlike the model."""

    def load(self) -> Model:
        """The model, on its device; once a process, however often it is asked for.

        Raises:
            UsageError: its weights cannot be found or downloaded; says the remedy.
        """

    def fetch(self) -> None:
        """Downloads the weights if needed, and loads nothing. Raises UsageError."""

    @property
    def device(self) -> torch.device:
        """Where it will run on this machine. Raises UsageError."""

    def inputs(self) -> Mapping:
        """What the model is on this machine, as it enters a cell's inputs."""


@dataclass(frozen=True)
class Recipe:
    """How galleries are made.

    Attributes:
        seed: of the run; with a job and a member it decides a base noise.
        inputs: what every gallery of the cell is made from, as JSON values.
    """

    method: Method
    seed: int
    inputs: Mapping
    model: ModelSource
