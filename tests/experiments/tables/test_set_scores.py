"""Set scores of rows: features are seen once, kept, and read again; rows are compared in pairs."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import pytest
import torch

from experiments.cells.cell import Cell
from experiments.cells.features import path_of
from experiments.errors import UsageError
from experiments.tables.sets import set_scores
from experiments.tasks.job import jobs_of
from experiments.tasks.references import Renderings
from metrics import FrechetDistance, MeanPairwiseSimilarity, MetricSuite, SetVendi, diversity
from metrics.features import Network

JOBS = jobs_of([f"a thing {number}" for number in range(10)])


class Quarters(Network):
    """Mean levels of the quarters of an image; counts the images that it has seen."""

    library = "none"
    seen: ClassVar[int] = 0

    def __init__(self, version: str = "1"):
        super().__init__("quarters")
        self.version = version

    @property
    def identity(self):
        return {"weights": f"quarters {self.version}", "library": "none", "dtype": "float32",
                "device": "cpu"}  # fmt: skip

    @property
    def requirements(self):
        return ()

    def images(self, images):
        Quarters.seen += len(images)
        return torch.nn.functional.adaptive_avg_pool2d(images.float(), 2).flatten(1)


@dataclass(frozen=True)
class Made:
    """Galleries of random images, each level raised by a share of what `shift` is."""

    shift: int
    images: dict = field(default_factory=dict)

    def committed(self):
        return {job.id: Entry(job.id, job.prompt, f"{job.id}-{self.shift}") for job in JOBS}

    def where(self, entry):
        return entry.job

    def read(self, entry):
        rng = np.random.default_rng(int(entry.job[:8], 16))
        images = rng.integers(200, size=(3, 8, 8, 3), dtype=np.uint8)
        images[0] += np.uint8(self.shift)
        return images


@dataclass(frozen=True)
class Entry:
    job: str
    prompt: str
    digest: str


def cell(folder, label: str, *, shift: int, version: str = "1") -> Cell:
    suite = MetricSuite(
        features={"quarters": Quarters(version)},
        scores={"mss": MeanPairwiseSimilarity(features="quarters")},
        sets={"vendi": SetVendi(features="quarters"), "fd": FrechetDistance(features="quarters")},
        reference=Renderings(count=20, seed=0, image_size=16),
        device="cpu",
        dtype="float32",
        batch_size=64,
    )
    return Cell(label, 0, JOBS, Made(shift), folder, suite, folder / f"{label}.jsonl")


@pytest.fixture
def cells(tmp_path) -> list[Cell]:
    made = [cell(tmp_path, "iid", shift=0), cell(tmp_path, "coupled", shift=40)]
    for each in made:
        each.score()
    return made


def test_an_image_is_seen_once_for_all_scores_and_runs(cells, tmp_path):
    Quarters.seen = 0
    assert set_scores(cells)
    assert Quarters.seen == 20  # the reference's
    again = [cell(tmp_path, "iid", shift=0), cell(tmp_path, "coupled", shift=40)]
    for each in again:
        each.score()
    assert set_scores(again) == set_scores(cells) and Quarters.seen == 20


def test_another_network_or_a_damaged_file_is_computed_anew(cells, tmp_path):
    path_of(tmp_path / "coupled.jsonl", "quarters").write_bytes(b"torn")
    Quarters.seen = 0
    cell(tmp_path, "iid", shift=0, version="2").score()
    cell(tmp_path, "coupled", shift=40).score()
    assert Quarters.seen == 2 * 30


def test_a_score_is_that_of_all_images_and_a_difference_that_of_two(cells):
    found = {(score.metric, score.row): score for score in set_scores(cells, [("coupled", "iid")])}
    for row, each in zip(("iid", "coupled"), cells, strict=True):
        there = each.galleries.committed().values()
        images = np.concatenate([each.galleries.read(entry) for entry in there])
        features = Quarters().images(torch.from_numpy(images).permute(0, 3, 1, 2))
        assert found["vendi", row].estimate.value == pytest.approx(float(diversity.vendi(features)))
    score = found["fd", "coupled"]
    ours, theirs = score.estimate, found["fd", "iid"].estimate
    assert score.differences["iid"].value == pytest.approx(ours.value - theirs.value)
    assert score.n == 10 and ours.low < ours.value < ours.high
    assert len(score.made["reference"]) == 64


def test_equal_rows_differ_by_nothing_at_all(cells, tmp_path):
    twin = cell(tmp_path, "twin", shift=0)
    twin.score()
    for score in set_scores([cells[0], twin], [("twin", "iid")]):
        if score.row == "twin":
            difference = score.differences["iid"]
            assert (difference.value, difference.low, difference.high) == (0, 0, 0)


def test_features_that_are_gone_are_told(cells, tmp_path):
    path_of(tmp_path / "iid.jsonl", "quarters").unlink()
    with pytest.raises(UsageError, match="has no features of quarters; run again"):
        set_scores(cells)
