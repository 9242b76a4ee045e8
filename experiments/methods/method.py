"""From jobs to galleries, a device batch at a time.

Many galleries share a batch without seeing each other. Every batch has the same number of rows (the
last one is filled up with copies), so a gallery's images do not depend on how many others were left
to do.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from typing import ClassVar, Protocol

from coupling import Coupling
from experiments.errors import UsageError
from experiments.galleries.gallery import Gallery
from experiments.models.model import Model
from experiments.tasks.job import Job


class Method(Protocol):
    """How the galleries of a device batch are made; what differs from one cell to another.

    `around_objects` says which task it answers: pictures of objects, or prompts.
    """

    around_objects: ClassVar[bool]

    @property
    def size(self) -> int:
        """How many images a gallery is planned to have."""

    def check(self, model: Model) -> None:
        """Raises UsageError if the method and the model do not fit together."""

    def make(
        self, model: Model, jobs: Sequence[Job], *, seed: int, members: range
    ) -> list[Gallery]:
        """One gallery for each job, all in one device batch: the images of `members`."""


def check_coupling(coupling: Coupling, model: Model) -> None:
    """Raises UsageError if a coupling is made for another model's noise."""
    try:
        coupling.sample(model.noise_shape, seed=0)
    except ValueError as error:
        raise UsageError(f"coupling: {error}") from error


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
