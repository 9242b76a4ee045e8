"""Scores of committed galleries: one row per gallery and metric, appended as they are made.

A row stands for exactly one set of image files under exactly one metric: it carries the digest of
the gallery and the identity of the metric (implementation, weights, library, dtype). When either
changes, the gallery is scored again and the new row stands.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from experiments.store import ManifestRow
from metrics import GalleryBatch, MetricSuite

GALLERIES_PER_BATCH = 16


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
        UsageError: an image is not the one that was committed.
        metrics.ImageError: an image is constant or otherwise no picture.
    """
    committed = galleries.committed()
    rows = [committed[job] for job in jobs]
    scores = _read(file)
    missing = [row for row in rows if not _is_scored(row, suite, scores)]
    if missing:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a", encoding="utf-8") as out:
            if out.tell() and not file.read_bytes().endswith(b"\n"):
                out.write("\n")  # ends a line that a kill has torn
            for batch in _batches(missing):
                for line in _score_batch(galleries, suite, batch, known or {}):
                    out.write(json.dumps(line, sort_keys=True) + "\n")
                    scores[line["job"], line["metric"]] = line
                out.flush()
    lines = [
        {"weights": None, **scores[row.job, metric]}  # a score on pixels reads none
        for row in rows
        for metric in suite.identities
    ]
    return pd.DataFrame(lines).sort_index(axis="columns")  # the same, read back or just made


def score_noise(row: ManifestRow) -> Iterator[dict]:
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


def _is_scored(row: GalleryRow, suite: MetricSuite, scores: Mapping) -> bool:
    def is_current(metric: str, identity: Mapping[str, str]) -> bool:
        line = scores.get((row.job, metric), {})
        return line.items() >= {"gallery": row.digest, **identity}.items()

    return all(is_current(metric, identity) for metric, identity in suite.identities.items())


def _score_batch(
    galleries: Galleries,
    suite: MetricSuite,
    rows: Sequence[GalleryRow],
    known: Mapping[str, Known],
) -> Iterator[dict]:
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
    for metric, values in suite.score(batch).items():
        for row, value in zip(rows, values.tolist(), strict=True):
            yield {
                "job": row.job,
                "prompt": row.prompt,
                "gallery": row.digest,
                "metric": metric,
                "value": value,
                **suite.identities[metric],
            }


def _batches(rows: Sequence[GalleryRow]) -> Iterator[Sequence[GalleryRow]]:
    with tqdm(total=len(rows), desc="score", unit="gallery") as progress:
        for start in range(0, len(rows), GALLERIES_PER_BATCH):
            yield (batch := rows[start : start + GALLERIES_PER_BATCH])
            progress.update(len(batch))


def _read(file: Path) -> dict[tuple[str, str], dict]:
    """The rows by job and metric, the last one standing. A torn line counts as none."""
    rows = {}
    if file.is_file():
        for text in file.read_text(encoding="utf-8").splitlines():
            try:
                line = json.loads(text)
            except json.JSONDecodeError:
                continue
            rows[line["job"], line["metric"]] = line
    return rows
