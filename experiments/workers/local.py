"""workers=local: in this process, one batch after the other or some at once (see `lanes`)."""

from collections.abc import Iterator

from experiments.errors import UsageError
from experiments.lanes import in_lanes, threads_of_a_lane
from experiments.recipe import Recipe
from experiments.tasks import Job
from experiments.workers.batch import Batch, Queue
from experiments.workers.dispatch import Limits
from experiments.workers.worker import Result, attempt, probe


class LocalWorkers:
    """This process itself.

    Args:
        galleries_per_batch: how many galleries share a device batch, or "auto" (see `probe`).
        retries: how often a gallery that fails is tried again.
        lanes: how many batches are made at once, 0 for one in the caller's own thread.

    Raises:
        UsageError: a number is out of range.
    """

    def __init__(self, *, galleries_per_batch: int | str, retries: int, lanes: int = 0) -> None:
        self.limits = Limits(galleries_per_batch=galleries_per_batch, retries=retries)
        if lanes < 0:
            raise UsageError(f"workers.lanes = {lanes} must be at least 0")
        self.lanes, self.num = lanes, max(1, lanes)

    def prepare(self, recipe: Recipe) -> None:
        recipe.method.check(recipe.load_model())

    def probe(self, recipe: Recipe, job: Job) -> int:
        return probe(recipe, job)

    def results(self, recipe: Recipe, queue: Queue) -> Iterator[tuple[Batch, Result]]:
        threads = threads_of_a_lane(self.lanes)

        def make(batch: Batch) -> tuple[Batch, Result]:
            return batch, attempt(recipe, batch, threads=threads)

        while queue:  # what fails is put back, perhaps after the last was taken
            yield from in_lanes(make, iter(queue.take, None), lanes=self.lanes)

    def close(self) -> None:
        """Nothing: the model may serve again."""
