"""What to generate: a task is a list of gallery jobs.

A job's id is a hash of its prompt, so its noise depends neither on the order of the prompts nor on
how many there are.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from experiments.errors import UsageError


@dataclass(frozen=True)
class Job:
    """One gallery to be made; its noise streams and its files are named by the id."""

    id: str
    prompt: str

    @property
    def title(self) -> str:
        """What it is called where a person looks."""
        return self.prompt


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


def jobs_of(prompts: Sequence[str]) -> list[Job]:
    """One job a prompt. A prompt that comes again gets a gallery, and noise, of its own.

    >>> [job.id for job in jobs_of(["a cat", "a dog", "a cat"])]
    ['51e467415607', '7dbdf68ac0bb', '51e467415607-2']
    """
    seen: Counter[str] = Counter()
    jobs = []
    for prompt in prompts:
        seen[prompt] += 1
        digest = hashlib.sha256(prompt.encode()).hexdigest()[:12]
        occurrence = f"-{seen[prompt]}" if seen[prompt] > 1 else ""
        jobs.append(Job(id=digest + occurrence, prompt=prompt))
    return jobs
