"""Scores of committed galleries: one score row per gallery and metric, appended as they are made.

A score row stands for exactly one set of image files under exactly one metric: it carries the
digest of the gallery and the identity of the metric. When either changes, the gallery is scored
again under that metric alone, and the new score row stands.

An image that is no picture and a metric that crashes have no score row, and take nobody else's.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from tqdm import tqdm

from experiments.cells.features import keep, kept
from experiments.cells.scorerow import ScoreRow
from experiments.errors import UsageError
from experiments.galleries.durable import appending, read_lines
from experiments.galleries.manifest import Entry
from experiments.workers import provenance
from metrics import GalleryBatch, ImageError, MetricSuite
from metrics.weights import WeightsError

GALLERIES_PER_BATCH = 16

Scores = Mapping[tuple[str, str], ScoreRow]
"""Score rows by job and metric."""


class Scorable(Protocol):
    """A gallery that can be scored; the digest is of its image files."""

    @property
    def job(self) -> str: ...
    @property
    def prompt(self) -> str: ...
    @property
    def digest(self) -> str: ...


class Galleries(Protocol):
    """Galleries by job id: a cell's folder, or a folder of somebody else's."""

    def committed(self) -> Mapping[str, Any]:
        """The entries by job id."""

    def read(self, entry: Any) -> np.ndarray:
        """The images of a gallery, (K, H, W, 3) uint8."""

    def where(self, entry: Any) -> str:
        """Its folder, for messages."""


class Known(Protocol):
    """A picture that a gallery was made around: (H, W, 3) uint8, and its object (H, W), bool."""

    @property
    def image(self) -> np.ndarray: ...
    @property
    def mask(self) -> np.ndarray: ...


def score(
    galleries: Galleries,
    suite: MetricSuite,
    jobs: Sequence[str],
    *,
    file: Path,
    known: Mapping[str, Known] | None = None,
) -> list[ScoreRow]:
    """Scores the galleries that have no current score row in `file`; returns those of all of them.

    What the suite's set scores read of them is kept beside `file`.

    Args:
        jobs: ids of committed galleries.
        file: the score rows of the cell, JSON lines; made if missing.
        known: by job, of all jobs or of none, the pictures that scores of regions compare with. A
            job's id must stand for its picture.

    Returns:
        One score row per gallery and metric, in the order of `jobs`.

    Raises:
        UsageError: an image is not the one that was committed, or is constant or otherwise no
            picture; or a metric crashes. It is raised when all else is scored and written.
        WeightsError: the weights of a metric are not to be had.
    """
    scores = read(file)
    committed = galleries.committed()
    entries = [committed[job] for job in jobs]
    problems: dict[str, str] = {}
    suite.kept = kept(suite, file)
    if todo := unscored(entries, suite, scores):
        with appending(file) as append:
            for metrics, batch in _batches(todo):
                for row in _score_batch(galleries, suite, batch, metrics, problems, known or {}):
                    append(row.line())
                    scores[row.job, row.metric] = row
        keep(suite, file, [entry.digest for entry in entries])
    if problems:
        raise UsageError("\n".join(problems.values()))
    return [scores[entry.job, metric] for entry in entries for metric in suite.identities]


def read(file: Path) -> dict[tuple[str, str], ScoreRow]:
    """The score rows of a file by job and metric, the last one standing."""
    scores = {}
    shared: dict[str, Any] = {}
    for line in read_lines(file):
        with suppress(KeyError):  # a line that is no score row
            row = ScoreRow.of_line(line, shared)
            scores[row.job, row.metric] = row
    return scores


def unscored(
    entries: Sequence[Scorable], suite: MetricSuite, scores: Scores
) -> dict[tuple[str, ...], list[Scorable]]:
    """The galleries by the metrics under which they have no current score.

    Those that lack but features are under no metric.
    """
    todo: dict[tuple[str, ...], list[Scorable]] = {}
    for entry in entries:
        lacks = tuple(
            metric
            for metric, identity in suite.identities.items()
            if not (
                (known := scores.get((entry.job, metric)))
                and known.is_current(entry.digest, identity)
            )
        )
        if lacks or any(entry.digest not in features for features in suite.kept.values()):
            todo.setdefault(lacks, []).append(entry)
    return todo


def score_noise(entry: Entry) -> Iterator[ScoreRow]:
    """What the manifest tells of a gallery's noises, as score rows.

    passes        guided network passes of one image, backward ones included
    rows          of the network: two of a guided pass, one of another
    loss_first    the optimiser's loss at its first step, and loss_last: at its last one
    noise_*       the drift of the noises, see `coupling.drift`
    """
    told = {"passes": float(sum(entry.passes.values()))}
    if entry.rows is not None:
        told["rows"] = float(entry.rows)
    if entry.loss:
        told |= {"loss_first": entry.loss[0], "loss_last": entry.loss[-1]}
    for implementation, values in (("manifest", told), ("coupling.drift", entry.drift.scores())):
        identity = {
            "implementation": implementation,
            "convention_version": "1",
            "weights": "none",
            "library": f"torch {torch.__version__}",
            "dtype": "float64",
            "device": "cpu",
            **provenance.suite(),
        }
        for metric, value in values.items():
            yield ScoreRow(entry.job, entry.prompt, entry.digest, metric, value, identity)


def _score_batch(
    galleries: Galleries,
    suite: MetricSuite,
    entries: Sequence[Scorable],
    metrics: Sequence[str],
    problems: dict[str, str],
    known: Mapping[str, Known],
) -> Iterator[ScoreRow]:
    """The score rows of a batch. What cannot be scored is named in `problems`: an image by its
    gallery, after which the others are scored without it, and a crash by its metric.
    """
    outcomes = _attempt(galleries, suite, entries, metrics, known)
    apart = [
        metric
        for metric, outcome in outcomes.items()
        if isinstance(outcome, ImageError | UsageError) and len(entries) > 1
    ]
    for entry in entries if apart else ():
        yield from _score_batch(galleries, suite, [entry], apart, problems, known)
    for metric in metrics:
        match outcomes[metric]:
            case WeightsError() as error:
                raise error
            case ImageError() | UsageError() as error:
                if not apart:
                    problems.setdefault(entries[0].job, str(error))
            case Exception() as error:
                why = " ".join(f"{type(error).__name__}: {error}".split())
                problems.setdefault(metric, f"metric {metric} crashed, the others are kept: {why}")
            case values:
                identity = {**suite.identities[metric], **provenance.suite()}
                for entry, value in zip(entries, values.tolist(), strict=True):
                    yield ScoreRow(entry.job, entry.prompt, entry.digest, metric, value, identity)


def _attempt(
    galleries: Galleries,
    suite: MetricSuite,
    entries: Sequence[Scorable],
    metrics: Sequence[str],
    known: Mapping[str, Known],
) -> Mapping[str, torch.Tensor | Exception]:
    """A value for each gallery by metric, or what went wrong."""
    try:
        read = [galleries.read(entry) for entry in entries]
        if len({images.shape for images in read}) > 1:
            raise UsageError("galleries of several sizes are scored one by one")
        images = np.stack(read)
        pictures = [known[entry.job] for entry in entries if known]
        references = [torch.from_numpy(picture.image).movedim(-1, 0) / 255 for picture in pictures]
        masks = [torch.from_numpy(picture.mask) for picture in pictures]
        batch = GalleryBatch(
            images=torch.from_numpy(images).movedim(-1, 2),
            prompts=tuple(entry.prompt for entry in entries),
            names=tuple(galleries.where(entry) for entry in entries),
            references=torch.stack(references) if known else None,
            masks=torch.stack(masks) if known else None,
            digests=tuple(entry.digest for entry in entries),
        )
        return suite.attempt(batch, metrics)
    except (ImageError, UsageError) as error:
        return dict.fromkeys(metrics, error)


def _batches(
    todo: Mapping[tuple[str, ...], Sequence[Scorable]],
) -> Iterator[tuple[tuple[str, ...], Sequence[Scorable]]]:
    total = sum(map(len, todo.values()))
    with tqdm(total=total, desc="score", unit="gallery", disable=None) as progress:
        for metrics, entries in todo.items():
            for start in range(0, len(entries), GALLERIES_PER_BATCH):
                yield metrics, (batch := entries[start : start + GALLERIES_PER_BATCH])
                progress.update(len(batch))
