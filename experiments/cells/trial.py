"""Scores tried on random pixels, so that what they refuse is refused before anything is made."""

import numpy as np
import torch

from experiments.errors import UsageError
from experiments.tasks.job import Job
from experiments.tasks.objects import ObjectJob
from metrics import GalleryBatch, MetricSuite

SIDE = 64  # of galleries that have no picture


def tried(suite: MetricSuite, job: Job, *, size: int) -> MetricSuite:
    """The suite, whose scores on pixels take a gallery of `size` images for this job.

    Those that read a network are not tried: it would have to be fetched.

    Raises:
        UsageError: one does not.
    """
    picture = job.picture if isinstance(job, ObjectJob) else None
    height, width = picture.image.shape[:2] if picture else (SIDE, SIDE)
    pixels = np.random.default_rng(0).integers(256, size=(1, size, 3, height, width), dtype="uint8")
    batch = GalleryBatch(
        torch.from_numpy(pixels),
        prompts=(job.prompt,),
        names=(job.id,),
        references=torch.from_numpy(picture.image).movedim(-1, 0)[None] / 255 if picture else None,
        masks=torch.from_numpy(picture.mask)[None] if picture else None,
    )
    on_pixels = [name for name, scorer in suite.scores.items() if not hasattr(scorer, "features")]
    for name, answer in suite.attempt(batch, on_pixels).items():
        if isinstance(answer, ValueError):
            raise UsageError(f"metrics: {name}: {answer}")
    return suite
