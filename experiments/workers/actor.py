"""The far end of workers=ray: what runs in a process of Ray's, on this machine or another."""

import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import torch

from experiments.errors import UsageError
from experiments.tasks.job import Job
from experiments.workers.batch import Batch
from experiments.workers.recipe import ModelSource, Recipe
from experiments.workers.worker import Result, encode_batch, probe, try_batch


class Actor:
    """Makes batches, and keeps its model loaded between them.

    Args:
        folder: the driver's working directory, which relative paths are relative to.
        threads: that each operation of a batch has on a CPU.
    """

    def __init__(self, folder: str, threads: int) -> None:
        with suppress(OSError):  # on another machine paths may be others
            os.chdir(folder)
        self.threads = threads
        torch.set_num_threads(threads)
        self._checked: Mapping[str, Any] | None = None

    def name(self) -> tuple[str, int]:
        """Host and process id; answered as soon as the actor lives."""
        return socket.gethostname(), os.getpid()

    def probe(self, recipe: Recipe, job: Job) -> int | UsageError:
        """How many galleries a batch may have here."""
        try:
            return probe(recipe, job)
        except UsageError as error:
            return error

    def make(self, recipe: Recipe, batch: Batch) -> Result:
        """The galleries of a batch as files, or why there are none."""
        expected = recipe.inputs["model"]
        if self._checked != expected:
            here = recipe.model.inputs()
            differing = sorted(k for k in here | expected if here.get(k) != expected.get(k))
            if differing:
                return UsageError(
                    f"the model on {socket.gethostname()} is not the driver's (another "
                    f"{', '.join(differing)}): have the same weights, and set model.dtype"
                )
            self._checked = expected
        return encode_batch(recipe, try_batch(recipe, batch, threads=self.threads))


def fetch(model: ModelSource) -> UsageError | None:
    """Downloads a model's weights to this machine if needed; returns what went wrong."""
    try:
        model.fetch()
    except UsageError as error:
        return UsageError(f"{socket.gethostname()}: {error}")
    return None
