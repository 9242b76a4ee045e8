"""What a worker does, wherever it lives: a batch -> encoded galleries, or what went wrong.

In two halves, so that the device may have its next batch while the last one is encoded.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import TypeVar

import torch

from experiments.errors import UsageError
from experiments.galleries.gallery import EncodedGallery, Gallery, encode
from experiments.methods.method import generate
from experiments.tasks.job import Job
from experiments.workers import memory
from experiments.workers.batch import Batch
from experiments.workers.provenance import provenance
from experiments.workers.recipe import Recipe

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


def try_batch(recipe: Recipe, batch: Batch, *, threads: int) -> list[Gallery] | Failed:
    """The galleries of a batch in the order of its jobs, or why there are none.

    What is wrong with everything (a UsageError) is told from what is wrong with a batch.

    Args:
        threads: that every operation has here; recorded with the images.
    """
    return _caught(lambda: _make(recipe, batch, threads=threads))


def encode_batch(recipe: Recipe, made: list[Gallery] | Failed) -> Result:
    """The files of the galleries that an attempt made; a failure is passed on."""
    return _caught(lambda: _encode(recipe, made)) if isinstance(made, list) else made


def probe(recipe: Recipe, job: Job) -> int:
    """How many galleries a batch may have on this device, found by making batches of them."""
    device = recipe.model.load().device
    if device.type != "cuda":
        return ON_CPU
    total = torch.cuda.get_device_properties(device).total_memory / 2**20

    def share(size: int) -> float:
        _make(recipe, Batch((job,), range(recipe.method.size), size), threads=1)
        return memory.peak(device) / total

    return memory.largest_batch(share)


def _make(recipe: Recipe, batch: Batch, *, threads: int) -> list[Gallery]:
    model = recipe.model.load()
    recipe.method.check(model)
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


def _encode(recipe: Recipe, galleries: list[Gallery]) -> list[EncodedGallery]:
    model = recipe.model.load()
    made_with = {**provenance(model.device), "execution": str(model.execution)}
    files = partial(encode, inputs=recipe.inputs, made_with=made_with)
    with ThreadPoolExecutor() as pool:  # compression is slow, and releases Python's lock
        return list(pool.map(files, galleries))


def _caught(work: Callable[[], T]) -> T | Failed:
    """What `work` returns, or the failure that it raises."""
    try:
        return work()
    except UsageError as error:
        return error
    except Exception as error:
        line = " ".join(f"{type(error).__name__}: {error}".split())
        failure = OutOfMemory(line) if memory.ran_out(error) else Crash(line)
    memory.release()  # here the failed frames are gone, and what they held
    return failure
