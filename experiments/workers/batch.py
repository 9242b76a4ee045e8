"""Batches of whole galleries, and the queue that cuts them when a worker asks for one."""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from experiments.errors import UsageError
from experiments.tasks.job import Job


@dataclass(frozen=True)
class Batch:
    """Galleries that share a device batch.

    Attributes:
        members: the images of each that are made.
        size: how many galleries the device batch has; copies fill up what `jobs` leave.
        attempt: the number of this attempt at these galleries, from 1.
    """

    jobs: tuple[Job, ...]
    members: range
    size: int
    attempt: int = 1

    def again(self) -> "Batch":
        """The next attempt."""
        return replace(self, attempt=self.attempt + 1)

    def alone(self) -> list["Batch"]:
        """The next attempt: each gallery alone in a batch of the same shape, to the same bits."""
        return [replace(self.again(), jobs=(job,)) for job in self.jobs]

    def cut(self, size: int) -> list["Batch"]:
        """The same attempt in batches of at most `size`."""
        size = min(size, self.size)
        starts = range(0, len(self.jobs), size)
        return [replace(self, jobs=self.jobs[k : k + size], size=size) for k in starts]


class Queue:
    """Galleries still to be handed out. Batches are cut at the last moment, so a size that was
    found to be too large is not met again.

    Args:
        lacking: the jobs by the members that each of them lacks.
        size: galleries a batch.
    """

    def __init__(self, lacking: Mapping[range, Sequence[Job]], size: int) -> None:
        self.size = size
        self._fresh = [(members, deque(jobs)) for members, jobs in lacking.items()]
        self._back: deque[Batch] = deque()

    def __len__(self) -> int:
        """How many batches are left."""
        return len(self._back) + sum(-(-len(jobs) // self.size) for _, jobs in self._fresh)

    def take(self) -> Batch | None:
        """The next batch, None if there is none."""
        if self._back:
            first, *rest = self._back.popleft().cut(self.size)
            self._back.extendleft(reversed(rest))
            return first
        for members, jobs in self._fresh:
            if jobs:
                count = min(self.size, len(jobs))
                return Batch(tuple(jobs.popleft() for _ in range(count)), members, self.size)
        return None

    def put_back(self, batches: Iterable[Batch]) -> None:
        """Puts batches back, to be tried again before any other."""
        self._back.extendleft(reversed(list(batches)))

    def shrink(self, batch: Batch) -> None:
        """Puts back a batch that did not fit the device's memory, and halves all that follow.

        Raises:
            UsageError: it was a single gallery.
        """
        if batch.size <= self.size:  # else halved already, on behalf of another worker
            if batch.size == 1:
                raise UsageError(
                    f"one gallery of {len(batch.members)} images does not fit the device's memory: "
                    "choose a smaller task.gallery_size or model.dtype, or a larger device"
                )
            self.size = batch.size // 2
        self.put_back([batch])
