"""What a worker does, wherever it lives: a batch -> encoded galleries, or what went wrong.

In two halves, so that the device may have its next batch while the last one is encoded.
"""

import os
import socket
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import partial, wraps
from typing import Any, ParamSpec, TypeVar

import torch

from experiments.errors import UsageError
from experiments.galleries.gallery import EncodedGallery, Gallery, encode
from experiments.methods.method import generate
from experiments.models.held import Held
from experiments.models.source import ModelSource
from experiments.tasks.job import Job
from experiments.workers import memory
from experiments.workers.batch import Batch, Recipe
from experiments.workers.provenance import provenance

P = ParamSpec("P")
T = TypeVar("T")

ON_CPU = 8  # galleries a batch of workers.galleries_per_batch=auto, where memory decides nothing


class OutOfMemory(Exception):
    """The batch did not fit the device."""


class Crash(Exception):
    """The batch failed; one line."""


class WorkerLost(Exception):
    """The worker died, or was given up."""


Failed = OutOfMemory | Crash | WorkerLost | UsageError
Result = list[EncodedGallery] | Failed


def caught(work: Callable[P, T]) -> Callable[P, T | Failed]:
    """Makes `work` return the failure that it would raise.

    What is wrong with everything (a UsageError) is told from what is wrong with a batch.
    """

    @wraps(work)
    def attempt(*args: P.args, **kwargs: P.kwargs) -> T | Failed:
        try:
            return work(*args, **kwargs)
        except UsageError as error:
            return error
        except Exception as error:
            line = " ".join(f"{type(error).__name__}: {error}".split())
            failure = OutOfMemory(line) if memory.ran_out(error) else Crash(line)
        memory.release()  # here the failed frames are gone, and what they held
        return failure

    return attempt


def make_batch(recipe: Recipe, batch: Batch, *, threads: int) -> list[Gallery]:
    """The galleries of a batch in the order of its jobs.

    Args:
        threads: that every operation has here; recorded with the images.
    """
    model = recipe.model.load()
    recipe.method.check(model, batch.jobs)
    memory.reset_peak(model.device)
    made = list(
        generate(
            model,
            recipe.method,
            batch.jobs,
            seed=recipe.seed,
            galleries_per_batch=batch.size,
            members=batch.members,
        )
    )
    peak = round(memory.peak(model.device), 1)
    return [
        replace(each, peak=peak, execution={**each.execution, "threads": threads}) for each in made
    ]


try_batch = caught(make_batch)


@caught
def encode_batch(recipe: Recipe, made: list[Gallery] | Failed) -> Result:
    """The files of the galleries that an attempt made; a failure is passed on."""
    if not isinstance(made, list):
        return made
    model = recipe.model.load()
    made_with = {**provenance(model.device), "execution": str(model.execution)}
    files = partial(encode, inputs=recipe.inputs, made_with=made_with)
    with ThreadPoolExecutor() as pool:  # compression is slow, and releases Python's lock
        return list(pool.map(files, made))


def probe(recipe: Recipe, job: Job) -> int:
    """How many galleries a batch may have on this device, found by making batches of them."""
    device = recipe.model.load().device
    if device.type != "cuda":
        return ON_CPU
    total = torch.cuda.get_device_properties(device).total_memory / 2**20

    def share(size: int) -> float:
        make_batch(recipe, Batch((job,), range(recipe.method.size), size), threads=1)
        return memory.peak(device) / total

    return memory.largest_batch(share)


class Actor:
    """A process of Ray's: makes batches, and keeps its model loaded between them.

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

    def attempt(self, work: Callable[P, T], *words: P.args, **named: P.kwargs) -> T | Failed:
        """What some work comes to here, such as `probe`."""
        return caught(work)(*words, **named)

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


def fetch(model: ModelSource | Held) -> UsageError | None:
    """Downloads a model's weights to this machine if needed; returns what went wrong."""
    try:
        model.fetch()
    except UsageError as error:
        return UsageError(f"{socket.gethostname()}: {error}")
    return None
