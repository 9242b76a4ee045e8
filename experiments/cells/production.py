"""How the galleries of a cell are made: what is missing is handed to workers and committed."""

import errno
from dataclasses import dataclass

from experiments.cells.progress import Progress
from experiments.errors import UsageError
from experiments.galleries.folder import CellFolder
from experiments.galleries.manifest import Entry, Failure
from experiments.galleries.shard import Shard
from experiments.galleries.writer import Writer, writing
from experiments.tasks.job import Job
from experiments.workers.batch import Recipe
from experiments.workers.dispatch import Workers, dispatch


@dataclass(frozen=True)
class Production:
    """What makes the galleries of a cell, and where they are committed.

    Attributes:
        label: the table row that the cell fills, for progress.
        jobs: all of the cell's.
        shard: the part of the jobs that this process makes; None for all.
    """

    label: str
    jobs: list[Job]
    folder: CellFolder
    recipe: Recipe
    workers: Workers
    shard: Shard | None

    def missing(self) -> list[Job]:
        """The jobs of this shard that no committed gallery answers."""
        return [job for job in self.missing_everywhere() if not self.shard or job in self.shard]

    def missing_everywhere(self) -> list[Job]:
        """The jobs that no committed gallery answers, of all shards."""
        committed = self.folder.committed()
        return [job for job in self.jobs if job.id not in committed]

    def entries(self) -> list[Entry]:
        """The manifest's entries of the galleries that are there, in the order of the jobs."""
        committed = self.folder.committed()
        return [committed[job.id] for job in self.jobs if job.id in committed]

    def given_up(self) -> list[Failure]:
        """The last failure of every gallery that is missing because its tries failed."""
        missing = {job.id for job in self.missing()}
        given_up = {f.job: f for f in self.folder.failures() if f.job in missing and f.final}
        return list(given_up.values())

    def check(self) -> None:
        """Raises UsageError for what a run would refuse, before any weights are fetched.

        Of a model on a hub, the files that describe it are fetched: some kilobytes.
        """
        if self.missing():
            self.recipe.method.check(self.recipe.model.sketch(), self.jobs)

    def prepare(self) -> None:
        """Downloads and checks what is read, so that no run fails halfway. Raises UsageError."""
        if self.missing():
            self.recipe.method.prepare()
            self.workers.prepare(self.recipe)

    def make(self) -> None:
        """Makes and commits what is missing; tries that fail go into the ledger.

        A gallery that fails again and again is given up (see `given_up`), and the others finish.

        Raises:
            UsageError: nothing can be made; another run writes here; the disk is full.
        """
        if not self.missing():
            return
        try:
            with writing(self.folder, self.shard) as writer:
                # asked again, now that nobody else can commit
                if missing := self.missing():
                    self._make(missing, writer)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise UsageError(
                f"no space is left for {self.folder.path}; make room and run again, "
                "all that is committed stays"
            ) from error

    def _make(self, missing: list[Job], writer: Writer) -> None:
        with Progress(self.label, total=len(missing), size=self.folder.gallery_size) as progress:
            for outcome in dispatch(self.workers, self.recipe, self.folder.lacking(missing)):
                if isinstance(outcome, Failure):
                    writer.note(outcome)
                    progress.failed()
                else:
                    progress.made(writer.commit(outcome).peak)
