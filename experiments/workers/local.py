"""workers=local: in this process, one batch after the other."""

from collections.abc import Iterator

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
    """

    num = 1

    def __init__(self, *, galleries_per_batch: int | str, retries: int) -> None:
        self.limits = Limits(galleries_per_batch=galleries_per_batch, retries=retries)

    def prepare(self, recipe: Recipe) -> None:
        recipe.method.check(recipe.load_model())

    def probe(self, recipe: Recipe, job: Job) -> int:
        return probe(recipe, job)

    def results(self, recipe: Recipe, queue: Queue) -> Iterator[tuple[Batch, Result]]:
        while batch := queue.take():
            yield batch, attempt(recipe, batch)

    def close(self) -> None:
        """Nothing: the model may serve again."""
