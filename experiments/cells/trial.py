"""Scores tried on random pixels, so that what they refuse is refused before anything is made."""

import numpy as np
import torch

from experiments.errors import UsageError
from experiments.tasks.job import Job
from experiments.tasks.objects import ObjectJob
from metrics import GalleryBatch, MetricSuite

SIDE = 64


def tried(suite: MetricSuite, job: Job, *, size: int) -> MetricSuite:
    """The suite, whose scores on pixels take a gallery of `size` images for this job.

    Those that read a network are not tried: it would have to be fetched.

    Raises:
        UsageError: one does not.
    """
    pixels = np.random.default_rng(0).integers(256, size=(1, size, 3, SIDE, SIDE), dtype="uint8")
    images = torch.from_numpy(pixels)
    has_object = isinstance(job, ObjectJob)
    batch = GalleryBatch(
        images,
        prompts=(job.prompt,),
        names=(job.id,),
        references=images[:, 0] / 255 if has_object else None,
        masks=torch.ones(1, SIDE, SIDE, dtype=torch.bool).tril() if has_object else None,
    )
    on_pixels = [name for name, scorer in suite.scores.items() if not hasattr(scorer, "features")]
    for name, answer in suite.attempt(batch, on_pixels).items():
        if isinstance(answer, ValueError):
            raise UsageError(f"metrics: {name}: {answer}")
    return suite
