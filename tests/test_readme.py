"""What the README says to write and to run works as it stands there."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from experiments.tables import paper

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
FILES = {
    name: text
    for text, name in re.findall(r"```(?:python|yaml)\n(# (\S+)\n.*?)```", README, flags=re.DOTALL)
}


@pytest.fixture
def run(tmp_path):
    """Runs the main job in a folder that holds the README's own files."""
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def run(*overrides: str) -> Path:
        command = [sys.executable, "-m", "experiments.run", f"--config-dir={tmp_path / 'configs'}"]
        subprocess.run(
            [*command, "task.num_prompts=2", "model.num_steps=2", *overrides],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            check=True,
            timeout=240,
        )
        return tmp_path

    return run


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


def test_hours_on_a_gpu_are_the_papers_seconds_times_the_galleries():
    """With the paper's numbers of prompts; sizes other than three in proportion."""
    reported = paper.values("table4", "sd15")
    plain, cno = (reported[row]["seconds"][0] for row in ("iid", "iid+cno"))
    passes = 3 * 50  # of a gallery: previews add one for each candidate
    galleries = {
        "Table 1": 2000 * 2 * (plain + cno),
        "Table 4": 40 * 3 * 2 * (plain + cno),
        "Table 5": 500 * 2 * (2 + 3 + 4 + 5) / 3 * plain,
        "Table 6": 100 * 5 * plain,
        "Table 7": 500 * 3 * 4 / 3 * plain,
        "Equal compute": 300
        * (
            (3 + 4 + 5 + 3) / 3 * plain
            + 3 * cno
            + 4 * plain
            + (3 + 6 + 9 + 12) / passes * plain
            + cno
            + 9 / passes * plain
        ),
    }
    for name, seconds in galleries.items():
        (line,) = (line for line in README.splitlines() if re.match(rf"\| \[?{name}\]?", line))
        hours = float(re.search(r"([\d.]+) h\b", line.split("|")[5]).group(1))
        assert hours == pytest.approx(seconds / 3600, rel=0.05), name
