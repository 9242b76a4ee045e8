"""What docs/extending.md says to write, and to run, works as it stands there."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from tests.reader import Reader


@pytest.fixture
def run(tmp_path):
    """Runs the main job in a folder that holds the page's own files."""
    reader = Reader(tmp_path)

    def run(*overrides: str) -> Path:
        small = ["task.num_prompts=2", "model.num_steps=2", "workers.galleries_per_batch=2"]
        reader.python("-m", "experiments.run", "--config-dir=configs", *small, *overrides)
        return tmp_path

    return run


@pytest.mark.walks
def test_the_metric_has_its_column_and_is_what_it_says(run):
    folder = run("experiment=demo", "metrics=mine")
    table = pd.read_csv(folder / "outputs/results/demo/tiny.csv").set_index(["row", "metric"])
    assert {"l2", "saturation"} <= set(table.loc["coupled"].index)
    for row, cell in (("iid", "tiny-iid-*"), ("coupled", "tiny-repulsive-*")):
        paths = (folder / "outputs").glob(f"{cell}/galleries/*/*.png")
        images = np.stack([np.asarray(Image.open(path)) / 255 for path in paths])
        assert len(images) == 6
        expected = np.ptp(images, axis=-1).mean()
        assert table.loc[(row, "saturation"), "mean"] == pytest.approx(expected)


def test_the_coupling_is_the_law_that_it_names(run):
    folder = run("coupling=chain", "coupling.rho=-0.3")
    (manifest,) = folder.glob("outputs/tiny-chain-*/manifest.jsonl")
    target = json.loads(manifest.read_text().splitlines()[0])["drift"]["target"]
    law = [[1, -0.3, 0.09], [-0.3, 1, -0.3], [0.09, -0.3, 1]]
    torch.testing.assert_close(torch.tensor(target), torch.tensor(law))


def test_the_model_makes_galleries(run):
    folder = run("model=mirrored")
    assert len(list(folder.glob("outputs/mirrored-repulsive-*/galleries/*/*.png"))) == 6


def test_the_prompts_are_what_is_drawn(run):
    folder = run("prompts=beds")
    first = json.loads(next(folder.glob("results/scores/*.jsonl")).read_text().splitlines()[0])
    assert first["prompt"] == "a bedroom with a red bed, number 0"


@pytest.mark.walks
def test_the_table_has_its_rows_and_compares_as_it_says(run):
    folder = run("experiment=neighbours")
    table = pd.read_csv(folder / "results/neighbours/tiny.csv").set_index(["row", "metric"])
    against = table["baseline"].groupby("row").agg(lambda names: set(names.dropna()))
    assert against.to_dict() == {
        "iid": set(),
        "neighbours": {"iid"},
        "repulsive": {"iid", "neighbours"},
    }
