"""What becomes of a batch: committed, tried again, made smaller, or given up.

A failed attempt costs its batch alone, and no gallery is tried without end:

    the worker is lost     once more as it was, since that is rarely a gallery's fault; then
    anything else          each gallery alone, in a batch of the same shape, up to `retries` times
    out of memory          half as many galleries a batch, from here to the end of the cell
    a UsageError           ends the run: every other batch would meet it too
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from tqdm import tqdm

from experiments.errors import UsageError
from experiments.galleries.gallery import EncodedGallery
from experiments.galleries.manifest import Failure
from experiments.models.execution import EAGER, Auto
from experiments.models.source import ModelSource
from experiments.tasks.job import Job
from experiments.workers.batch import Batch, Queue, Recipe
from experiments.workers.lanes import in_lanes
from experiments.workers.timing import decided
from experiments.workers.worker import OutOfMemory, P, Result, T, WorkerLost, probe


@dataclass(kw_only=True, eq=False)
class Workers(ABC):
    """Make galleries, in this process or in others.

    Attributes:
        galleries_per_batch: how many galleries share a device batch, or "auto" (see `probe`).
        threads: that each operation of a batch has on a CPU. It decides about last bits.
        retries: how often a gallery that fails is tried again.

    Raises:
        UsageError: a number is out of range.
    """

    galleries_per_batch: int | str
    threads: int
    retries: int

    def __post_init__(self) -> None:
        require_auto_or_positive("galleries_per_batch", self.galleries_per_batch)
        if self.threads < 1:
            raise UsageError(f"workers.threads = {self.threads} must be at least 1")
        if self.retries < 0:
            raise UsageError(f"workers.retries = {self.retries} must be at least 0")

    @abstractmethod
    def at_once(self, recipe: Recipe) -> int:
        """How many batches are made at the same time, at the most."""

    @abstractmethod
    def told(self, recipe: Recipe) -> str:
        """Where the galleries are made, in words: "on cpu, 2 batches at once"."""

    @abstractmethod
    def prepare(self, recipe: Recipe) -> None:
        """Loads or downloads what can be missing, before any work starts. Raises UsageError."""

    def ask(self, work: Callable[P, T], *words: P.args, **named: P.kwargs) -> T:
        """What some work comes to where batches are made, such as `probe`."""
        (found,) = in_lanes(lambda _: work(*words, **named), [0], lanes=1, threads=self.threads)
        return found

    @abstractmethod
    def results(self, recipe: Recipe, queue: Queue) -> Iterator[tuple[Batch, Result]]:
        """Batches of the queue with what came of them, in whatever order they are done.

        Takes from the queue until it is empty and nothing is in hand. Between two results the
        caller may put batches back.
        """

    @abstractmethod
    def close(self) -> None:
        """Ends what the workers hold of the machine; it starts again when it is needed."""


def require_auto_or_positive(name: str, value: int | str) -> None:
    """Raises UsageError unless a setting is auto or at least 1."""
    if value != "auto" and not (isinstance(value, int) and value >= 1):
        raise UsageError(f"workers.{name} = {value} must be auto or at least 1")


def dispatch(
    workers: Workers, recipe: Recipe, lacking: Mapping[range, Sequence[Job]]
) -> Iterator[EncodedGallery | Failure]:
    """Makes every gallery or gives it up; yields what was made and every attempt that failed.

    Raises:
        UsageError: nothing can be made, or a single gallery does not fit the memory.
    """
    size, jobs = workers.galleries_per_batch, [job for jobs in lacking.values() for job in jobs]
    if not isinstance(size, int):
        size = workers.ask(probe, recipe, jobs[0])
    recipe = _executed(workers, recipe, jobs, size)
    queue = Queue(lacking, size)
    for batch, result in workers.results(recipe, queue):
        match result:
            case UsageError():
                raise result
            case OutOfMemory():
                queue.shrink(batch)
                yield from _failures(batch, result, final=False)
            case Exception():
                next_attempts = _next_attempts(batch, result, retries=workers.retries)
                queue.put_back(next_attempts)
                yield from _failures(batch, result, final=not next_attempts)
            case galleries:
                for gallery in galleries:
                    yield replace(gallery, entry=replace(gallery.entry, attempts=batch.attempt))


def _executed(workers: Workers, recipe: Recipe, jobs: Sequence[Job], size: int) -> Recipe:
    """The recipe, its execution decided where that is left to timing; steered, it is eager."""
    source = recipe.model
    if not isinstance(source, ModelSource) or not isinstance(auto := source.execution, Auto):
        return recipe
    execution, batches = EAGER, len(jobs) / size / workers.at_once(recipe)
    if batches >= auto.least_batches and not getattr(recipe.method, "steering", None):
        rows = size * recipe.method.size
        execution, why = workers.ask(decided, source, jobs[0], rows=rows, batches=batches)
        tqdm.write(why)
    return replace(recipe, model=replace(source, execution=execution))


def _next_attempts(batch: Batch, error: Exception, *, retries: int) -> list[Batch]:
    if isinstance(error, WorkerLost) and batch.attempt == 1 and retries:
        return [batch.again()]
    if len(batch.jobs) > 1:
        return batch.alone()
    return [batch.again()] if batch.attempt <= retries else []


def _failures(batch: Batch, error: Exception, *, final: bool) -> Iterator[Failure]:
    for job in batch.jobs:
        yield Failure(job.id, job.prompt, batch.attempt, str(error), final)
