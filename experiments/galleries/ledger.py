"""Attempts that failed, beside the manifest of what succeeded: `failures.jsonl`, a line each.

A line is on the disk before the next attempt, so it outlives whatever happens then. It says which
gallery, which attempt, what went wrong and when, and whether the run gave the gallery up. What was
given up is tried anew by the next run.
"""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from experiments.galleries import jsonlines
from experiments.galleries.shard import shared
from experiments.tasks.job import Job

NAME = "failures.jsonl"


@dataclass(frozen=True)
class Failure:
    """A failed attempt at a gallery.

    Attributes:
        attempt: its number within the run, from 1.
        error: one line.
        final: whether the run has given the gallery up.
        when: UTC, to the second.
    """

    job: str
    prompt: str
    attempt: int
    error: str
    final: bool
    when: str

    @classmethod
    def now(cls, job: Job, *, attempt: int, error: str, final: bool) -> "Failure":
        """Makes a failure, stamped with the present time."""
        when = datetime.now(UTC).isoformat(timespec="seconds")
        return cls(job.id, job.prompt, attempt, error, final, when)


class Ledger:
    """The failures in a cell's folder, or those of one of its shards in the shard's."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def append(self, failure: Failure) -> None:
        """Adds a failure, and returns when it is on the disk."""
        with jsonlines.appending(self._folder / NAME) as append:
            append(asdict(failure))

    def read(self) -> list[Failure]:
        """All failures, in order; those of shards come last."""
        files = shared(self._folder, NAME)
        return [Failure(**line) for file in files for line in jsonlines.read(file)]
