"""Seconds of the stages of a device batch, the device's work included."""

from collections.abc import Callable
from time import perf_counter
from typing import TypeVar

import torch

T = TypeVar("T")


class Stopwatch:
    """Times stages by name; `seconds` holds what each has taken so far."""

    def __init__(self, device: torch.device) -> None:
        self.seconds: dict[str, float] = {}
        self._device = device

    def __call__(self, stage: str, work: Callable[[], T]) -> T:
        """What `work` returns, once the device has done it."""
        start = perf_counter()
        result = work()
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        self.seconds[stage] = self.seconds.get(stage, 0.0) + perf_counter() - start
        return result

    def share(self, galleries: int) -> dict[str, float]:
        """The seconds of one of `galleries` that were made together."""
        return {stage: seconds / galleries for stage, seconds in self.seconds.items()}
