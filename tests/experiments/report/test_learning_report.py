"""The report of a study: what it says is true of its cards and rewards."""

import json

import numpy as np
import pytest

from coupling import equicorrelated, iid, repulsive
from experiments.learning.card import Card
from experiments.report.learning import Evaluated, findings, write
from experiments.tables.statistics import holm, paired

SETTINGS = {
    "model": {"name": "tiny", "num_steps": 6, "guidance": 5.0},
    "learning_rate": 0.1,
    "prompts_per_step": 4,
}


@pytest.fixture
def rows() -> list[Evaluated]:
    rng = np.random.default_rng(0)
    laws = {"near": equicorrelated(3, -0.45), "far": iid(3), "there": repulsive(3)}
    found = []
    for start, law in laws.items():
        base = rng.normal(0, 1, 12)
        rewards = {
            "learned": (base + rng.normal(0, 0.1, 12)).tolist(),
            "repulsive": base.tolist(),
            "iid": (base - 1 + rng.normal(0, 0.1, 12)).tolist(),
        }
        found.append(Evaluated("K=3, SSIM", start, Card.begin(law, SETTINGS), rewards))
    return found


def test_a_finding_counts_the_starts_that_came_near(rows):
    assert findings(rows, within=0.1) == [
        "K=3, SSIM: 2 of 3 couplings became the repulsive one (every correlation within 0.1 of "
        "-0.5; the furthest is 0.500 away). On held-out prompts 3 of 3 show no difference from its "
        "reward, and 3 of 3 differ from that of independent noises."
    ]
    assert findings(rows, within=0.01)[0].startswith("K=3, SSIM: 1 of 3")


def test_tests_are_paired_and_corrected_as_one_family(rows, tmp_path):
    write(rows, tmp_path, "tiny", title="Learned", within=0.1)
    document = json.loads((tmp_path / "tiny.json").read_text())
    tests = [
        (document["rows"][i]["held_out"][name], paired(row.rewards["learned"], row.rewards[name]))
        for i, row in enumerate(rows)
        for name in ("repulsive", "iid")
    ]
    for (written, test), p in zip(tests, holm([t.t_p for _, t in tests]), strict=True):
        assert written["difference"] == test.difference and written["t_p_holm"] == p


def test_the_files_agree_and_are_the_same_every_time(rows, tmp_path):
    paths = write(rows, tmp_path, "tiny", title="Learned", within=0.1)
    first = [path.read_bytes() for path in paths]
    text = (tmp_path / "tiny.md").read_text()
    assert findings(rows, within=0.1)[0] in text and "-0.450 -0.450 -0.450" in text
    assert (tmp_path / "tiny.csv").read_text().count("\n") == 1 + len(rows)
    write(rows, tmp_path, "tiny", title="Learned", within=0.1)
    assert [path.read_bytes() for path in paths] == first
