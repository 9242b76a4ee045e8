"""Tries that failed, beside the manifest of what succeeded: `failures.jsonl`, a line a try.

A line is on the disk before the next try, so it outlives whatever happens then. It says which
gallery, the how-manieth try, what went wrong and when, and whether the run gave the gallery up.
What was given up is tried anew by the next run.
"""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from experiments.galleries import jsonlines
from experiments.galleries.shard import Shard
from experiments.tasks.job import Job


@dataclass(frozen=True)
class Failure:
    """A try at a gallery that failed.

    Attributes:
        attempt: the how-manieth of its run, from 1.
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
        """A failure at this moment."""
        when = datetime.now(UTC).isoformat(timespec="seconds")
        return cls(job.id, job.prompt, attempt, error, final, when)


class Ledger:
    """The failures of one cell.

    Args:
        folder: the folder of the cell.
        shard: whose tries are appended; a shard has a file of its own.
    """

    def __init__(self, folder: Path, shard: Shard | None = None) -> None:
        self._file = folder / (f"failures-{shard}.jsonl" if shard else "failures.jsonl")

    def append(self, failure: Failure) -> None:
        with jsonlines.appending(self._file) as append:
            append(asdict(failure))

    def read(self) -> list[Failure]:
        """All failures, in order; those of shards come last."""
        folder = self._file.parent
        files = [folder / "failures.jsonl", *sorted(folder.glob("failures-*.jsonl"))]
        return [Failure(**line) for file in files for line in jsonlines.read(file)]
