"""The task of diverse galleries: one for each prompt (paper, 4.1)."""

from collections.abc import Callable
from dataclasses import dataclass

from experiments.errors import UsageError
from experiments.tasks.job import Job, jobs_of


@dataclass(frozen=True)
class Diversity:
    """Galleries of `gallery_size` images, one for each of `num_prompts` prompts (paper, 4.1).

    `keep` of them are shown and scored, the most diverse; None for all.
    """

    num_prompts: int
    gallery_size: int
    keep: int | None
    prompts: Callable[[int], list[str]]

    def __post_init__(self) -> None:
        for name in ("num_prompts", "gallery_size"):
            if getattr(self, name) < 1:
                raise UsageError(f"task.{name} = {getattr(self, name)} must be at least 1")
        if self.keep is not None and not 2 <= self.keep <= self.gallery_size:
            raise UsageError(
                f"task.keep = {self.keep} must be from 2 to task.gallery_size = "
                f"{self.gallery_size}; null keeps all"
            )

    def jobs(self) -> list[Job]:
        return jobs_of(self.prompts(self.num_prompts))
