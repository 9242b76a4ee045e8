"""Scores of committed galleries: one row per gallery and metric, appended as they are made.

A row stands for exactly one set of image files under exactly one metric: it carries the digest of
the gallery and the identity of the metric (implementation, weights, library, dtype). When either
changes, the gallery is scored again under that metric alone, and the new row stands.

An image that is no picture and a metric that crashes have no row, and take nobody else's.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from experiments.errors import UsageError
from experiments.galleries import jsonlines
from experiments.galleries.manifest import Entry
from metrics import GalleryBatch, ImageError, MetricSuite
from metrics.weights import WeightsError

GALLERIES_PER_BATCH = 16

Scores = Mapping[tuple[str, str], Mapping]
"""Score rows by job and metric."""


class GalleryRow(Protocol):
    """A gallery that can be scored; the digest is of its image files."""

    job: str
    prompt: str
    digest: str


class Galleries(Protocol):
    """Galleries by job id: a cell's store, or a folder of somebody else's."""

    def committed(self) -> Mapping[str, Any]:
        """The rows by job id."""

    def read(self, row: Any) -> np.ndarray:
        """The images of a gallery, (K, H, W, 3) uint8."""

    def where(self, row: Any) -> str:
        """Its folder, for messages."""


class Known(Protocol):
    """A picture that a gallery was made around: (H, W, 3) uint8, and its object (H, W), bool."""

    image: np.ndarray
    mask: np.ndarray


def score(
    galleries: Galleries,
    suite: MetricSuite,
    jobs: Sequence[str],
    *,
    file: Path,
    known: Mapping[str, Known] | None = None,
) -> pd.DataFrame:
    """Scores the galleries that have no current row in `file`; returns the rows of all of them.

    Args:
        jobs: ids of committed galleries.
        file: the score rows of the cell, JSON lines; made if missing.
        known: by job, of all jobs or of none, the pictures that scores of regions compare with. A
            job's id must stand for its picture.

    Returns:
        One row per gallery and metric, in the order of `jobs`: job, prompt, metric, value, gallery
        (the digest of its images), and the identity of the metric.

    Raises:
        UsageError: an image is not the one that was committed, or is constant or otherwise no
            picture; or a metric crashes. It is raised when all else is scored and written.
        WeightsError: the weights of a metric are not to be had.
    """
    scores = read(file)
    committed = galleries.committed()
    rows = [committed[job] for job in jobs]
    problems: dict[str, str] = {}
    if todo := unscored(rows, suite, scores):
        with jsonlines.appending(file) as append:
            for metrics, batch in _batches(todo):
                for line in _score_batch(galleries, suite, batch, metrics, problems, known or {}):
                    append(line)
                    scores[line["job"], line["metric"]] = line
    if problems:
        raise UsageError("\n".join(problems.values()))
    lines = [
        {"weights": None, **scores[row.job, metric]}  # a score on pixels reads none
        for row in rows
        for metric in suite.identities
    ]
    return pd.DataFrame(lines).sort_index(axis="columns")  # the same, read back or just made


def unscored(
    rows: Sequence[GalleryRow], suite: MetricSuite, scores: Scores
) -> dict[tuple[str, ...], list[GalleryRow]]:
    """The galleries by the metrics under which they have no current score."""
    todo: dict[tuple[str, ...], list[GalleryRow]] = {}
    for row in rows:
        lacks = tuple(
            metric
            for metric, identity in suite.identities.items()
            if not scores.get((row.job, metric), {}).items()
            >= {"gallery": row.digest, **identity}.items()
        )
        if lacks:
            todo.setdefault(lacks, []).append(row)
    return todo


def score_noise(row: Entry) -> Iterator[dict]:
    """What the manifest tells of a gallery's noises, as score rows.

    passes        guided network passes of one image, backward ones included
    loss_first    the optimiser's loss at its first step, and loss_last: at its last one
    noise_*       the drift of the noises, see `coupling.drift`
    """
    values = {"passes": float(sum(row.passes.values())), **row.drift.scores()}
    if row.loss:
        values |= {"loss_first": row.loss[0], "loss_last": row.loss[-1]}
    for metric, value in values.items():
        yield {
            "job": row.job,
            "prompt": row.prompt,
            "gallery": row.digest,
            "metric": metric,
            "value": value,
            "implementation": "coupling.drift" if metric.startswith("noise") else "manifest",
            "weights": "none",
            "library": f"torch {torch.__version__}",
            "dtype": "float64",
            "device": "cpu",
        }


def _score_batch(
    galleries: Galleries,
    suite: MetricSuite,
    rows: Sequence[GalleryRow],
    metrics: Sequence[str],
    problems: dict[str, str],
    known: Mapping[str, Known],
) -> Iterator[dict]:
    """The score rows of a batch. What cannot be scored is named in `problems`: an image by its
    gallery, after which the others are scored without it, and a crash by its metric.
    """
    try:
        images = torch.from_numpy(np.stack([galleries.read(row) for row in rows])).movedim(-1, 2)
        pictures = [known[row.job] for row in rows if known]
        references = [torch.from_numpy(picture.image).movedim(-1, 0) / 255 for picture in pictures]
        masks = [torch.from_numpy(picture.mask) for picture in pictures]
        batch = GalleryBatch(
            images=images,
            prompts=tuple(row.prompt for row in rows),
            names=tuple(galleries.where(row) for row in rows),
            references=torch.stack(references) if known else None,
            masks=torch.stack(masks) if known else None,
        )
        outcomes = suite.attempt(batch, metrics)
    except (ImageError, UsageError) as error:
        outcomes = dict.fromkeys(metrics, error)
    apart = [
        metric
        for metric, outcome in outcomes.items()
        if isinstance(outcome, ImageError | UsageError) and len(rows) > 1
    ]
    for row in rows if apart else ():
        yield from _score_batch(galleries, suite, [row], apart, problems, known)
    for metric in metrics:
        outcome = outcomes[metric]
        if isinstance(outcome, WeightsError):
            raise outcome
        if isinstance(outcome, ImageError | UsageError):
            if len(rows) == 1:
                problems.setdefault(rows[0].job, str(outcome))
        elif isinstance(outcome, Exception):
            reason = " ".join(f"{type(outcome).__name__}: {outcome}".split())
            problems.setdefault(metric, f"metric {metric} crashed, the others are kept: {reason}")
        else:
            for row, value in zip(rows, outcome.tolist(), strict=True):
                yield {
                    "job": row.job,
                    "prompt": row.prompt,
                    "gallery": row.digest,
                    "metric": metric,
                    "value": value,
                    **suite.identities[metric],
                }


def _batches(
    todo: Mapping[tuple[str, ...], Sequence[GalleryRow]],
) -> Iterator[tuple[tuple[str, ...], Sequence[GalleryRow]]]:
    total = sum(map(len, todo.values()))
    with tqdm(total=total, desc="score", unit="gallery", disable=None) as progress:
        for metrics, rows in todo.items():
            for start in range(0, len(rows), GALLERIES_PER_BATCH):
                yield metrics, (batch := rows[start : start + GALLERIES_PER_BATCH])
                progress.update(len(batch))


def read(file: Path) -> dict[tuple[str, str], dict]:
    """The rows by job and metric, the last one standing."""
    return {(line["job"], line["metric"]): line for line in jsonlines.read(file)}
