"""A cell: one method over all jobs of a task, as far as it can be scored."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from experiments.cells.production import Production
from experiments.cells.score import Galleries, score, score_noise
from experiments.cells.scorerow import frame
from experiments.errors import UsageError
from experiments.galleries.manifest import Entry
from experiments.tasks.job import Job
from experiments.tasks.objects import ObjectJob
from metrics import MetricSuite
from metrics.weights import WeightsError


@dataclass(frozen=True)
class Cell:
    """Galleries that answer the jobs of a task, and their scores.

    Attributes:
        label: the table row that the cell fills, with the cells of the other seeds.
        seed: of the run; somebody else's galleries have the first of the table's.
        galleries: what is scored and put in pictures: whole galleries, or a view of them.
        place: the folder of the galleries, for messages.
        score_file: where its score rows are, JSON lines.
        production: how the galleries are made; None for somebody else's, to which nothing is added.
        notes: what a reader of its scores must know of the jobs, a sentence each.
    """

    label: str
    seed: int
    jobs: list[Job]
    galleries: Galleries
    place: Path
    suite: MetricSuite
    score_file: Path
    production: Production | None = None
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The label, and the seed where there are several, for messages."""
        return self.production.label if self.production else self.label

    def missing(self) -> list[Job]:
        """The jobs that are to be made here, and that no committed gallery answers."""
        return self.production.missing() if self.production else []

    def entries(self) -> list[Entry]:
        """The manifest's entries of our own galleries that are there, in the order of the jobs."""
        return self.production.entries() if self.production else []

    def score(self) -> pd.DataFrame:
        """One score row per gallery and metric; scores only what has no current score yet.

        Metrics are those of the suite, and what the manifest tells of our own galleries: passes,
        losses, and the drift of the noises.

        Raises:
            UsageError: weights cannot be had, an image is damaged, constant or no picture, or a
                metric crashes; whatever else could be scored is.
        """
        there = self.galleries.committed()
        jobs = [job.id for job in self.jobs if job.id in there]
        known = {job.id: job.picture for job in self.jobs if isinstance(job, ObjectJob)}
        try:
            rows = score(self.galleries, self.suite, jobs, file=self.score_file, known=known)
        except WeightsError as error:
            raise UsageError(str(error)) from error
        told = [row for entry in self.entries() for row in score_noise(entry)]
        return frame([*rows, *told], label=self.label, seed=self.seed)
