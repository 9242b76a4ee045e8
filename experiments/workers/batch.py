"""What workers are handed: a recipe, and batches from a queue that cuts them when asked for one."""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from experiments.errors import UsageError
from experiments.methods.method import Method
from experiments.models.held import Held
from experiments.models.source import ModelSource
from experiments.tasks.job import Job


@dataclass(frozen=True)
class Recipe:
    """How the galleries of a cell are made, in values that can be sent to another process (but for
    a model in memory).

    Attributes:
        seed: of the run; with a job and a member it decides a base noise.
        inputs: what every gallery of the cell is made from, as JSON values.
    """

    method: Method
    seed: int
    inputs: Mapping
    model: ModelSource | Held


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
    """Galleries still to be handed out, in batches that are cut again at the last moment: a size
    that was found to be too large is not met again.

    Args:
        lacking: the jobs by the members that each of them lacks.
        size: galleries a batch.
    """

    def __init__(self, lacking: Mapping[range, Sequence[Job]], size: int) -> None:
        self.size = size
        alike = (Batch(tuple(jobs), members, size) for members, jobs in lacking.items())
        self._batches = deque(batch for whole in alike for batch in whole.cut(size))

    def __len__(self) -> int:
        """At least how many batches are left: some may be cut again."""
        return len(self._batches)

    def take(self) -> Batch | None:
        """The next batch, None if there is none."""
        if not self._batches:
            return None
        first, *rest = self._batches.popleft().cut(self.size)
        self.put_back(rest)
        return first

    def put_back(self, batches: Iterable[Batch]) -> None:
        """Puts batches back, to be tried again before any other."""
        self._batches.extendleft(reversed(list(batches)))

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
