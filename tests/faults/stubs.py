"""A method without a model, whose pictures are a function of the job alone, and what befalls it.

A module of its own, which workers in other processes import.
"""

import hashlib
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

import numpy as np
import torch

from coupling.drift import drift
from experiments.galleries.gallery import Gallery
from experiments.models.execution import EAGER
from experiments.tasks.job import Job
from experiments.workers.batch import Recipe

K = 2
INPUTS = {"model": {"name": "stub", "weights": "none"}, "coupling": "stub", "seed": 0}


class Fault(Protocol):
    def __call__(self, jobs: Sequence[Job]) -> None:
        """What befalls a batch of these jobs, copies included, before it is done."""


@dataclass(frozen=True)
class Once:
    """A fault that strikes one job the first time: `marker` remembers, whatever process it was."""

    marker: Path
    job: str

    def strikes(self, jobs: Sequence[Job]) -> bool:
        if self.job not in {job.id for job in jobs} or self.marker.exists():
            return False
        self.marker.touch()
        return True


class Killed(Once):
    """The worker is gone from one moment to the next."""

    def __call__(self, jobs: Sequence[Job]) -> None:
        if self.strikes(jobs):
            os.kill(os.getpid(), signal.SIGKILL)


class Hangs(Once):
    """The worker never answers."""

    def __call__(self, jobs: Sequence[Job]) -> None:
        if self.strikes(jobs):
            time.sleep(3600)


@dataclass(frozen=True)
class Poison:
    """One prompt that always fails."""

    prompt: str

    def __call__(self, jobs: Sequence[Job]) -> None:
        if any(job.prompt == self.prompt for job in jobs):
            raise ValueError(f"cannot tokenise {self.prompt!r}")


@dataclass(frozen=True)
class Naps:
    """Batches take their time, each its own."""

    seed: int

    def __call__(self, jobs: Sequence[Job]) -> None:
        time.sleep(int(jobs[0].id[:4], 16) * (self.seed + 1) % 7 / 8)


@dataclass(frozen=True)
class Sees:
    """Leaves a file in `folder`, named by the GPUs that the worker sees, and waits for so many."""

    folder: Path
    workers: int

    def __call__(self, jobs: Sequence[Job]) -> None:
        (self.folder / f"gpu-{os.environ.get('CUDA_VISIBLE_DEVICES')}").touch()
        for _ in range(1200):
            if len(list(self.folder.glob("gpu-*"))) >= self.workers:
                return
            time.sleep(0.1)


@dataclass(frozen=True)
class Small:
    """A device with room for so many galleries."""

    galleries: int

    def __call__(self, jobs: Sequence[Job]) -> None:
        if len(jobs) > self.galleries:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB")


@dataclass(frozen=True)
class Pictures:
    """The method. Every execution of a job is a line of `log`, whoever does it."""

    log: Path
    fault: Fault | None = None
    after: Fault | None = None  # strikes when the work is done
    size: int = K
    around_objects: ClassVar[bool] = False

    def check(self, model, jobs: Sequence[Job]) -> None:
        """Fits every model."""

    def prepare(self) -> None:
        """Needs nothing."""

    def make(self, model, jobs: Sequence[Job], *, seed: int, members: range) -> list[Gallery]:
        with self.log.open("a") as log:
            log.writelines(f"{job.id} {len(jobs)}\n" for job in dict.fromkeys(jobs))
        if self.fault:
            self.fault(jobs)
        galleries = [picture(job, galleries=len(jobs)) for job in jobs]
        if self.after:
            self.after(jobs)
        return galleries

    def executions(self) -> list[str]:
        """The job of every execution, in order."""
        return [line.split()[0] for line in self.lines()]

    def lines(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.is_file() else []


def picture(job: Job, *, galleries: int = 1, constant: bool = False) -> Gallery:
    seed = int(hashlib.sha256(job.prompt.encode()).hexdigest()[:8], 16)
    images = np.random.default_rng(seed).integers(0, 256, size=(K, 16, 16, 3), dtype=np.uint8)
    noise = torch.from_numpy(images[..., :1]).movedim(-1, 1).float()
    return Gallery(
        job,
        images * 0 if constant else images,
        seconds={"denoise": 0.1, "couple": 0.0},
        passes={"sample": 1},
        loss=(),
        drift=drift(noise, torch.eye(K)),
        galleries_per_batch=galleries,
    )


@dataclass(frozen=True)
class NoModel:
    """Where no model comes from, and the model."""

    device = torch.device("cpu")
    execution = EAGER

    def load(self) -> "NoModel":
        return self

    def sketch(self) -> "NoModel":
        return self

    def fetch(self) -> None:
        """Nothing to fetch."""

    def inputs(self) -> dict:
        return INPUTS["model"]


def recipe(method: Pictures) -> Recipe:
    return Recipe(method=method, seed=0, inputs=INPUTS, model=NoModel())
