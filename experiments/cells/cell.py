"""A cell: one method over all prompts of a task. It knows what is missing, makes and scores it."""

import errno
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from experiments.cells.progress import Progress
from experiments.cells.score import Galleries, score, score_noise
from experiments.cells.views import BestOf, PartOf
from experiments.errors import UsageError
from experiments.galleries.folder import CellFolder
from experiments.galleries.foreign import Foreign
from experiments.galleries.ledger import Failure, Ledger
from experiments.galleries.manifest import Entry
from experiments.galleries.shard import Shard
from experiments.galleries.writer import Writer
from experiments.tasks.job import Job
from experiments.tasks.objects import ObjectJob
from experiments.workers.dispatch import Workers, dispatch
from experiments.workers.recipe import Recipe
from metrics import MetricSuite
from metrics.weights import WeightsError


@dataclass(frozen=True)
class Cell:
    """One method: what it makes, how, and where it lies.

    Attributes:
        label: the row of a table that the cell fills.
        keep: how many images of a gallery are shown and scored, the most diverse; None for all.
        galleries: ours, or a folder of somebody else's.
        recipe: None for a folder, to which nothing is ever added.
        workers: who makes the galleries; None for a folder.
        score_file: where its score rows are, JSON lines.
        shard: the galleries that this process makes; None for all.
        part: which of the images stand for the gallery, where a method makes it more than once;
            None for all.
        notes: what a reader of its scores must know of the jobs, a sentence each.
    """

    label: str
    jobs: list[Job]
    keep: int | None
    galleries: CellFolder | Foreign
    recipe: Recipe | None
    suite: MetricSuite
    score_file: Path
    workers: Workers | None = None
    shard: Shard | None = None
    part: slice | None = None
    notes: tuple[str, ...] = ()

    def missing(self) -> list[Job]:
        """The jobs that no committed gallery answers, as far as they are to be made here."""
        return [job for job in self.lacking() if self.shard is None or job in self.shard]

    def lacking(self) -> list[Job]:
        """The jobs that no committed gallery answers, of all shards."""
        committed = self.galleries.committed()
        return [job for job in self.jobs if job.id not in committed]

    def committed_rows(self) -> list[Entry]:
        """The manifest's rows of our own galleries that are there, in the order of the jobs."""
        committed = self.galleries.committed()
        return [committed[job.id] for job in self.jobs if job.id in committed]

    def given_up(self) -> list[Failure]:
        """The last failure of every gallery that is missing because its tries failed."""
        if self.recipe is None:
            return []
        missing = {job.id for job in self.missing()}
        failures = Ledger(self.galleries.path).read()
        return list({f.job: f for f in failures if f.job in missing and f.final}.values())

    def prepare(self) -> None:
        """Has the model and the metrics' weights here, so that no run fails halfway.

        Raises:
            UsageError: the model cannot be had; or weights of the metrics, a line for each.
        """
        if not self.missing():
            return
        self.workers.prepare(self.recipe)
        if self.shard is None:  # a shard scores nothing
            try:
                self.suite.prepare()
            except WeightsError as error:
                raise UsageError(str(error)) from error

    def generate(self) -> None:
        """Generates and commits what is missing; tries that fail go into the ledger.

        A gallery that fails again and again is given up (see `given_up`), and the others finish.

        Raises:
            UsageError: nothing can be made; another run writes here; the disk is full.
        """
        if not self.missing():
            return
        try:
            with self.galleries.writing(self.shard) as writer:
                self._generate(writer)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise UsageError(
                f"no space is left for {self.galleries.path}; make room and run again, "
                "all that is committed stays"
            ) from error

    def _generate(self, writer: Writer) -> None:
        missing = self.missing()  # again, now that nobody else can commit
        if not missing:
            return
        with Progress(self.label, total=len(missing)) as progress:
            for outcome in dispatch(self.workers, self.recipe, self.galleries.lacking(missing)):
                if isinstance(outcome, Failure):
                    writer.ledger.append(outcome)
                    progress.failed()
                else:
                    entry = writer.commit(outcome.gallery, attempts=outcome.attempts)
                    progress.made(entry.peak)

    @property
    def shown(self) -> Galleries:
        """What is scored and put in pictures: the galleries, the best of each, or a part."""
        if self.part:
            return PartOf(self.galleries, self.part)
        return BestOf(self.galleries, self.keep) if self.keep else self.galleries

    def score(self) -> pd.DataFrame:
        """One row per gallery and metric; scores only what has no current score yet.

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
            rows = score(self.shown, self.suite, jobs, file=self.score_file, known=known)
        except WeightsError as error:
            raise UsageError(str(error)) from error
        if self.recipe is not None:
            made = [line for row in self.committed_rows() for line in score_noise(row)]
            rows = pd.concat([rows, pd.DataFrame(made)])
        return rows.assign(row=self.label)
