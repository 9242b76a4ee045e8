"""A job: one gallery to be made.

A job's id is a hash of its prompt, so its noise depends neither on the order of the prompts nor on
how many there are.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Job:
    """One gallery to be made; its noise streams and its files are named by the id."""

    id: str
    prompt: str

    @property
    def title(self) -> str:
        """The name that a reader sees."""
        return self.prompt


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
