"""shard=i/n: this process makes every n-th gallery, for clusters without a scheduler of galleries.

Start n processes, anywhere that sees the same folder; each makes its own galleries and scores none.
Then the same command without `shard` makes what is still missing, and scores. Which galleries are a
shard's own depends on their job and n alone, so shards are disjoint and complete whatever exists,
whatever the order of the prompts, and however many of them run at once.
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from experiments.errors import UsageError
from experiments.tasks.job import Job


@dataclass(frozen=True)
class Shard:
    """The index-th of count shards, from 1."""

    index: int
    count: int

    @classmethod
    def parse(cls, text: str | int) -> "Shard":
        """Parses `i/n`. Raises UsageError."""
        found = re.fullmatch(r"(\d+)/(\d+)", str(text))
        index, count = map(int, found.groups()) if found else (0, 0)
        if not 1 <= index <= count:
            raise UsageError(f"shard = {text} must be i/n, from 1/n to n/n")
        return cls(index, count)

    def __contains__(self, job: Job) -> bool:
        digest = hashlib.sha256(job.id.encode()).digest()
        return int.from_bytes(digest[:8], "big") % self.count == self.index - 1

    def folder(self, cell: Path) -> Path:
        """The folder of its manifest, its failures and its lock, beside its siblings'."""
        return cell / "shards" / f"of-{self.count}" / str(self.index)


def shared(cell: Path, name: str) -> list[Path]:
    """The paths of a cell's file of that name, whether or not it exists, then of its shards'."""
    return [cell / name, *sorted(cell.glob(f"shards/*/*/{name}"))]
