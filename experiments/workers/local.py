"""workers=local: in this process, as many batches at once as there are lanes."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from experiments.galleries.gallery import Gallery
from experiments.workers.batch import Batch, Queue, Recipe
from experiments.workers.dispatch import Workers, require_auto_or_positive
from experiments.workers.lanes import cores, in_lanes
from experiments.workers.worker import Failed, OutOfMemory, Result, encode_batch, try_batch


@dataclass(kw_only=True, eq=False)
class LocalWorkers(Workers):
    """This process itself.

    Attributes:
        lanes: how many batches are made at once, "auto" for as many as the cores have threads for,
            or one on any other device.
    """

    lanes: int | str

    def __post_init__(self) -> None:
        super().__post_init__()
        require_auto_or_positive("lanes", self.lanes)

    def at_once(self, recipe: Recipe) -> int:
        if isinstance(self.lanes, int):
            return self.lanes
        on_cpu = recipe.model.device.type == "cpu"
        return max(1, cores() // self.threads) if on_cpu else 1

    def told(self, recipe: Recipe) -> str:
        device, lanes = recipe.model.device, self.at_once(recipe)
        cards = torch.cuda.device_count() if device.type == "cuda" else 0
        idle = f", {cards - 1} GPUs idle: couple-to-control[ray] uses them" if cards > 1 else ""
        return f"on {device}" + (f", {lanes} batches at once" if lanes > 1 else "") + idle

    def prepare(self, recipe: Recipe) -> None:
        recipe.model.load()

    def results(self, recipe: Recipe, queue: Queue) -> Iterator[tuple[Batch, Result]]:
        threads, too_large = self.threads, math.inf

        def make(batch: Batch) -> tuple[Batch, list[Gallery] | Failed]:
            nonlocal too_large
            if batch.size >= too_large:  # it has waited while another failed
                return batch, OutOfMemory("out of memory at this size before")
            made = try_batch(recipe, batch, threads=threads)
            if isinstance(made, OutOfMemory):
                too_large = min(too_large, batch.size)
            return batch, made

        lanes = self.at_once(recipe)
        while queue:  # what fails is put back, perhaps after the last was taken
            batches = iter(queue.take, None)
            for batch, made in in_lanes(make, batches, lanes=lanes, threads=threads):
                yield batch, encode_batch(recipe, made)

    def close(self) -> None:
        """Keeps the model, which may serve again."""
