"""Scores belong to exactly these images under exactly this metric."""

import json
import shutil
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import torch

from coupling.drift import drift
from experiments.cells.score import score as score_rows
from experiments.cells.score import score_noise
from experiments.cells.scorerow import ScoreRow, frame
from experiments.errors import UsageError
from experiments.galleries.folder import CellFolder
from experiments.galleries.gallery import Gallery, encode
from experiments.galleries.writer import writing
from experiments.tasks.job import jobs_of
from experiments.tasks.scenes import ObjectImage
from metrics import GalleryBatch, MetricSuite
from metrics.regions import rmse_foreground
from metrics.scorers import BackgroundL2

JOBS = jobs_of(["a cat", "a dog", "a fox"])
IDS = [job.id for job in JOBS]


@dataclass
class MeanLevel:
    """A suite of one metric, which counts the galleries that it scores."""

    version: str = "1"
    scored: int = 0
    sets: ClassVar = {}

    @property
    def identities(self):
        return {"level": {"implementation": "level", "version": self.version}}

    def attempt(self, batch: GalleryBatch, names):
        self.scored += len(batch.names)
        return {"level": batch.unit.double().mean(dim=(1, 2, 3, 4))}


def score(*arguments, **options):
    """The score rows as a table."""
    return frame(score_rows(*arguments, **options), label="cell", seed=0)


def gallery(job, images) -> Gallery:
    white = drift(torch.randn(len(images), 1, 4, 4), torch.eye(len(images)))
    return Gallery(job, images, seconds={}, passes={"sample": 4}, loss=(3.0, 1.0), drift=white)


def commit(folder, gallery) -> None:
    """In place of what is there."""
    shutil.rmtree(folder.path / "galleries" / gallery.job.id, ignore_errors=True)
    with writing(folder) as writer:
        writer.commit(encode(gallery, inputs={"seed": 0}, made_with={}))


@pytest.fixture
def folder(tmp_path):
    folder = CellFolder(tmp_path / "cell", {"seed": 0}, gallery_size=2)
    for k, job in enumerate(JOBS):
        images = np.full((2, 4, 4, 3), 51 * k, dtype=np.uint8)
        images[:, 0, 0] += 1  # a constant image is refused
        commit(folder, gallery(job, images))
    return folder


def test_a_row_per_gallery_in_the_order_of_the_jobs(folder, tmp_path):
    rows = score(folder, MeanLevel(), IDS, file=tmp_path / "scores.jsonl")
    assert rows["job"].tolist() == IDS and rows["prompt"].tolist() == ["a cat", "a dog", "a fox"]
    np.testing.assert_allclose(rows["value"], [0, 0.2, 0.4], atol=1e-3)


def test_the_manifest_tells_of_the_noises(folder):
    row = folder.committed()[IDS[0]]
    values = {line.metric: line.value for line in score_noise(row)}
    assert values["passes"] == 4 and (values["loss_first"], values["loss_last"]) == (3, 1)
    assert values["noise_norm"] == row.drift.scores()["noise_norm"]


def test_only_what_is_missing_is_scored(folder, tmp_path):
    file, suite = tmp_path / "scores.jsonl", MeanLevel()
    score(folder, suite, IDS[:2], file=file)
    assert suite.scored == 2
    again = score(folder, suite, IDS, file=file)
    assert suite.scored == 3 and len(again) == 3


def test_another_metric_version_scores_anew(folder, tmp_path):
    file, suite = tmp_path / "scores.jsonl", MeanLevel(version="2")
    score(folder, MeanLevel(), IDS, file=file)
    assert (score(folder, suite, IDS, file=file)["version"] == "2").all()
    assert suite.scored == 3


def test_another_gallery_is_scored_anew(folder, tmp_path):
    file, suite = tmp_path / "scores.jsonl", MeanLevel()
    score(folder, suite, IDS, file=file)
    images = torch.randint(256, (2, 4, 4, 3), dtype=torch.uint8).numpy()
    commit(folder, gallery(JOBS[0], images))
    score(folder, suite, IDS, file=file)
    assert suite.scored == 4


def test_a_torn_line_costs_one_score(folder, tmp_path):
    file, suite = tmp_path / "scores.jsonl", MeanLevel()
    before = score(folder, suite, IDS, file=file)
    file.write_bytes(file.read_bytes()[:-9])
    after = score(folder, suite, IDS, file=file)
    assert suite.scored == 4 and after.equals(before)
    assert len([line for line in file.read_text().splitlines() if _is_json(line)]) == 3


def test_a_constant_image_is_refused_by_name(folder, tmp_path):
    black = np.zeros((2, 4, 4, 3), dtype=np.uint8)
    commit(folder, gallery(JOBS[1], black))
    with pytest.raises(UsageError, match=rf"galleries/{IDS[1]}: image 0 is constant"):
        score(folder, MeanLevel(), IDS, file=tmp_path / "scores.jsonl")


def _is_json(line: str) -> bool:
    try:
        return bool(json.loads(line))
    except json.JSONDecodeError:
        return False


def test_scores_of_regions_compare_each_gallery_with_its_own_picture(folder, tmp_path):
    """Gallery k is grey level 51 k, and so is picture k on its object, the right half."""

    @dataclass
    class Fidelity:
        identities = {"rmse": {"implementation": "rmse"}}  # noqa: RUF012
        sets = {}  # noqa: RUF012

        def attempt(self, batch: GalleryBatch, names):
            return {"rmse": rmse_foreground(batch.unit, batch.references, batch.masks)}

    def picture(level: int) -> ObjectImage:
        image = np.full((4, 4, 3), 200, np.uint8)
        image[:, 2:] = level
        return ObjectImage("", "", image, np.arange(4) >= np.full((4, 1), 2), "exact")

    known = {id: picture(51 * k) for k, id in enumerate(IDS)}
    rows = score(folder, Fidelity(), IDS, file=tmp_path / "own.jsonl", known=known)
    assert rows["value"].tolist() == pytest.approx([0, 0, 0])
    exchanged = dict(zip(IDS, [known[IDS[1]], *[known[IDS[0]]] * 2], strict=True))
    rows = score(folder, Fidelity(), IDS, file=tmp_path / "others.jsonl", known=exchanged)
    assert rows["value"].tolist() == pytest.approx([0.2, 0.2, 0.4])


def test_scores_of_regions_without_pictures_are_refused(folder, tmp_path):
    suite = MetricSuite(
        features={}, scores={"l2_b": BackgroundL2()}, device="cpu", dtype="float32", batch_size=1
    )
    with pytest.raises(UsageError, match="use them with a task that has an object"):
        score(folder, suite, IDS, file=tmp_path / "scores.jsonl")


def test_an_identity_with_a_name_that_every_score_row_has_is_refused():
    with pytest.raises(UsageError, match="vqa: its identity may not be called prompt"):
        ScoreRow("a", "a bed", "0", "vqa", 1.0, {"prompt": "Is it a bed?", "weights": "none"})
