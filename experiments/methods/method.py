"""A method: from jobs to galleries, a device batch at a time.

Many galleries share a batch without seeing each other. Every batch has the same number of rows (the
last one is filled up with copies), so a gallery's images do not depend on how many others were left
to do.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from time import perf_counter
from typing import ClassVar, Generic, TypeVar

import torch
from torch import Tensor

from coupling import Coupling, base_noise
from coupling.drift import drift
from experiments.errors import UsageError
from experiments.galleries.gallery import Gallery
from experiments.models.model import Model
from experiments.tasks.job import Job

J = TypeVar("J", bound=Job)


@dataclass(frozen=True)
class Method(ABC, Generic[J]):
    """How the galleries of a device batch are made, from the noises of a coupling.

    `around_objects` says which task it answers: pictures of objects, or prompts.
    """

    coupling: Coupling

    around_objects: ClassVar[bool]
    fills_in: ClassVar[bool] = False  # gives the model a picture and a mask to fill in
    opaque: ClassVar[bool] = False  # for black boxes, and for these alone

    @property
    def size(self) -> int:
        """How many images a gallery is planned to have."""
        return self.coupling.size

    def differentiated(self, galleries: int) -> int:
        """How many images are in a network call that is differentiated, of a batch; 0 for none."""
        return 0

    def prepare(self) -> None:
        """Has all that it needs beside the model on this machine. Raises UsageError."""

    def cost(self, model: Model) -> tuple[dict[str, int], int] | None:
        """The guided passes of a gallery by kind, and its network rows; None: nobody can tell.

        It needs no weights, and a method and model that fit together (`check`).
        """
        return None

    def check(self, model: Model, jobs: Sequence[J]) -> None:
        """Raises UsageError if method, model and jobs do not fit together.

        It needs no weights: the model may be a sketch (`ModelSource.sketch`).
        """
        if model.fills_in and not self.fills_in:
            raise UsageError(
                "an inpainting model needs an image and a mask: use method=inpainting, or choose "
                "another model"
            )
        self.suits(type(model))
        if not model.noise_shape:  # of a sketch of a black box
            return
        try:
            self.coupling.sample(model.noise_shape, seed=0)
        except ValueError as error:
            raise UsageError(f"coupling: {error}") from error

    @classmethod
    def suits(cls, family: type[Model]) -> None:
        """Raises UsageError if a family is a black box, and this method is not for these."""
        if family.opaque != cls.opaque:
            raise UsageError(
                "a pipeline is a black box, and this method needs the network inside: use "
                "method=piped, or a model of a family, such as model=sd15"
                if family.opaque
                else "method=piped is for any pipeline of diffusers: use model=any"
            )

    def target(self, job: J) -> Tensor:
        """The correlation of the noises that the sampler starts from, (K, K)."""
        return self.coupling.correlation

    @abstractmethod
    def make(self, model: Model, jobs: Sequence[J], *, seed: int, members: range) -> list[Gallery]:
        """One gallery for each job, all in one device batch: the images of `members`."""

    def galleries(
        self,
        jobs: Sequence[J],
        pixels: Tensor,
        noise: Tensor,
        losses: Tensor,
        *,
        first: int = 0,
        seconds: Mapping[str, float],
        passes: Mapping[str, int],
        rows: int | None,
    ) -> list[Gallery]:
        """The galleries of a batch of G jobs, with the drift of the noises.

        Args:
            pixels: (G, n, H, W, 3) uint8, of members `first` and later.
            noise: what the sampler started from, (G, m, C, h, w): members 0 to m - 1.
            losses: of the optimiser before each of its steps, (G, steps).
            seconds: of the whole batch, by stage; passes, rows: of one gallery; rows: None if
                nobody can count them.
        """
        there = noise.shape[1]
        return [
            Gallery(
                job=job,
                images=images,
                seconds={stage: taken / len(jobs) for stage, taken in seconds.items()},
                passes=passes,
                rows=rows,
                loss=tuple(loss),
                drift=drift(started, self.target(job)[:there, :there]),
                first=first,
                galleries_per_batch=len(jobs),
            )
            for job, images, started, loss in zip(
                jobs, pixels.numpy(), noise, losses.tolist(), strict=True
            )
        ]


class Stopwatch:
    """Times stages by name: `with timed("denoise"):`. `seconds` holds what each took so far."""

    def __init__(self, device: torch.device) -> None:
        self.seconds: dict[str, float] = {}
        self._device = device

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Times a stage, until the device has done what was asked of it within."""
        start = perf_counter()
        yield
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        self.seconds[stage] = self.seconds.get(stage, 0.0) + perf_counter() - start


def base_noises(model: Model, jobs: Sequence[Job], *, seed: int, count: int) -> Tensor:
    """The first base noises of every job, (G, count, C, h, w), float32 on the CPU.

    Every method starts from the same, so methods are compared in pairs.
    """
    shape, members = model.noise_shape, range(count)
    return torch.stack([base_noise(shape, seed=seed, job=job.id, members=members) for job in jobs])


def generate(
    model: Model,
    method: Method,
    jobs: Sequence[Job],
    *,
    seed: int,
    galleries_per_batch: int,
    members: range | None = None,
) -> Iterator[Gallery]:
    """Yields a gallery for every job, in order: the images of `members`, by default of all.

    Seconds are a gallery's share of its device batch.
    """
    members = members or range(method.size)
    for start in range(0, len(jobs), galleries_per_batch):
        batch = jobs[start : start + galleries_per_batch]
        full = [*batch, *[batch[-1]] * (galleries_per_batch - len(batch))]
        for gallery in method.make(model, full, seed=seed, members=members)[: len(batch)]:
            yield replace(gallery, execution=asdict(model.execution))
