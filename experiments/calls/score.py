"""Scores of pictures that one has: files, PIL images, arrays, tensors."""

import hashlib
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image
from torch import Tensor

from experiments.cells.build import fitting
from experiments.cells.held import suite_of
from experiments.cells.score import score as score_galleries
from experiments.errors import UsageError
from experiments.inputs import pictures
from experiments.tasks.job import jobs_of
from metrics import MetricSuite


@dataclass(frozen=True, eq=False)
class Given:
    """A gallery in memory; `images`: (K, H, W, 3) uint8."""

    job: str
    prompt: str
    images: np.ndarray

    @cached_property
    def digest(self) -> str:
        return hashlib.sha256(self.images.tobytes()).hexdigest()[:16]


@dataclass(frozen=True)
class Hand:
    """Galleries at hand, by job id."""

    entries: Mapping[str, Given]

    def committed(self) -> Mapping[str, Given]:
        return self.entries

    def read(self, entry: Given) -> np.ndarray:
        return entry.images

    def where(self, entry: Given) -> str:
        return repr(entry.prompt)


def score(images: Any, prompts: str | Sequence[str], *, metrics: str | MetricSuite) -> pd.DataFrame:
    """A line for each gallery, its prompt and its scores.

    Args:
        images: a gallery for each prompt, or one where `prompts` is a text. A gallery is a list of
            pictures, an array (K, H, W, 3) or a tensor (K, 3, H, W); a picture the path of a file,
            a PIL image, an array (H, W, 3) or a tensor (3, H, W). Bytes, or floats in [0, 1].
        metrics: a name of configs/metrics, such as "open", or a suite of your own.

    Raises:
        UsageError: they are no galleries, one a prompt; or a picture cannot be scored.
    """
    galleries = [images] if isinstance(prompts, str) else list(images)
    jobs = jobs_of([prompts] if isinstance(prompts, str) else list(prompts))
    if not jobs or len(galleries) != len(jobs):
        raise UsageError(f"{len(galleries)} galleries and {len(jobs)} prompts; give one each")
    found = [
        Given(job.id, job.prompt, _gallery(gallery, job.prompt))
        for job, gallery in zip(jobs, galleries, strict=True)
    ]
    suite, notes = fitting(suite_of(metrics), min(len(one.images) for one in found))
    for note in notes:
        warnings.warn(note, stacklevel=2)
    hand = Hand({one.job: one for one in found})
    with TemporaryDirectory() as folder:  # scores of pictures in memory are kept by nobody
        file = Path(folder) / "scores.jsonl"
        rows = score_galleries(hand, suite, list(hand.entries), file=file)
    frame = pd.DataFrame([vars(row) for row in rows])
    wide = frame.pivot(index="job", columns="metric", values="value")[list(suite.scores)]
    wide = wide.loc[list(hand.entries)].rename_axis(columns=None).reset_index(drop=True)
    wide.insert(0, "prompt", [one.prompt for one in found])
    return wide


def _gallery(gallery: Any, prompt: str) -> np.ndarray:
    """(K, H, W, 3) uint8."""
    if isinstance(gallery, str | Path | Image.Image) or getattr(gallery, "ndim", 4) == 3:
        gallery = [gallery]
    try:
        return np.stack([_picture(one) for one in gallery])
    except (TypeError, ValueError) as error:
        raise UsageError(f"the gallery of {prompt!r}: {error}") from error


def _picture(picture: Any) -> np.ndarray:
    """(H, W, 3) uint8. Raises ValueError, or UsageError for a file."""
    if isinstance(picture, str | Path):
        return pictures.read(Path(picture)).pixels
    if isinstance(picture, Image.Image):
        return pictures.seen(picture).pixels
    if isinstance(picture, Tensor):
        picture = picture.detach().cpu().movedim(0, -1)
        picture = picture.float() if picture.is_floating_point() else picture
    values = np.asarray(picture)
    if values.ndim != 3 or values.shape[-1] != 3:
        raise ValueError(
            f"{values.shape} is no picture; valid is (H, W, 3), a tensor's is (3, H, W)"
        )
    if values.dtype == np.uint8:
        return values
    if values.dtype.kind != "f" or not (
        values.min() >= 0 and values.max() <= 1
    ):  # true of nan, too
        raise ValueError("its numbers are neither bytes nor floats in [0, 1]")
    return np.rint(values.astype(np.float32) * 255).astype(np.uint8)
